"""What automation decided and why, and the two-state machine with hysteresis that every control but scaling shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Mode(StrEnum):
    """Who moves a control: fixed off, fixed on, or automation."""

    OFF = "off"
    ON = "on"
    AUTO = "auto"


class ControlName(StrEnum):
    """Everything that automation steers. Scaling belongs to a pool, the others to a queue."""

    SURGE = "surge"
    OVERFLOW = "overflow"
    REFUSE = "refuse"
    SHED = "shed"
    DIRECTION = "direction"
    SCALE = "scale"


@dataclass(frozen=True, slots=True)
class Decision:
    """One transition. `scope` is a queue's or a pool's name; `reason` is the console's "why"; `inputs` are the numbers
    it rests on, by name with unit, all finite."""

    scope: str
    action: ControlName
    value: str
    """on, off, fifo, lifo, or a number of workers."""
    reason: str
    inputs: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dwell:
    """How long a condition must hold without a break before it moves a control, and how long a state lasts at least."""

    enter_for_s: float = 0.0
    leave_for_s: float = 0.0
    least_s: float = 0.0
    """Between any two automatic transitions."""


@dataclass(frozen=True, slots=True)
class Latch:
    """A two-state control. Times are server time, seconds; `met_since_s`: since when the condition to change holds."""

    on: bool = False
    since_s: float = -math.inf
    met_since_s: float | None = None

    @property
    def word(self) -> str:
        return "on" if self.on else "off"

    def rested(self) -> Latch:
        """The same state with the condition's clock at zero: what an overridden control keeps."""
        return self if self.met_since_s is None else replace(self, met_since_s=None)


def advance(latch: Latch, mode: Mode, *, enter: bool, leave: bool, dwell: Dwell, now_s: float) -> Latch:
    """One step. `enter` counts while the latch is off, `leave` while it is on; a fixed mode moves at once."""
    if mode is not Mode.AUTO:
        wanted = mode is Mode.ON
        return latch.rested() if latch.on is wanted else Latch(wanted, now_s)
    if not (leave if latch.on else enter):
        return latch.rested()
    met_since_s = now_s if latch.met_since_s is None else min(latch.met_since_s, now_s)
    for_s = dwell.leave_for_s if latch.on else dwell.enter_for_s
    if now_s - met_since_s >= for_s and now_s - latch.since_s >= dwell.least_s:
        return Latch(not latch.on, now_s)
    return replace(latch, met_since_s=met_since_s)


def transition(
    scope: str, action: ControlName, value: str, *, mode: Mode, reason: str, inputs: Mapping[str, float]
) -> Decision:
    """The decision of a control that has just moved. Unknown (nan) inputs are left out; a fixed mode is the reason."""
    known = {name: float(number) for name, number in inputs.items() if math.isfinite(number)}
    return Decision(scope, action, value, reason if mode is Mode.AUTO else f"the policy says {mode}", known)
