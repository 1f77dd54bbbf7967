"""Daemons that die or stand still, and servers that do: one leads again, and the old one cannot write."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError
from servers import OwnServer

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))

from daemon_runs import DaemonProcess, children_of
from worker_runs import until

FAILOVER_S = 10.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., DaemonProcess]]:
    with contextlib.ExitStack() as stack:

        def start(url: str, settings: dict[str, Any] | None = None) -> DaemonProcess:
            path = tmp_path / f"settings-{len(list(tmp_path.iterdir()))}.json"
            path.write_text(json.dumps(settings or {}))
            daemon = DaemonProcess(url, path)
            stack.callback(daemon.clear_up)
            return daemon

        yield start


def leads(redis: Redis, daemon: DaemonProcess) -> bool:
    return (redis.get("queuectl:lease") or b"").split(b"|")[0].endswith(f":{daemon.pid}".encode())


@pytest.fixture
def two(start: Callable[..., DaemonProcess], redis: Redis, redis_url: str) -> tuple[DaemonProcess, DaemonProcess]:
    """A leader and a standby."""
    first = start(redis_url)
    until(lambda: leads(redis, first))
    second = start(redis_url)
    until(lambda: f"standing by; {redis.get('queuectl:lease').decode().split('|')[0]} leads" in second.log)
    return first, second


def test_a_killed_leader_is_followed_within_ten_seconds(two: tuple[DaemonProcess, DaemonProcess], redis: Redis):
    first, second = two
    first.send(signal.SIGKILL)
    until(lambda: leads(redis, second), FAILOVER_S)
    samples = redis.xlen("queuectl:series:1s")
    until(lambda: redis.xlen("queuectl:series:1s") > samples)
    assert second.stop() == 0


def test_a_leader_that_leaves_is_followed_at_once(two: tuple[DaemonProcess, DaemonProcess], redis: Redis):
    first, second = two
    assert first.stop() == 0
    until(lambda: leads(redis, second), 3.0)
    assert second.stop() == 0


def test_a_leader_that_stood_still_steps_down(two: tuple[DaemonProcess, DaemonProcess], redis: Redis):
    first, second = two
    first.send(signal.SIGSTOP)
    until(lambda: leads(redis, second), FAILOVER_S)
    lease = redis.get("queuectl:lease")
    first.send(signal.SIGCONT)
    until(lambda: f":{second.pid} leads" in first.log)
    assert first.stop() == 0
    assert redis.get("queuectl:lease") == lease, "it gave up a lease that was not its own any more"
    assert "Traceback" not in first.log
    assert second.stop() == 0


def test_a_server_that_dies_and_returns(start: Callable[..., DaemonProcess], own_server: Callable[..., OwnServer]):
    server = own_server()
    daemon = start(server.url, {"pools": {"bulk": {"queues": ["forum"], "concurrency": 5}}})
    with Redis.from_url(server.url) as redis:
        until(lambda: redis.scard("rq:workers") == 1)
        (worker,) = children_of(daemon.pid)
        server.kill()
        until(lambda: "ERROR server: no server" in daemon.log)
        server.start()
        samples = until(lambda: _length(redis))
        until(lambda: _length(redis) > samples + 1)
    assert children_of(daemon.pid) == [worker], "workers outlive the server"
    assert daemon.log.count("ERROR server: no server") == 1, "said once"
    until(lambda: "server: well again" in daemon.log)
    assert daemon.stop() == 0


def test_a_server_that_lost_everything_is_furnished_again(
    start: Callable[..., DaemonProcess], redis: Redis, redis_url: str
):
    daemon = start(redis_url, {"pools": {"bulk": {"queues": ["forum"], "concurrency": 5}}})
    until(lambda: redis.scard("rq:workers") == 1)
    (worker,) = children_of(daemon.pid)
    redis.flushall()
    until(lambda: redis.exists("queuectl:pool:bulk") and redis.xlen("queuectl:series:1s") > 1)
    assert children_of(daemon.pid) == [worker]
    assert daemon.stop() == 0


def _length(redis: Redis) -> int:
    try:
        return int(redis.xlen("queuectl:series:1s"))
    except ConnectionError:
        return 0
