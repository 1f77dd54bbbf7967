"""What is wrong, in words: pure findings from one picture of the fleet, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from queuectl.model import Direction, FleetState, LedgerState, QueueState, ServerState, Switch

MEMORY_WARN = 0.60
MEMORY_BAD = 0.85
"""Shares of `maxmemory`: DESIGN.md §6 overflows above the first and refuses above the second."""
STALLED_AFTER_S = 15.0
"""A queue whose oldest message is younger may simply have just begun."""
NOTICEABLE_WAIT_S = 10.0
"""A queue that holds less work than this is not called growing, whatever its momentary rates."""


class Severity(IntEnum):
    """How urgent a finding is."""

    INFO = 0
    WARN = 1
    BAD = 2


class Condition(StrEnum):
    """A queue's state in one word."""

    OK = "ok"
    IDLE = "idle"
    BUSY = "busy"
    """More work than its target wait, but it is clearing."""
    PAUSED = "paused"
    GROWING = "growing"
    STALE = "stale"
    """Its oldest message is past the policy's max age."""
    STALLED = "stalled"
    UNSERVED = "unserved"
    """Messages wait, and no worker listens."""

    @property
    def severity(self) -> Severity:
        return _SEVERITY[self]


_SEVERITY = {
    Condition.OK: Severity.INFO,
    Condition.IDLE: Severity.INFO,
    Condition.BUSY: Severity.INFO,
    Condition.PAUSED: Severity.WARN,
    Condition.GROWING: Severity.WARN,
    Condition.STALE: Severity.WARN,
    Condition.STALLED: Severity.BAD,
    Condition.UNSERVED: Severity.BAD,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an operator should know. `queue` is empty when it concerns the whole fleet."""

    severity: Severity
    text: str
    queue: str = ""


def condition(queue: QueueState) -> Condition:
    """The one word for a queue."""
    if queue.pause.value == Switch.ON:
        return Condition.PAUSED
    if queue.waiting == 0:
        return Condition.OK if queue.in_flight else Condition.IDLE
    if queue.workers + queue.stock_workers == 0:
        return Condition.UNSERVED
    if _stalled(queue):
        return Condition.STALLED
    if _growing(queue):
        return Condition.GROWING
    if queue.oldest_s is not None and queue.oldest_s > queue.policy.max_age_s:
        return Condition.STALE
    return Condition.BUSY if (_work_s(queue) or 0.0) > queue.policy.target_wait_s else Condition.OK


def diagnose(fleet: FleetState) -> tuple[Finding, ...]:
    """Everything worth saying about the picture, worst first, the server before the queues."""
    findings = [*_server(fleet.server), *_automation(fleet), *_workers(fleet)]
    for queue in fleet.queues:
        findings.extend(queue_findings(queue))
    return tuple(sorted(findings, key=lambda finding: -finding.severity))


def queue_findings(queue: QueueState) -> Iterator[Finding]:
    """What is worth saying about one queue."""
    word = condition(queue)
    text = _sentence(queue, word)
    if text:
        yield Finding(word.severity, text, queue.name)
    if queue.ledger.state is LedgerState.RESIDUE:
        yield Finding(Severity.BAD, _residue(queue.ledger.residue), queue.name)
    for name, control in (("shed", queue.shed), ("mode", queue.direction)):
        if control.overridden:
            who = f" by {control.by}" if control.by else ""
            yield Finding(Severity.INFO, f"{name} {control.value}{who}", queue.name)
        elif control.automatic and control.value in (Switch.ON, Direction.LIFO):
            yield Finding(Severity.WARN, f"{name} {control.value} by itself: {control.reason}", queue.name)
    if queue.overflow:
        yield Finding(Severity.INFO, f"{queue.overflow:,} parked in overflow until refilled", queue.name)


def _sentence(queue: QueueState, word: Condition) -> str:
    match word:
        case Condition.UNSERVED:
            return f"{queue.waiting:,} waiting and no worker listens"
        case Condition.STALLED:
            return f"stalled: {queue.waiting:,} waiting, workers are there, nothing finishes"
        case Condition.GROWING:
            growth = (queue.in_per_s or 0.0) - (queue.out_per_s or 0.0)
            return f"growing {_rate(growth)}/s, will not clear at this rate"
        case Condition.STALE:
            return "oldest message is past its max age"
        case Condition.PAUSED:
            who = f" by {queue.pause.by}" if queue.pause.by else ""
            return f"paused{who}, {queue.waiting:,} waiting"
        case _:
            return ""


def _growing(queue: QueueState) -> bool:
    """It takes in noticeably more than it gives out, and already holds work worth mentioning."""
    if queue.eta_s is None or not math.isinf(queue.eta_s):
        return False
    work_s = _work_s(queue)
    return work_s is None or work_s > NOTICEABLE_WAIT_S


def _stalled(queue: QueueState) -> bool:
    finished_nothing = queue.out_per_s is not None and queue.out_per_s < 0.01
    return finished_nothing and queue.oldest_s is not None and queue.oldest_s > STALLED_AFTER_S


def _work_s(queue: QueueState) -> float | None:
    """Seconds of work that wait; None when the speed is unknown."""
    speed = queue.service_per_s or queue.out_per_s
    return queue.waiting / speed if speed else None


def _server(server: ServerState) -> Iterator[Finding]:
    if server.suspended:
        yield Finding(Severity.BAD, "suspended (rq suspend): no worker claims anything")
    if server.eviction != "noeviction":
        yield Finding(Severity.BAD, f"maxmemory-policy is {server.eviction}: messages can be evicted; set noeviction")
    if not server.memory_max_bytes:
        return
    share = server.memory_bytes / server.memory_max_bytes
    if share >= MEMORY_WARN:
        severity = Severity.BAD if share >= MEMORY_BAD else Severity.WARN
        yield Finding(severity, f"server memory at {share:.0%} of maxmemory")


def _automation(fleet: FleetState) -> Iterator[Finding]:
    if fleet.managed and fleet.leader is None:
        yield Finding(Severity.WARN, "no daemon holds the lease: nothing is sampled, scaled or repaired")


def _workers(fleet: FleetState) -> Iterator[Finding]:
    ghosts = [worker for worker in fleet.workers if worker.ghost]
    if ghosts:
        noun = "worker has" if len(ghosts) == 1 else "workers have"
        yield Finding(
            Severity.WARN, f"{len(ghosts)} {noun} no heartbeat ({ghosts[0].name}); repair takes back what they held"
        )


def _residue(residue: int) -> str:
    return f"ledger: {residue:,} missing" if residue > 0 else f"ledger: {-residue:,} too many"


def _rate(per_s: float) -> str:
    return f"{per_s / 1000:.1f}k" if per_s >= 1000 else f"{per_s:.0f}" if per_s >= 10 else f"{per_s:.1f}"
