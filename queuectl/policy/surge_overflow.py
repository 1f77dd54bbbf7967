"""Tiers: when arrivals leave the primary queue for surge and for overflow, and how fast they come back."""

from __future__ import annotations

import math
from dataclasses import dataclass

from queuectl.policy.decision import ControlName, Decision, Latch, advance, transition
from queuectl.policy.pressure import Signals
from queuectl.policy.thresholds import QueueControls, TierThresholds


def surge(latch: Latch, signals: Signals, controls: QueueControls, now_s: float) -> tuple[Latch, Decision | None]:
    """On while the primary holds more work than it needs to keep its workers busy."""
    limits = controls.tiers
    work_s = signals.work_s(signals.depth)
    after = advance(latch, controls.surge, enter=work_s > limits.surge_enter_work_s,
                    leave=work_s < limits.surge_leave_work_s, dwell=limits.surge_dwell, now_s=now_s)  # fmt: skip
    if after.on is latch.on:
        return after, None
    bound = (f"over {limits.surge_enter_work_s:g} s for {limits.surge_enter_for_s:g} s" if after.on
             else f"under {limits.surge_leave_work_s:g} s")  # fmt: skip
    inputs = {"depth": signals.depth, "work_s": work_s, "service_per_s": signals.service_per_s or math.nan}
    return after, transition(signals.queue, ControlName.SURGE, after.word, mode=controls.surge,
                             reason=f"primary holds {work_s:.1f} s of work, {bound}", inputs=inputs)  # fmt: skip


def overflow(latch: Latch, signals: Signals, controls: QueueControls, now_s: float) -> tuple[Latch, Decision | None]:
    """On while surge holds more than minutes of work, or memory is short."""
    limits = controls.tiers
    work_s, memory = signals.work_s(signals.surge), signals.memory_share
    after = advance(
        latch,
        controls.overflow,
        # Short memory packs what waits in surge; a queue without one has nothing worth packing.
        enter=work_s > limits.overflow_enter_work_s
        or (signals.surge > 0 and memory > limits.overflow_enter_memory_share),
        leave=work_s < limits.overflow_leave_work_s and memory < limits.overflow_leave_memory_share,
        dwell=limits.overflow_dwell,
        now_s=now_s,
    )
    if after.on is latch.on:
        return after, None
    reason = _overflow_reason(work_s, memory, limits, entered=after.on)
    inputs = {"surge": signals.surge, "work_s": work_s, "memory_share": memory}
    return after, transition(
        signals.queue, ControlName.OVERFLOW, after.word, mode=controls.overflow, reason=reason, inputs=inputs
    )


def _overflow_reason(work_s: float, memory: float, limits: TierThresholds, *, entered: bool) -> str:
    if not entered:
        return (f"surge holds {work_s:.0f} s of work, under {limits.overflow_leave_work_s:g} s, and memory is at "
                f"{memory:.0%}, under {limits.overflow_leave_memory_share:.0%}")  # fmt: skip
    if memory > limits.overflow_enter_memory_share:
        return f"memory is at {memory:.0%}, over {limits.overflow_enter_memory_share:.0%}"
    return f"surge holds {work_s:.0f} s of work, over {limits.overflow_enter_work_s:g} s"


@dataclass(frozen=True, slots=True)
class Marks:
    """How many messages the tiers of a queue shall hold."""

    primary_most: int
    """Beyond this it is swept, or trimmed."""
    refill_most: int
    """Refill fills it no further than this where arrivals enter it too."""
    surge_least: int
    """With fewer, overflow comes back."""
    surge_most: int | None
    """What it has beyond is packed; None: nothing is."""


def marks(signals: Signals, limits: TierThresholds, *, overflowing: bool = False) -> Marks:
    """The thresholds as counts. Unknown service: a second of blind refill stands for a second of work."""
    service = signals.service_per_s or limits.refill_blind_per_s
    short = signals.memory_share > limits.overflow_enter_memory_share
    most_s = limits.overflow_leave_work_s if short else limits.overflow_enter_work_s
    return Marks(
        primary_most=math.ceil(limits.surge_enter_work_s * service),
        refill_most=math.ceil(limits.refill_mark_s * service),
        surge_least=math.ceil(limits.overflow_return_work_s * service),
        surge_most=math.ceil(most_s * service) if overflowing else None,
    )


def arrivals_to(*, surging: bool, overflowing: bool, surge: int = 0, packed: int = 0) -> str:
    """Where the arrivals of a FIFO queue go: overflow, surge, or '' for the primary: the last tier that automation has
    opened or that holds something, since what is packed has to be back before those that came after it."""
    if overflowing or packed:
        return "overflow"
    return "surge" if surging or surge else ""


def refill_per_s(signals: Signals, limits: TierThresholds) -> float:
    """Messages a second that may come back from surge and overflow.

    Where arrivals enter the primary too (LIFO), refill takes what they leave of 90 % of the service rate, between 5 %
    and 50 % of it. Where arrivals go to the last non-empty tier (FIFO), refill is all that the workers get: it holds
    the primary at a few seconds of work, since half the service rate would idle half the workers.
    """
    service = signals.service_per_s
    if not service:
        return limits.refill_blind_per_s
    if not signals.diverted:
        spare = limits.refill_service_share * service - signals.arrivals_per_s
        return min(max(spare, limits.refill_least_share * service), limits.refill_most_share * service)
    missing_share = 1.0 - signals.work_s(signals.depth) / limits.refill_mark_s
    return service * max(1.0 + missing_share, limits.refill_least_share)
