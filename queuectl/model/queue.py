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


class OrderBlock(StrEnum):
    """What becomes of a message that is tried again while others of its ordering key wait for too long."""

    SUPERSEDE = "supersede"
    """It is given up: what follows says more."""
    SKIP = "skip"
    """It goes on outside its key, and may arrive after what follows."""
    KEEP = "keep"
    """It goes on blocking, until it is delivered or fails."""


class LedgerState(StrEnum):
    """Whether a queue's messages add up."""

    BALANCED = "balanced"
    RESIDUE = "residue"
    PARTIAL = "partial"
    """Fed by producers that do not count their messages with us; only part can be known."""
    UNKNOWN = "unknown"
    """Nothing was ever counted here: a queue of stock producers and stock workers."""


@dataclass(frozen=True, slots=True)
class LiveField:
    """One field of a policy that an operator changed live: who, why, when (server time, epoch seconds)."""

    field: str
    """As the settings spell it: `class`, `max_age_s`."""
    by: str = ""
    reason: str = ""
    since_s: float = 0.0
    cause: int = 0
    """Audit number of the change."""


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
    surge: bool = False
    """Automation may hold arrivals back in the surge queue while the primary tier is full of work."""
    overflow: bool = False
    """Automation may pack arrivals into overflow while surge is full of work, or memory short."""
    order_block_s: float = 900.0
    """How long a message that is tried again may keep the others of its ordering key waiting."""
    on_order_block: OrderBlock = OrderBlock.SKIP
    priority: int = 50
    """Of messages that name none, for the shed curve: 0 is shed first, 100 never."""
    live: tuple[LiveField, ...] = ()
    """What operators changed live; the rest is the settings'."""
    problems: tuple[str, ...] = ()
    """Stored fields that say nothing sensible, for which the default holds."""

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
    expired: int = 0
    """Shed, and not replayed for as long as the shed store is kept."""
    superseded: int = 0
    """Given up while they were tried again, because others of their ordering key had waited for too long."""
    moved_out: int = 0
    refused: int = 0
    """Turned away at admission, told to the producer; never part of the balance."""
    duplicates: int = 0
    unrouted: int = 0
    """Accepted by the default routes, because their events were of a kind that has none."""
    retried: int = 0
    """Retry events, for information; not part of the balance."""
    uncounted: int = 0
    """Jobs of stock producers that nobody has counted in yet: they are once a worker of ours claims them."""
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
    surging: Control = Control(Switch.OFF)
    """Whether automation lets arrivals go to the surge queue."""
    overflowing: Control = Control(Switch.OFF)
    """Whether automation lets arrivals go to overflow."""
    version: int = 0
    """Changes with every control change; actions refuse when it moved under them."""
    depth: int = 0
    in_flight: int = 0
    scheduled: int = 0
    deferred: int = 0
    blocked_keys: int = 0
    """Ordering keys whose head is tried again while others wait behind it."""
    blocked_s: float | None = None
    """How long the longest of them has been blocked."""
    failed: int = 0
    finished: int = 0
    surge: int = 0
    overflow: int = 0
    returning: int = 0
    """Of overflow: what automation packed, and brings back by itself; the rest is parked."""
    overflow_bytes: int = 0
    overflow_damaged: int = 0
    """Of overflow: in segments that cannot be read, set aside."""
    overflow_away: int = 0
    """Of overflow: on the overflow server."""
    shed_stored: int = 0
    shed_reasons: tuple[tuple[str, int], ...] = ()
    """(reason, messages) of what is in the shed store, most first."""
    shed_damaged: int = 0
    """Of the shed store: in segments that cannot be read, set aside."""
    draining: int = 0
    aside: int = 0
    """Part of the depth: set aside while the queue is paused, so that stock workers do not take it."""
    """On the way into a packed tier."""
    arriving: int = 0
    """Of draining: the newest arrivals of a queue whose overflow is in use."""
    oldest_s: float | None = None
    """Staleness: age of the oldest waiting first attempt."""
    in_per_s: float | None = None
    out_per_s: float | None = None
    service_per_s: float | None = None
    """Delivery rate while there was a backlog: what the workers can do."""
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    wait_p99_s: float | None = None
    retry_per_s: float | None = None
    """Tries a second that ended in a retry."""
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
        return self.depth + self.surge + self.returning + self.draining

    @property
    def parked(self) -> int:
        """In overflow until somebody refills it."""
        return self.overflow - self.returning

    @property
    def backlog(self) -> int:
        """Everything that waits for delivery, in whichever tier."""
        return self.depth + self.surge + self.overflow + self.draining
