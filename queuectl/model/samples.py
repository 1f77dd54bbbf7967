"""What a look into a queue's jobs found: a sample of those that wait, and why others failed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WaitingSample:
    """One waiting job."""

    age_s: float
    domain: str
    """The recipient's, lower case; empty where the job is no mail of ours or too large to look into."""


@dataclass(frozen=True, slots=True)
class QueueSamples:
    """Waiting jobs taken evenly over the queue, and reasons of the newest failed and scheduled ones."""

    waiting: tuple[WaitingSample, ...] = ()
    depth: int = 0
    """How many wait: more than were sampled means that counts are estimates."""
    reasons: tuple[str, ...] = ()
    """One a job, addresses masked; jobs that gave none are left out."""
    troubled: int = 0
    """Failed and scheduled jobs together."""
    troubled_read: int = 0
    """How many of them were looked at."""
