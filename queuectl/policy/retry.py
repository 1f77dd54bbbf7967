"""When a message that was not delivered is tried again, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay_s`."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Give up; `reason` goes with the failed job."""

    reason: str


def retry_delay_s(attempt: int, base_s: float, cap_s: float, u: float) -> float:
    """Seconds until the next attempt, after attempt number `attempt` (from 1); `u` in [0, 1) is the random part.

    Exponential back-off with equal jitter, as M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
    2015: half of min(cap, base · 2^(attempt − 1)) is kept and half is random, so that a burst of failures spreads out
    and yet no retry comes at once.
    """
    ceiling_s = min(cap_s, base_s * 2.0 ** min(max(attempt, 1) - 1, 60))
    return ceiling_s / 2 + u * ceiling_s / 2


def decide(*, attempts: int, counted: bool, age_s: float, max_age_s: float, max_attempts: int, base_s: float,
           cap_s: float, u: float) -> Retry | Fail:  # fmt: skip
    """What to do after a transient failure.

    `attempts` are the counted attempts so far, with this one if it is `counted`; `age_s` counts from the first
    enqueue. An uncounted failure (throttling, no connection) is bounded by the age alone. The last retry comes no
    later than the maximum age.
    """
    if counted and attempts >= max_attempts:
        return Fail(f"gave up after {attempts} attempts")
    if age_s >= max_age_s:
        return Fail(f"gave up at its maximum age of {max_age_s:.0f}s")
    return Retry(min(retry_delay_s(attempts, base_s, cap_s, u), max_age_s - age_s))
