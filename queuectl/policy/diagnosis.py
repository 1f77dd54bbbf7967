"""What is wrong, in words: pure findings from one picture of the fleet, worst first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import StrEnum

from queuectl.model import Direction, FleetState, LedgerState, OrderBlock, ProviderState, QueueState, Switch
from queuectl.policy.findings import Finding, Severity, rate
from queuectl.policy.fleet_findings import at_limit, fleet_findings, provider_of

STORM_PER_S, STORM_SHARE = 1.0, 0.3
"""Retries a second, and their share of all tries, from where on they are called a storm."""
STALLED_AFTER_S = 15.0
"""A queue whose oldest message is younger may simply have just begun."""
NOTICEABLE_WAIT_S = 10.0
"""A queue that holds less work than this is not called growing, whatever its momentary rates."""


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


_WAITING = frozenset({Condition.BUSY, Condition.GROWING, Condition.STALE, Condition.STALLED})


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
    findings = [*fleet_findings(fleet)]
    for queue in fleet.queues:
        findings.extend(queue_findings(queue, provider_of(fleet, queue.policy.provider)))
    return tuple(sorted(findings, key=lambda finding: -finding.severity))


def queue_findings(queue: QueueState, provider: ProviderState | None) -> Iterator[Finding]:
    """What is worth saying about one queue; `provider`: the one that delivers it, where it is known."""
    yield from _flow(queue, provider)
    if queue.ledger.state is LedgerState.RESIDUE:
        yield Finding(Severity.BAD, _residue(queue.ledger.residue), queue.name)
    yield from _controls(queue)
    for problem in queue.policy.problems:
        yield Finding(Severity.WARN, f"policy: {problem}", queue.name)
    if queue.overflow_damaged + queue.shed_damaged:
        damaged = queue.overflow_damaged + queue.shed_damaged
        yield Finding(Severity.BAD, f"{damaged:,} in damaged segments, set aside (see the log)", queue.name)
    for name, control in (("surge", queue.surging), ("overflow", queue.overflowing)):
        if control.value == Switch.ON:
            yield Finding(Severity.INFO, f"{name} on by itself: {control.reason}", queue.name)
    if queue.parked:
        yield Finding(Severity.INFO, f"{queue.parked:,} parked in overflow until refilled", queue.name)
    yield from _blocked(queue)


def _flow(queue: QueueState, provider: ProviderState | None) -> Iterator[Finding]:
    """Whether mail gets through, and what holds it back."""
    word = condition(queue)
    if text := _sentence(queue, word):
        yield Finding(word.severity, text, queue.name)
    if provider is not None and word in _WAITING and at_limit(provider):
        yield Finding(Severity.WARN, _bound(provider), queue.name)
    if _storming(queue):
        retries, through = rate(queue.retry_per_s or 0.0), rate(queue.out_per_s or 0.0)
        yield Finding(Severity.WARN, f"retry storm: {retries}/s are put off, {through}/s get through", queue.name)


def _controls(queue: QueueState) -> Iterator[Finding]:
    """What an operator or automation has set."""
    for name, control in (("shed", queue.shed), ("mode", queue.direction)):
        if control.overridden:
            who = f" by {control.by}" if control.by else ""
            yield Finding(Severity.INFO, f"{name} {control.value}{who}", queue.name)
        elif control.automatic and control.value in (Switch.ON, Direction.LIFO):
            yield Finding(Severity.WARN, f"{name} {control.value} by itself: {control.reason}", queue.name)


def _blocked(queue: QueueState) -> Iterator[Finding]:
    """Ordering keys whose head is tried again while others wait: it mends by itself unless the policy says `keep`."""
    if queue.blocked_keys:
        blocked_s, policy = queue.blocked_s or 0.0, queue.policy
        stays = policy.on_order_block is OrderBlock.KEEP and blocked_s > policy.order_block_s
        keys = "1 ordering key waits" if queue.blocked_keys == 1 else f"{queue.blocked_keys:,} ordering keys wait"
        text = f"{keys} for a message that is tried again, up to {blocked_s / 60:.0f} min"
        yield Finding(Severity.WARN if stays else Severity.INFO, text, queue.name)


def _sentence(queue: QueueState, word: Condition) -> str:
    match word:
        case Condition.UNSERVED:
            return f"{queue.waiting:,} waiting and no worker listens"
        case Condition.STALLED:
            return f"stalled: {queue.waiting:,} waiting, workers are there, nothing finishes"
        case Condition.GROWING:
            growth = (queue.in_per_s or 0.0) - (queue.out_per_s or 0.0)
            return f"growing {rate(growth)}/s, will not clear at this rate"
        case Condition.STALE:
            return "oldest message is past its max age"
        case Condition.PAUSED:
            who = f" by {queue.pause.by}" if queue.pause.by else ""
            aside = f", {queue.aside:,} of them set aside from stock workers" if queue.aside else ""
            return f"paused{who}, {queue.waiting:,} waiting{aside}"
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


def _storming(queue: QueueState) -> bool:
    """Of what is tried, a good part is put off, and tried again."""
    retries = queue.retry_per_s or 0.0
    return retries >= STORM_PER_S and retries >= STORM_SHARE * ((queue.out_per_s or 0.0) + retries)


def _bound(provider: ProviderState) -> str:
    """More workers do not help there."""
    return f"provider-bound: {provider.name} at {rate(provider.used_per_s)} of {rate(provider.allowed_per_s or 0.0)}/s"


def _work_s(queue: QueueState) -> float | None:
    """Seconds of work that wait; None when the speed is unknown."""
    speed = queue.service_per_s or queue.out_per_s
    return queue.waiting / speed if speed else None


def _residue(residue: int) -> str:
    return f"ledger: {residue:,} missing" if residue > 0 else f"ledger: {-residue:,} too many"
