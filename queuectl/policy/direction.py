"""Direction: newest first when a queue that prefers freshness could no longer deliver anything in time."""

from __future__ import annotations

from queuectl.model import Direction, Objective
from queuectl.policy.decision import ControlName, Decision, Latch, Mode, advance, transition
from queuectl.policy.pressure import Signals
from queuectl.policy.thresholds import QueueControls

OLDEST_EVERY = 5
"""Newest first leaves one claim in so many to the oldest: DirectionThresholds.oldest_share, in whole numbers."""


def direction(latch: Latch, signals: Signals, controls: QueueControls, now_s: float) -> tuple[Latch, Decision | None]:
    """On is LIFO. The trigger is infeasibility (predicted wait beyond max age), never depth or age alone."""
    limits, max_age_s = controls.lifo, controls.policy.max_age_s
    mode = _mode(controls)
    wait_s = signals.wait_s
    after = advance(latch, mode, enter=wait_s > limits.enter_age_share * max_age_s,
                    leave=wait_s < limits.leave_age_share * max_age_s, dwell=limits.dwell, now_s=now_s)  # fmt: skip
    if after.on is latch.on:
        return after, None
    bound = (f"over {limits.enter_age_share * max_age_s:g} s for {limits.enter_for_s:g} s" if after.on
             else f"under {limits.leave_age_share * max_age_s:g} s for {limits.leave_for_s:g} s")  # fmt: skip
    reason = f"predicted wait is {wait_s:.0f} s, {bound} (max age {max_age_s:g} s)"
    inputs = {"wait_s": wait_s, "max_age_s": max_age_s, "backlog": signals.backlog}
    value = Direction.LIFO if after.on else Direction.FIFO
    return after, transition(signals.queue, ControlName.DIRECTION, value, mode=mode, reason=reason, inputs=inputs)


def oldest_among(claims: int, owed: float, share: float) -> tuple[int, float]:
    """Of so many claims of a queue that is claimed newest first, those that take the oldest; exact over time.

    `owed`: the oldest's part that earlier claims have not given, returned anew. claim_jobs.lua computes the same in
    whole fifths.
    """
    due = owed + claims * share
    oldest = min(claims, max(0, int(due + 1e-9)))
    return oldest, due - oldest


def _mode(controls: QueueControls) -> Mode:
    """Automation only serves freshness; for completeness the standing direction holds."""
    if controls.direction is not Mode.AUTO or controls.objective is Objective.FRESHNESS:
        return controls.direction
    return Mode.ON if controls.policy.direction is Direction.LIFO else Mode.OFF
