"""Every documented metric is served, with the figures of the picture; probes tell whether the daemon can work."""

from __future__ import annotations

import asyncio
import math
import socket
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from daemon_runs import DaemonProcess

from queuectl.console import fixed
from queuectl.daemon.metrics import METRICS, READY_WITHIN_S, Kind, Observation, Scope, exposition
from queuectl.daemon.metrics_server import REQUEST_BYTES, serving
from queuectl.model import FleetState, ProviderState, QueueState, ServerState
from queuectl.record.player import Recording

PROVIDER = ProviderState("ses", "held", 1000.0, 500.0, 470.5, 0.5, connections=12)
SHED = (("max-age", 300_000), ("operator", 12))


def fleet() -> FleetState:
    """The fixed picture, with something shed from its first queue."""
    first, *others = fixed.fleet().queues
    queues = (replace(first, shed_reasons=SHED), *others)
    return replace(fixed.fleet(), queues=queues, providers=(PROVIDER,))


SEEN = Observation(fleet(), 0.5, leading=True)


def parsed(text: str) -> dict[str, dict[str, str]]:
    """Metric -> labels -> value."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            name, _, labels = series.partition("{")
            found.setdefault(name, {})[labels.rstrip("}")] = value
    return found


def test_every_metric_of_the_table_is_exposed_and_nothing_else() -> None:
    assert set(parsed(exposition(SEEN))) == {metric.name for metric in METRICS} | {"queuectl_build_info"}


def test_every_family_has_help_and_type_once() -> None:
    lines = exposition(SEEN).splitlines()
    for metric in METRICS:
        assert lines.count(f"# HELP {metric.name} {metric.help}") == 1
        assert lines.count(f"# TYPE {metric.name} {metric.kind}") == 1


def test_shed_messages_are_told_by_reason() -> None:
    queue = fleet().queues[0].name
    assert parsed(exposition(SEEN))["queuectl_shed_messages"] == {
        f'queue="{queue}",reason="{reason}"': str(number) for reason, number in SHED
    }


def test_names_follow_prometheus_conventions() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert metric.help.endswith(".")
        assert "\n" not in metric.help


def test_figures_are_those_of_the_picture() -> None:
    found = parsed(exposition(SEEN))
    assert found["queuectl_queue_depth"]['queue="forum"'] == "48112"
    assert found["queuectl_queue_backlog"]['queue="forum"'] == str(48_112 + 412_330 + 744_000)
    assert found["queuectl_queue_clears_in_seconds"]['queue="forum"'] == "+Inf"
    assert found["queuectl_queue_newest_first"] == {
        f'queue="{queue.name}"': str(int(queue.name == "forum")) for queue in fixed.fleet().queues
    }
    assert found["queuectl_pool_workers_desired"] == {'pool="critical"': "4", 'pool="bulk"': "12"}
    assert found["queuectl_provider_used_per_second"] == {'provider="ses"': "470.5"}
    assert found["queuectl_daemon_leading"] == {"": "1"}


def test_the_unknown_is_left_out_not_told_as_nought() -> None:
    found = parsed(exposition(SEEN))
    assert 'queue="legacy"' not in found["queuectl_queue_delivered_total"]
    assert 'queue="legacy"' not in found["queuectl_queue_wait_p95_seconds"]


def test_names_of_queues_are_escaped() -> None:
    fleet = FleetState(1.0, ServerState("x"), (QueueState('odd"na\\me\n', depth=7),))
    assert 'queuectl_queue_depth{queue="odd\\"na\\\\me\\n"} 7' in exposition(Observation(fleet, 0.1, leading=False))


def test_figures_too_old_to_be_true_are_not_exposed() -> None:
    old = replace(SEEN, age_s=READY_WITHIN_S + 1)
    found = parsed(exposition(old))
    assert found["queuectl_daemon_ready"] == {"": "0"}
    assert not any(name.startswith("queuectl_queue_") for name in found)
    assert math.isclose(float(found["queuectl_daemon_leading"][""]), 1)


async def fetch(address: tuple[str, int], request: bytes) -> tuple[str, str]:
    """Status line and body."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.decode().partition("\r\n\r\n")
    return head.split("\r\n")[0], body


@pytest.mark.parametrize(("target", "age_s", "status"), [
    ("/metrics", 1.0, "200 OK"), ("/healthz", 99.0, "200 OK"), ("/readyz", 1.0, "200 OK"),
    ("/readyz", 99.0, "503 Service Unavailable"), ("/metrics?x=1", 1.0, "200 OK"), ("/", 1.0, "404 Not Found"),
])  # fmt: skip
async def test_pages(target: str, age_s: float, status: str) -> None:
    async with serving("0", lambda: replace(SEEN, age_s=age_s)) as address:
        assert address
        assert address[0] == "127.0.0.1"
        line, body = await fetch(address, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert line == f"HTTP/1.1 {status}"
    assert body


@pytest.mark.parametrize(("request_bytes", "status"), [
    (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed"),
    (b"\xff\xfe nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    (b"GET / HTTP/1.1\r\n" + b"x" * 3 * REQUEST_BYTES, ""),
])  # fmt: skip
async def test_bad_requests_end_cleanly(request_bytes: bytes, status: str) -> None:
    async with serving("127.0.0.1:0", lambda: SEEN) as address:
        assert address
        try:
            line, _ = await fetch(address, request_bytes)
        except ConnectionResetError:
            line = ""
        assert line == status
        assert (await fetch(address, b"GET /healthz HTTP/1.0\r\n\r\n"))[1] == "alive\n"


async def test_head_has_no_body() -> None:
    async with serving("0", lambda: SEEN) as address:
        assert address
        assert (await fetch(address, b"HEAD /metrics HTTP/1.1\r\n\r\n"))[1] == ""


async def test_a_port_that_is_taken_is_told_and_left(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with serving(f"127.0.0.1:{taken.getsockname()[1]}", lambda: SEEN) as address:
            assert address is None
    assert "cannot be served" in caplog.text


async def test_off_by_default() -> None:
    async with serving("", lambda: SEEN) as address:
        assert address is None


def test_a_daemon_serves_and_records_as_its_settings_say(
    start_daemon: Callable[..., DaemonProcess], tmp_path: Path
) -> None:
    folder = tmp_path / "records"
    served: dict[str, Any] = {"metrics": "127.0.0.1:0", "record_dir": str(folder)}
    daemon = start_daemon({"queues": {"forum": {}}, "daemon": served}, child=True)
    while "metrics on http://" not in daemon.log or not list(folder.glob("*.qrec")):
        assert daemon.process.poll() is None, daemon.log
        time.sleep(0.01)
    base = daemon.log.partition("metrics on ")[2].split()[0].removesuffix("/metrics")
    with urllib.request.urlopen(f"{base}/readyz") as answer:
        assert answer.read() == b"ready, leading\n"
    with urllib.request.urlopen(f"{base}/metrics") as answer:
        assert parsed(answer.read().decode())["queuectl_queue_depth"] == {'queue="forum"': "0"}
    with pytest.raises(HTTPError):
        urllib.request.urlopen(f"{base}/nothing").close()
    assert daemon.stop() == 0
    with Recording(next(folder.glob("*.qrec"))) as recording:
        fleet = recording.frame_at(recording.end_s)
    assert [queue.name for queue in fleet.queues] == ["forum"]
    assert recording.note == ""


def test_scopes_label_what_they_name() -> None:
    for scope in (Scope.QUEUE, Scope.POOL, Scope.PROVIDER):
        assert {metric.name.split("_")[1] for metric in METRICS if metric.scope is scope} == {scope.value}
