"""When a message that was not delivered is tried again, when it is given up, and how many retries a queue bears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queuectl.model import RetryClass

WORK_AHEAD_S = 1.0
"""Retries fill a queue up to so many seconds of work, whatever their share: no worker idles while they wait."""
LEAST_AHEAD = 100
SAVED_S = 10.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Longest delay before the first retry, which doubles with every attempt, and its cap; seconds."""

    base_s: float
    cap_s: float


SCHEDULES: Mapping[RetryClass, Schedule] = {
    RetryClass.RECIPIENT: Schedule(300.0, 3600.0),
    RetryClass.GREYLISTED: Schedule(120.0, 1800.0),
    RetryClass.PROVIDER: Schedule(30.0, 900.0),
    RetryClass.CONNECTION: Schedule(10.0, 300.0),
    RetryClass.ACCOUNT: Schedule(60.0, 1800.0),
    RetryClass.SENDER: Schedule(300.0, 3600.0),
    RetryClass.MESSAGE: Schedule(300.0, 3600.0),
    RetryClass.AMBIGUOUS: Schedule(120.0, 1800.0),
}


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Give up; `reason` goes with the failed job."""

    reason: str


def retry_delay_s(attempt: int, schedule: Schedule, u: float) -> float:
    """Seconds until the next attempt, after attempt number `attempt` (from 1); `u` in [0, 1) is the random part.

    Exponential back-off with equal jitter, as M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
    2015: half of min(cap, base · 2^(attempt − 1)) is kept and half is random, so that a burst of failures spreads out
    and yet no retry comes at once.
    """
    ceiling_s = min(schedule.cap_s, schedule.base_s * 2.0 ** min(max(attempt, 1) - 1, 60))
    return ceiling_s / 2 + u * ceiling_s / 2


def decide(*, attempts: int, counted: bool, age_s: float, max_age_s: float, max_attempts: int, schedule: Schedule,
           u: float, least_s: float = 0.0) -> Retry | Fail:  # fmt: skip
    """What to do after a transient failure.

    `attempts` are the counted attempts so far, with this one if it is `counted`; `age_s` counts from the first
    enqueue. An uncounted failure (throttling, no connection) is bounded by the age alone. `least_s`: the provider asked
    for so much time. The last retry comes no later than the maximum age.
    """
    if counted and attempts >= max_attempts:
        return Fail(f"gave up after {attempts} attempts")
    if age_s >= max_age_s:
        return Fail(f"gave up at its maximum age of {max_age_s:.0f}s")
    delay_s = max(retry_delay_s(attempts, schedule, u), least_s * (1 + u / 4))
    return Retry(min(delay_s, max_age_s - age_s))


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """What a queue's retries have earned and not used; `at_s` is when it was last reckoned, on any clock."""

    credit: float = 0.0
    at_s: float | None = None

    def earned(self, *, service_per_s: float | None, share: float, now_s: float) -> RetryBudget:
        """Retries earn `share` of what the queue delivers; at most ten seconds of it are saved up."""
        per_s = share * (service_per_s or 0.0)
        elapsed_s = 1.0 if self.at_s is None else now_s - self.at_s
        return RetryBudget(min(self.credit + per_s * elapsed_s, max(1.0, per_s * SAVED_S)), now_s)

    def allowed(self, *, service_per_s: float | None, depth: int) -> int:
        """How many due retries may join `depth` waiting messages: the credit beside fresh mail, and as many as it takes
        to keep a queue that runs dry full."""
        ahead = max(LEAST_AHEAD, int((service_per_s or 0.0) * WORK_AHEAD_S))
        return max(int(self.credit), ahead - depth, 0)

    def spent(self, retries: int) -> RetryBudget:
        return RetryBudget(max(0.0, self.credit - retries), self.at_s)
