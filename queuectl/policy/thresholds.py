"""Every threshold of automation, with its default. Shares are 0 to 1; `work` is messages over the service rate."""

from __future__ import annotations

from dataclasses import dataclass, field

from queuectl.model import Objective, Policy
from queuectl.policy.decision import Dwell, Mode


@dataclass(frozen=True, slots=True)
class TierThresholds:
    """When arrivals go to the surge queue and to overflow, and how fast they come back."""

    surge_enter_work_s: float = 5.0
    surge_enter_for_s: float = 10.0
    surge_leave_work_s: float = 2.0
    surge_least_s: float = 10.0
    overflow_enter_work_s: float = 600.0
    overflow_enter_memory_share: float = 0.60
    overflow_leave_work_s: float = 120.0
    overflow_leave_memory_share: float = 0.50
    overflow_least_s: float = 30.0
    overflow_return_work_s: float = 30.0
    """What is packed comes back while surge holds less work than this."""
    refill_service_share: float = 0.9
    refill_least_share: float = 0.05
    refill_most_share: float = 0.5
    refill_blind_per_s: float = 10.0
    """Refill while the service rate is unknown: enough to find it out."""

    @property
    def surge_dwell(self) -> Dwell:
        return Dwell(enter_for_s=self.surge_enter_for_s, least_s=self.surge_least_s)

    @property
    def overflow_dwell(self) -> Dwell:
        return Dwell(least_s=self.overflow_least_s)

    @property
    def refill_mark_s(self) -> float:
        """Seconds of work that refill keeps in the primary of a FIFO queue: between the marks of surge."""
        return (self.surge_leave_work_s + self.surge_enter_work_s) / 2


@dataclass(frozen=True, slots=True)
class ShedThresholds:
    """When a queue sheds; the curve runs from `enter_pressure` to 1."""

    enter_pressure: float = 0.8
    enter_for_s: float = 15.0
    leave_pressure: float = 0.6
    leave_for_s: float = 60.0
    least_s: float = 15.0

    @property
    def dwell(self) -> Dwell:
        return Dwell(self.enter_for_s, self.leave_for_s, self.least_s)


@dataclass(frozen=True, slots=True)
class WallThresholds:
    """When producers are refused. Protected queues may use `protected_reserve_share` of the memory more."""

    enter_memory_share: float = 0.85
    leave_memory_share: float = 0.80
    protected_reserve_share: float = 0.10
    overflow_leave_share: float = 0.90
    """Overflow is full at 1.0 of its limit, and has room again below this."""
    least_s: float = 5.0

    @property
    def dwell(self) -> Dwell:
        return Dwell(least_s=self.least_s)


@dataclass(frozen=True, slots=True)
class DirectionThresholds:
    """When a queue that prefers freshness is claimed newest first; shares are of its max age."""

    enter_age_share: float = 1.0
    enter_for_s: float = 60.0
    leave_age_share: float = 0.5
    leave_for_s: float = 60.0
    least_s: float = 60.0
    oldest_share: float = 0.2
    """Part of the claims that stays oldest first while newest goes first."""

    @property
    def dwell(self) -> Dwell:
        return Dwell(self.enter_for_s, self.leave_for_s, self.least_s)


@dataclass(frozen=True, slots=True)
class ScalingThresholds:
    """How a pool grows at once and shrinks with care."""

    headroom_factor: float = 2.0
    """K = a + factor · sqrt(a) slots for an offered load of a."""
    clear_within_s: float = 600.0
    """Drain objective: a backlog shall be gone after this."""
    least_workers: int = 1
    up_factor: float = 2.0
    up_window_s: float = 30.0
    settle_s: float = 300.0
    """Shrink only to the greatest recommendation of this time."""
    down_share: float = 0.2
    down_window_s: float = 60.0
    bound_enter_share: float = 0.30
    """Token wait over busy time above which the provider, not the pool, is the limit."""
    bound_enter_for_s: float = 10.0
    bound_leave_share: float = 0.20
    bound_leave_for_s: float = 30.0
    bound_least_s: float = 30.0

    @property
    def bound_dwell(self) -> Dwell:
        return Dwell(self.bound_enter_for_s, self.bound_leave_for_s, self.bound_least_s)


@dataclass(frozen=True, slots=True)
class QueueControls:
    """A queue's policy, who moves each of its controls, and the thresholds of each."""

    policy: Policy = field(default_factory=Policy)
    objective: Objective = Objective.COMPLETENESS
    surge: Mode = Mode.AUTO
    overflow: Mode = Mode.AUTO
    refuse: Mode = Mode.AUTO
    shed: Mode = Mode.AUTO
    direction: Mode = Mode.AUTO
    """off is FIFO, on is LIFO."""
    tiers: TierThresholds = TierThresholds()
    shedding: ShedThresholds = ShedThresholds()
    wall: WallThresholds = WallThresholds()
    lifo: DirectionThresholds = DirectionThresholds()
