"""What is known of the whole deployment at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from queuectl.model.audit import AuditEntry
from queuectl.model.queue import QueueState


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker process, ours or a stock `rq worker`."""

    name: str
    host: str
    pid: int
    queues: tuple[str, ...]
    state: str
    pool: str = ""
    slots: int = 1
    busy: int = 0
    delivered: int = 0
    failed: int = 0
    heartbeat_age_s: float = 0.0
    age_s: float = 0.0
    current_job: str = ""
    stock: bool = False
    ghost: bool = False
    """Registered, but its heartbeat is overdue."""
    ahead_s: float = 0.0
    """How far in the future its last heartbeat lies: its host's clock is wrong by at least as much."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """Workers that serve the same queues. `desired` None: nobody manages it (stock workers)."""

    name: str
    queues: tuple[str, ...]
    desired: int | None
    actual: int
    slots: int = 0
    busy: int = 0
    concurrency: int = 1
    """Slots a worker of this pool is started with."""
    by: str = ""
    reason: str = ""
    until_s: float | None = None
    configured: int = 0
    """Workers the settings ask for, or automation where it scales the pool; what `auto` goes back to."""
    scaling: tuple[int, int] | None = None
    """Least and most workers that automation may ask for; None: it leaves the pool alone."""


@dataclass(frozen=True, slots=True)
class ProviderState:
    """A provider's limits as all workers share them. Rates are messages a second; None is no limit."""

    name: str
    condition: str = "open"
    """open, held (slowed down), recovering, suspended (refuses us for our reputation), probing (tried again)."""
    rate_per_s: float | None = None
    allowed_per_s: float | None = None
    """The rate with the adaptive factor in it."""
    used_per_s: float = 0.0
    """Messages claimed for it, averaged over some ten seconds."""
    factor: float = 1.0
    until_s: float | None = None
    """Until when it is held or suspended, server time, epoch seconds."""
    reason: str = ""
    """What the provider said that slowed or stopped us."""
    connections: int = 0
    """Open over all workers."""
    max_connections: int | None = None
    fallback: str = ""
    dry_run: bool = False
    """Condition, reason and until when tell what would have been done: nothing is slowed."""
    today: int = 0
    """Messages on this day of its warm-up (UTC)."""
    today_most: int | None = None
    """Most messages today; None: no warm-up, or it is over."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """The Redis or Valkey server itself."""

    address: str
    product: str = "redis"
    version: str = ""
    memory_bytes: int = 0
    memory_max_bytes: int = 0
    """0: no `maxmemory` set."""
    eviction: str = "noeviction"
    suspended: bool = False
    """`rq suspend` is in force: no worker claims anything."""
    run_id: str = ""
    """Identity of the server process."""
    round_trip_s: float | None = None
    """How long pictures take of late, as the reader's process measured; None: nobody did."""
    clock_ahead_s: float | None = None
    """How far that process's clock is ahead of the server's."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """One consistent picture, as the reader took it in one round trip."""

    taken_at_s: float
    """Server time, epoch seconds."""
    server: ServerState
    queues: tuple[QueueState, ...] = ()
    workers: tuple[WorkerState, ...] = ()
    pools: tuple[PoolState, ...] = ()
    providers: tuple[ProviderState, ...] = ()
    hosts: tuple[str, ...] = ()
    """Hosts whose daemon's heartbeat is fresh."""
    capacity: int | None = None
    """Worker processes that these hosts hold together; None: no daemon starts any."""
    leader: str | None = None
    """Host (and pid) of the daemon that holds the lease; None: nobody automates."""
    published: bool = True
    """The leader publishes samples; False: it has not for some seconds."""
    managed: bool = False
    """The server holds queuectl state; False on a deployment we only observe."""
    events: tuple[AuditEntry, ...] = field(default=())
    """Newest first."""

    def queue(self, name: str) -> QueueState | None:
        return next((queue for queue in self.queues if queue.name == name), None)

    def pool(self, name: str) -> PoolState | None:
        return next((pool for pool in self.pools if pool.name == name), None)
