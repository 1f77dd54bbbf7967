"""What follows a try that did not deliver: the schedule of its class, as the settings have it."""

from __future__ import annotations

from queuectl.mail.replies import Disposition, Scope
from queuectl.model import RetryClass
from queuectl.policy.retry import SCHEDULES, Fail, Retry, Schedule, decide
from queuectl.settings import DeliverySettings

GREYLISTED = "greylisted"
"""Name of the rule that knows it by its text."""
_UNEXPLAINED = (450, 451)


def next_step(disposition: Disposition, delivery: DeliverySettings, *, attempts: int, age_s: float, max_age_s: float,
              u: float) -> Retry | Fail:  # fmt: skip
    """When to try again, or why not; `attempts` counts this one if it counts, `u` in [0, 1) is the random part."""
    return decide(
        attempts=attempts,
        counted=disposition.counted,
        age_s=age_s,
        max_age_s=max_age_s,
        max_attempts=delivery.attempts,
        schedule=schedule_of(retry_class(disposition), delivery),
        u=u,
        least_s=disposition.for_s if disposition.for_s and disposition.signal is None else 0.0,
    )


def retry_class(disposition: Disposition) -> RetryClass:
    """The schedule a try belongs to. A bare 450 or 451 is greylisting more often than anything else."""
    reply = disposition.reply
    bare = reply is not None and reply.code in _UNEXPLAINED and not reply.enhanced and not disposition.rule
    if disposition.rule == GREYLISTED or (bare and disposition.counted):
        return RetryClass.GREYLISTED
    return RetryClass(disposition.scope or Scope.MESSAGE)


def schedule_of(kind: RetryClass, delivery: DeliverySettings) -> Schedule:
    default, own = SCHEDULES[kind], delivery.retries.get(kind)
    if own is None:
        return default
    base_s = own.base_s or default.base_s
    return Schedule(base_s, own.cap_s or max(default.cap_s, base_s))
