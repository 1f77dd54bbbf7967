"""What is known of a queue at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

AUTOMATION = "auto"
"""Who decided, where no operator did; and the setting that lets it."""


class QueueClass(StrEnum):
    """How dear a kind of mail is; `PROTECTED` queues are never shed by automation."""

    PROTECTED = "protected"
    NORMAL = "normal"
    BULK = "bulk"


class Direction(StrEnum):
    """Which end of a queue is claimed first."""

    FIFO = "fifo"
    LIFO = "lifo"


class Switch(StrEnum):
    """A control that is on or off."""

    OFF = "off"
    ON = "on"


class Objective(StrEnum):
    """What a queue prefers when it cannot have both: every message, or fresh ones."""

    COMPLETENESS = "completeness"
    FRESHNESS = "freshness"


class LedgerState(StrEnum):
    """Whether a queue's messages add up."""

    BALANCED = "balanced"
    RESIDUE = "residue"
    PARTIAL = "partial"
    """Fed by producers that do not count their messages with us; only part can be known."""
    UNKNOWN = "unknown"
    """Nothing was ever counted here: a queue of stock producers and stock workers."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The standing policy of one queue; ages and waits in seconds, `cap` in waiting messages."""

    queue_class: QueueClass = QueueClass.NORMAL
    max_age_s: float = 4 * 3600.0
    target_wait_s: float = 60.0
    cap: int = 1_000_000
    """High watermark: with shedding on, admission refuses messages while this many wait."""
    direction: Direction = Direction.FIFO
    shed: Switch = Switch.OFF
    provider: str = "default"
    version: int = 0
    objective: Objective = Objective.COMPLETENESS
    shed_auto: bool = False
    """Automation moves shedding; `shed` is what holds until it has decided."""
    direction_auto: bool = False

    @property
    def protected(self) -> bool:
        return self.queue_class is QueueClass.PROTECTED


@dataclass(frozen=True, slots=True)
class Control:
    """One control's effective value and who set it; `until_s` (server time, epoch seconds) None: no expiry."""

    value: str
    overridden: bool = False
    until_s: float | None = None
    since_s: float | None = None
    by: str = ""
    reason: str = ""
    cause: int = 0
    """Audit number of the action that set it; 0 when it is the policy's value."""

    @property
    def automatic(self) -> bool:
        """Automation decided it, as the policy allows; `reason` says why."""
        return self.by == AUTOMATION and not self.overridden


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where a queue's counted messages are: counters of what left for good, and lengths of every living place."""

    accepted: int = 0
    adopted: int = 0
    """Messages of stock producers that our workers claimed, counted in at that moment."""
    moved_in: int = 0
    delivered: int = 0
    deleted: int = 0
    vanished: int = 0
    """Ids whose record was gone when they were claimed (RQ's `ttl`, or deleted by another tool)."""
    moved_out: int = 0
    refused: int = 0
    """Turned away at admission, told to the producer; never part of the balance."""
    duplicates: int = 0
    retried: int = 0
    """Retry events, for information; not part of the balance."""
    residue: int = 0
    """Counted in, minus counted out, minus living. Positive: messages are missing; negative: too many."""
    state: LedgerState = LedgerState.UNKNOWN


@dataclass(frozen=True, slots=True)
class QueueState:
    """One queue as the console shows it. Rates are messages a second; None is unknown."""

    name: str
    policy: Policy = field(default_factory=Policy)
    direction: Control = Control(Direction.FIFO)
    shed: Control = Control(Switch.OFF)
    pause: Control = Control(Switch.OFF)
    version: int = 0
    """Changes with every control change; actions refuse when it moved under them."""
    depth: int = 0
    in_flight: int = 0
    scheduled: int = 0
    deferred: int = 0
    failed: int = 0
    finished: int = 0
    surge: int = 0
    overflow: int = 0
    overflow_bytes: int = 0
    shed_stored: int = 0
    draining: int = 0
    oldest_s: float | None = None
    """Staleness: age of the oldest waiting first attempt."""
    in_per_s: float | None = None
    out_per_s: float | None = None
    service_per_s: float | None = None
    """Delivery rate while there was a backlog: what the workers can do."""
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    eta_s: float | None = None
    """Seconds until the backlog clears at these rates; `inf` when it grows."""
    workers: int = 0
    slots: int = 0
    busy: int = 0
    stock_workers: int = 0
    assisted: bool = False
    """Producers or workers that know nothing of queuectl: rates are estimates, steering is done for them."""
    ledger: Ledger = field(default_factory=Ledger)
    depth_history: tuple[int, ...] = ()

    @property
    def utilisation(self) -> float | None:
        """Busy slots / slots, 0 to 1."""
        return self.busy / self.slots if self.slots else None

    @property
    def waiting(self) -> int:
        """What workers will come to by themselves: not what is parked in overflow until somebody refills it."""
        return self.depth + self.surge + self.draining

    @property
    def backlog(self) -> int:
        """Everything that waits for delivery, in whichever tier."""
        return self.depth + self.surge + self.overflow + self.draining
