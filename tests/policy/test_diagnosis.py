"""What is wrong, in words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from queuectl.model import (
    Control,
    FleetState,
    Ledger,
    LedgerState,
    OrderBlock,
    Policy,
    PoolState,
    QueueState,
    ServerState,
    Switch,
    WorkerState,
)
from queuectl.policy.diagnosis import Condition, condition, diagnose, queue_findings
from queuectl.policy.findings import Finding, Severity

SERVER = ServerState("redis://db")


def queue(**facts: Any) -> QueueState:
    """A healthy queue with some work, changed."""
    healthy = QueueState(
        "forum",
        Policy(target_wait_s=60, max_age_s=3600),
        depth=100,
        in_flight=10,
        oldest_s=2.0,
        in_per_s=50.0,
        out_per_s=50.0,
        service_per_s=60.0,
        eta_s=5.0,
        workers=2,
        slots=100,
    )
    return replace(healthy, **facts)


def fleet(*queues: QueueState, **facts: Any) -> FleetState:
    return replace(FleetState(1000.0, SERVER, queues, leader="h:1", managed=True), **facts)


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({}, Condition.OK),
        ({"depth": 0, "in_flight": 0}, Condition.IDLE),
        ({"depth": 0}, Condition.OK),
        ({"depth": 6_000, "eta_s": 600.0}, Condition.BUSY),
        ({"depth": 6_000, "in_per_s": 90.0, "eta_s": math.inf}, Condition.GROWING),
        ({"depth": 100, "in_per_s": 51.0, "eta_s": math.inf}, Condition.OK),
        (
            {"depth": 100, "in_per_s": 51.0, "eta_s": math.inf, "service_per_s": None, "out_per_s": None},
            Condition.GROWING,
        ),
        ({"oldest_s": 3_601.0}, Condition.STALE),
        ({"out_per_s": 0.0, "oldest_s": 16.0}, Condition.STALLED),
        ({"out_per_s": 0.0, "oldest_s": 3.0}, Condition.OK),
        ({"out_per_s": None, "oldest_s": 16.0}, Condition.OK),
        ({"workers": 0}, Condition.UNSERVED),
        ({"workers": 0, "depth": 0, "surge": 5}, Condition.UNSERVED),
        ({"workers": 0, "stock_workers": 1}, Condition.OK),
        ({"workers": 0, "depth": 0, "in_flight": 0}, Condition.IDLE),
        ({"pause": Control(Switch.ON, True)}, Condition.PAUSED),
        ({"pause": Control(Switch.ON, True), "workers": 0}, Condition.PAUSED),
    ],
)
def test_condition(facts: dict[str, Any], word: Condition) -> None:
    assert condition(queue(**facts)) is word


@pytest.mark.parametrize(
    ("facts", "text", "severity"),
    [
        (
            {"depth": 6_000, "in_per_s": 4_450.0, "eta_s": math.inf},
            "growing 4.4k/s, will not clear at this rate",
            Severity.WARN,
        ),
        (
            {"depth": 900, "in_per_s": 56.2, "eta_s": math.inf},
            "growing 6.2/s, will not clear at this rate",
            Severity.WARN,
        ),
        (
            {"out_per_s": 0.0, "oldest_s": 99.0},
            "stalled: 100 waiting, workers are there, nothing finishes",
            Severity.BAD,
        ),
        ({"workers": 0, "depth": 4_000}, "4,000 waiting and no worker listens", Severity.BAD),
        ({"oldest_s": 9_999.0}, "oldest message is past its max age", Severity.WARN),
        ({"pause": Control(Switch.ON, True, by="ana")}, "paused by ana, 100 waiting", Severity.WARN),
        (
            {"pause": Control(Switch.ON, True, by="ana"), "aside": 90},
            "paused by ana, 100 waiting, 90 of them set aside from stock workers",
            Severity.WARN,
        ),
        ({"ledger": Ledger(residue=12, state=LedgerState.RESIDUE)}, "ledger: 12 missing", Severity.BAD),
        ({"ledger": Ledger(residue=-12, state=LedgerState.RESIDUE)}, "ledger: 12 too many", Severity.BAD),
        ({"shed": Control(Switch.ON, True, by="ana")}, "shed on by ana", Severity.INFO),
        ({"direction": Control("lifo", True)}, "mode lifo", Severity.INFO),
        (
            {"shed": Control(Switch.ON, by="auto", reason="pressure 0.93")},
            "shed on by itself: pressure 0.93",
            Severity.WARN,
        ),
    ],
)
def test_findings_on_a_queue(facts: dict[str, Any], text: str, severity: Severity) -> None:
    assert list(queue_findings(queue(**facts), None)) == [Finding(severity, text, "forum")]


def test_nothing_is_said_of_a_healthy_fleet() -> None:
    assert diagnose(fleet(queue(), queue(name="b", depth=6_000, eta_s=600.0))) == ()
    assert diagnose(FleetState(1.0, SERVER)) == ()


@pytest.mark.parametrize(
    ("server", "text", "severity"),
    [
        ({"suspended": True}, "suspended (rq suspend): no worker claims anything", Severity.BAD),
        ({"eviction": "allkeys-lru"}, "maxmemory-policy is allkeys-lru: messages can be evicted", Severity.BAD),
        ({"memory_bytes": 86, "memory_max_bytes": 100}, "server memory at 86% of maxmemory", Severity.BAD),
        ({"memory_bytes": 60, "memory_max_bytes": 100}, "server memory at 60% of maxmemory", Severity.WARN),
    ],
)
def test_findings_on_the_server(server: dict[str, Any], text: str, severity: Severity) -> None:
    (finding,) = diagnose(fleet(queue(), server=replace(SERVER, **server)))
    assert finding.text.startswith(text)
    assert (finding.severity, finding.queue) == (severity, "")


def test_hosts_that_cannot_hold_what_pools_ask_for() -> None:
    pools = tuple(PoolState(name, ("forum",), desired=6, actual=4) for name in ("a", "b"))
    (finding,) = diagnose(fleet(queue(), pools=pools, capacity=8))
    assert finding.text.startswith("host-bound: pools ask for 12 workers, the hosts hold 8")
    assert diagnose(fleet(queue(), pools=pools, capacity=12)) == ()
    assert diagnose(fleet(queue(), pools=pools, capacity=None)) == ()


def test_memory_without_a_limit_is_no_finding() -> None:
    assert diagnose(fleet(server=replace(SERVER, memory_bytes=10**12))) == ()


def test_ghosts_and_a_missing_daemon() -> None:
    ghosts = tuple(WorkerState(f"w{number}", "h", 1, ("forum",), "busy", ghost=True) for number in range(2))
    texts = [finding.text for finding in diagnose(fleet(workers=ghosts, leader=None))]
    assert texts == [
        "no daemon holds the lease: nothing is sampled, scaled or repaired",
        "2 workers have no heartbeat (w0); repair takes back what they held",
    ]


def test_the_worst_comes_first_and_the_server_before_the_queues() -> None:
    bad, warn = queue(name="bad", workers=0), queue(name="warn", oldest_s=9_999.0)
    info = queue(name="info", shed=Control(Switch.ON, True))
    found = diagnose(fleet(info, warn, bad, server=replace(SERVER, suspended=True)))
    assert [finding.queue for finding in found] == ["", "bad", "warn", "info"]


def test_what_is_parked_in_overflow_is_said() -> None:
    findings = list(queue_findings(queue(depth=0, overflow=5), None))
    assert [finding.text for finding in findings] == ["5 parked in overflow until refilled"]
    assert condition(queue(depth=0, in_flight=0, overflow=5)) is Condition.IDLE


@pytest.mark.parametrize(
    ("how", "blocked_s", "severity"),
    [
        (OrderBlock.SKIP, 1200.0, Severity.INFO),
        (OrderBlock.KEEP, 600.0, Severity.INFO),
        (OrderBlock.KEEP, 1200.0, Severity.WARN),
    ],
)
def test_a_blocked_ordering_key(how: OrderBlock, blocked_s: float, severity: Severity) -> None:
    (finding,) = queue_findings(queue(policy=Policy(on_order_block=how), blocked_keys=2, blocked_s=blocked_s), None)
    text = f"2 ordering keys wait for a message that is tried again, up to {blocked_s / 60:.0f} min"
    assert finding == Finding(severity, text, "forum")
