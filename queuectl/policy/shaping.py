"""What a provider's answers do to its rate: additive increase, multiplicative decrease, and a breaker for reputation.

The decrease comes at once and at most once for what was sent at the old rate; the increase needs no report, it follows
from the time since the last throttling. lib/rate.lua reads a Shape by the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

CUT = 0.5
LEAST_FACTOR = 0.01
SETTLE_S = 5.0
"""After a cut, throttling of what was sent before this has passed is still the old rate's."""
HOLD_S = 60.0
RECOVERY_STEP = 0.05
RECOVERY_S = 60.0
"""Each clean minute gives back this much of the full rate."""
STOP_S = 900.0
"""How long a provider that takes nothing for now is left alone."""
SUSPEND_S = 300.0
SUSPEND_MOST_S = 4 * 3600.0


class Signal(StrEnum):
    """What a delivery attempt says of its provider."""

    THROTTLED = "throttled"
    HOLD = "hold"
    """It takes nothing for a known time: a quota is used up."""
    REPUTATION = "reputation"
    PASSED = "passed"
    """A probe was taken."""
    UNCLEAR = "unclear"
    """A probe ended without a word on our reputation."""


class Condition(StrEnum):
    """How a provider stands."""

    OPEN = "open"
    HELD = "held"
    """Slowed down, and not yet recovering."""
    RECOVERING = "recovering"
    SUSPENDED = "suspended"
    PROBING = "probing"
    """Suspended long enough: one message at a time tries."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What has come of a provider's answers; times are server time, epoch seconds."""

    factor: float = 1.0
    """Share of the full rate since the last throttling; recovery comes on top."""
    cut_at_s: float = 0.0
    held_until_s: float = 0.0
    suspended_until_s: float = 0.0
    """0: not suspended. Past: half open."""
    suspended_for_s: float = 0.0
    probe_until_s: float = 0.0
    """A probe is under way, and given up at this time."""
    learned_per_s: float = 0.0
    """What the provider took when it first throttled: stands in for a rate where the settings give none."""
    reason: str = ""


def factor_at(shape: Shape, now_s: float) -> float:
    """The share of the full rate allowed now, `LEAST_FACTOR` to 1."""
    clean = max(0, int((now_s - shape.held_until_s) // RECOVERY_S))
    return min(1.0, shape.factor + RECOVERY_STEP * clean)


def condition_at(shape: Shape, now_s: float) -> Condition:
    if shape.suspended_until_s:
        return Condition.SUSPENDED if now_s < shape.suspended_until_s else Condition.PROBING
    if factor_at(shape, now_s) >= 1.0:
        return Condition.OPEN
    return Condition.HELD if now_s < shape.held_until_s else Condition.RECOVERING


def observe(shape: Shape, signal: Signal, now_s: float, *, sent_at_s: float, probe: bool = False,
            used_per_s: float = 0.0, for_s: float | None = None, reason: str = "") -> Shape:  # fmt: skip
    """The shape after one signal. `sent_at_s`: when the attempt began; `used_per_s`: what the provider takes now;
    `for_s`: how long the signal's effect lasts (None: the usual time)."""
    if signal is Signal.REPUTATION:
        return _suspended(shape, now_s, probe, SUSPEND_S if for_s is None else for_s, reason)
    if signal is Signal.HOLD:
        return _stopped(shape, now_s, STOP_S if for_s is None else for_s, reason)
    hold_s = HOLD_S if for_s is None else for_s
    if probe and shape.suspended_until_s:
        if signal is Signal.PASSED:
            return _reopened(shape, now_s)
        wait_s = hold_s if signal is Signal.THROTTLED else 0.0
        return replace(shape, probe_until_s=0.0, suspended_until_s=max(shape.suspended_until_s, now_s + wait_s))
    if signal is Signal.THROTTLED:
        return _cut(shape, now_s, sent_at_s, used_per_s, hold_s=hold_s, reason=reason)
    return shape


def lapsed(shape: Shape, now_s: float) -> Shape:
    """The same where nobody probes: a suspension ends with its time."""
    over = shape.suspended_until_s and now_s >= shape.suspended_until_s
    return _reopened(shape, shape.suspended_until_s) if over else shape


def _cut(shape: Shape, now_s: float, sent_at_s: float, used_per_s: float, *, hold_s: float, reason: str) -> Shape:
    held_until_s = max(now_s + hold_s, shape.held_until_s)
    held = replace(shape, factor=factor_at(shape, now_s), held_until_s=held_until_s, reason=reason)
    if sent_at_s < shape.cut_at_s + SETTLE_S:
        return held
    learned_per_s = max(1.0, used_per_s) if held.factor >= 1.0 else shape.learned_per_s
    return replace(held, factor=max(LEAST_FACTOR, held.factor * CUT), cut_at_s=now_s, learned_per_s=learned_per_s)


def _suspended(shape: Shape, now_s: float, probe: bool, first_s: float, reason: str) -> Shape:
    """A failed probe doubles the time; what else was in flight when it was suspended changes nothing."""
    if shape.suspended_until_s and not probe:
        return shape
    for_s = first_s
    if shape.suspended_until_s and shape.suspended_for_s:
        for_s = max(first_s, min(SUSPEND_MOST_S, shape.suspended_for_s * 2))
    return replace(shape, suspended_until_s=now_s + for_s, suspended_for_s=for_s, probe_until_s=0.0, reason=reason)


def _stopped(shape: Shape, now_s: float, for_s: float, reason: str) -> Shape:
    """Closed for a time that does not grow: the same quota may be used up again at the next probe."""
    until_s = max(shape.suspended_until_s, now_s + for_s)
    if shape.suspended_until_s and until_s - shape.suspended_until_s < SETTLE_S and not shape.probe_until_s:
        return shape
    return replace(shape, suspended_until_s=until_s, probe_until_s=0.0, reason=reason)


def _reopened(shape: Shape, now_s: float) -> Shape:
    """Half the rate at first: the same way back as after throttling."""
    factor = min(CUT, factor_at(shape, now_s))
    return replace(shape, suspended_until_s=0.0, suspended_for_s=0.0, probe_until_s=0.0, factor=factor,
                   cut_at_s=now_s, held_until_s=now_s + HOLD_S)  # fmt: skip
