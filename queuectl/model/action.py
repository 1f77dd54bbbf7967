"""Everything an operator can do, one variant an action. `store.gate` carries them out, nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from queuectl.model.queue import Direction, Switch


class Target(StrEnum):
    """Where a drain puts messages; a queue's name is given apart."""

    OVERFLOW = "overflow"
    SHED = "shed"
    QUEUE = "queue"


class Tier(StrEnum):
    """A packed store that messages come back from."""

    OVERFLOW = "overflow"
    SHED = "shed"


@dataclass(frozen=True, slots=True)
class SetShed:
    """Turn shedding on or off; `value` None is `auto`: back to the policy. `for_s` None: no expiry."""

    queue: str
    value: Switch | None
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class SetDirection:
    """Claim oldest or newest first; None is `auto`."""

    queue: str
    value: Direction | None
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class SetPause:
    """Stop or resume claims from a queue."""

    queue: str
    value: Switch | None
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class SetPolicy:
    """Change fields of a queue's standing policy until they are reset: (field of [queues.NAME], its value as text, or
    None for what the settings say)."""

    queue: str
    changes: tuple[tuple[str, str | None], ...] = ()
    expect_version: int | None = None
    """Refuse when the policy's version is another one. None: whatever it is."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Move waiting messages out of the primary tier."""

    queue: str
    target: Target
    to_queue: str = ""
    older_than_s: float | None = None
    """Only messages enqueued longer ago than this; they are taken from the head. None: from the tail."""
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Refill:
    """Bring packed messages back into the primary tier, oldest first."""

    queue: str
    tier: Tier = Tier.OVERFLOW
    rate_per_s: float | None = None
    limit: int | None = None
    since_s: float | None = None
    """Only what was packed within so many seconds."""
    reason: str = ""
    """Only what was packed for this reason: max-age, pressure, operator."""


@dataclass(frozen=True, slots=True)
class StopOperation:
    """Stop a drain or refill under way; what was moved stays moved."""

    op_id: str


@dataclass(frozen=True, slots=True)
class ContinueOperation:
    """Let a stopped drain or refill go on where it was."""

    op_id: str


@dataclass(frozen=True, slots=True)
class Suppress:
    """Put addresses on the suppression list."""

    entries: tuple[tuple[bytes, str], ...]
    """(digest, reason)."""
    shown: str = ""
    """The addresses, masked, for the audit log; empty: only how many."""


@dataclass(frozen=True, slots=True)
class Unsuppress:
    """Take addresses off the suppression list."""

    digests: tuple[bytes, ...]
    shown: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Ask for `workers` processes in a pool; None is `auto`: back to the settings."""

    pool: str
    workers: int | None
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class RetryFailed:
    """Put failed jobs back; empty `job_ids` means all of the queue's, or those that `match`."""

    queue: str
    job_ids: tuple[str, ...] = ()
    match: str = ""
    """Words that all occur in a job's id, error, masked recipient or subject; `!word`: not."""
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class DeleteFailed:
    """Delete failed jobs for good; empty `job_ids` means all of the queue's, or those that `match`."""

    queue: str
    job_ids: tuple[str, ...] = ()
    match: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """Reverse the action with this audit number."""

    number: int


Action = (
    SetShed
    | SetDirection
    | SetPause
    | SetPolicy
    | Drain
    | Refill
    | StopOperation
    | ContinueOperation
    | Scale
    | RetryFailed
    | DeleteFailed
    | Suppress
    | Unsuppress
    | Undo
)
