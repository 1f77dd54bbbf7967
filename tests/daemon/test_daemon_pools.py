"""Pools with a command of their own, pools that automation scales, pools that nobody names: with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_runs import DaemonProcess, children_of
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from worker_runs import SAMPLE_JOBS, until

from queuectl.daemon.children import is_alive
from queuectl.model import RefusedError, Scale
from queuectl.settings import Settings
from queuectl.store import keys, pools
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate

RQ = [sys.executable, "-m", "rq.cli", "worker", "--serializer", "json", "--name", "{name}", "{queues}"]
JOBS = {"PYTHONPATH": str(SAMPLE_JOBS)}


def legacy(**fields: Any) -> dict[str, Any]:
    return {"pools": {"legacy": {"queues": ["forum"], "workers": 1, "command": RQ, **fields}}}


def scale(url: str, pool: str, number: int | None) -> None:
    with open_store(url) as store:
        gate = Gate(Settings(), "ana@test")
        store.run(gate.commit(store.run(gate.preview(Scale(pool, number)))))


@pytest.fixture
def workers(redis: Redis) -> Iterator[Callable[[], dict[int, str]]]:
    """Process id -> name of registered workers; those that outlive the test are killed."""
    seen: set[int] = set()

    def read() -> dict[int, str]:
        found = {
            int(redis.hget(key, "pid") or 0): key.decode().removeprefix("rq:worker:")
            for key in redis.smembers("rq:workers")
        }
        seen.update(found)
        return found

    yield read
    for pid in seen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def queue(redis: Redis) -> Queue:
    return Queue("forum", connection=redis, serializer=JSONSerializer)


def test_a_pool_of_stock_workers_is_scaled_adopted_and_let_go_warmly(
    start_daemon: Callable[..., DaemonProcess], workers: Callable[[], dict[int, str]], redis: Redis, redis_url: str,
    tmp_path: Path,
):  # fmt: skip
    first = start_daemon(legacy(), environ=JOBS)
    (oldest,) = until(workers)
    scale(redis_url, "legacy", 2)
    before = until(lambda: len(workers()) == 2 and workers())
    assert all(name.startswith("legacy~") for name in before.values())
    listed = subprocess.run(["ps", "-axww", "-o", "args="], capture_output=True, text=True, check=True).stdout
    assert any("legacy~" in line and "forum" in line for line in listed.splitlines())
    assert not any("legacy~" in line and redis_url in line for line in listed.splitlines())
    first.send(signal.SIGKILL)
    first.end()
    assert all(is_alive(pid) for pid in before)
    redis.delete(keys.LEASE, f"queuectl:host:{os.uname().nodename}")
    jobs = [queue(redis).enqueue("sample_jobs.announce_and_wait_for_file", "ran", str(tmp_path / "go"))
            for _ in range(2)]  # fmt: skip
    until(lambda: redis.llen("ran") == 2)
    second = start_daemon(legacy(), environ=JOBS)
    until(lambda: redis.get(keys.LEASE) and redis.xlen(keys.SERIES_1S) > 2)
    assert (workers(), children_of(second.pid)) == (before, []), second.log
    scale(redis_url, "legacy", 1)
    (leaving,) = set(before) - {oldest}
    until(lambda: redis.hexists(f"rq:worker:{before[leaving]}", "shutdown_requested_date"))
    (tmp_path / "go").touch()
    until(lambda: set(workers()) == {oldest})
    assert [job.get_status().value for job in jobs] == ["finished", "finished"], "a second SIGTERM would have killed it"
    assert second.stop() == 0


def test_automation_grows_a_pool_and_shrinks_it(
    start_daemon: Callable[..., DaemonProcess], workers: Callable[[], dict[int, str]], redis: Redis
):
    pool = {"queues": ["forum"], "workers": 1, "concurrency": 2, "scaling": {"min": 1, "max": 3}}
    pace = {"clear_within_s": 1, "settle_s": 1, "scale_up_window_s": 1, "scale_down_window_s": 1}
    daemon = start_daemon({"pools": {"bulk": pool}, "automation": pace}, environ=JOBS)
    until(workers)
    queue(redis).enqueue_many([Queue.prepare_data("time.sleep", (0.05,), result_ttl=0) for _ in range(250)])
    until(lambda: len(workers()) == 3, 40)
    until(lambda: len(workers()) == 1, 40)
    assert redis.llen("rq:queue:forum") == 0
    assert "crash" not in daemon.log
    assert daemon.stop() == 0


def test_pools_that_nobody_names_are_forgotten(redis: Redis, redis_url: str):
    with open_store(redis_url) as store:
        names = {name: {"queues": ["forum"]} for name in ("kept", "gone", "manned", "stock", "overridden", "shared")}
        store.run(pools.publish(Settings.model_validate({"pools": names})))
        for worker, pool in (("w", "manned"), ("stock~here~1", "")):
            redis.sadd(keys.WORKERS, keys.worker(worker))
            redis.hset(keys.worker(worker), mapping={"pool": pool, "queues": "forum"})
        scale(redis_url, "overridden", 3)
        redis.zadd(keys.pool_hosts("shared"), {"mx2": redis.time()[0]})
        redis.zadd(keys.pool_hosts("gone"), {"mx3": 1})
        settings = Settings.model_validate({"pools": {"kept": {"queues": ["forum"]}}})
        assert store.run(pools.retire(settings, fence="")) == ("gone",)
    assert redis.smembers(keys.POOLS) == {name.encode() for name in names if name != "gone"}
    assert not redis.exists(keys.pool("gone"), keys.pool_hosts("gone"))


def test_stock_workers_that_nobody_configured_are_not_scaled_but_explained(redis: Redis, redis_url: str):
    worker = SimpleWorker(["forum", "other"], connection=redis)
    worker.register_birth()
    with open_store(redis_url) as store, pytest.raises(RefusedError) as refused:
        store.run(Gate(Settings(), "ana@test").preview(Scale("forum", 3)))
    worker.register_death()
    assert '[pools.forum] with queues = ["forum", "other"], workers = 1 and command = ["rq", "worker"' in str(
        refused.value
    )
