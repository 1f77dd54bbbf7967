"""What is wrong with the whole: the server, the clocks, the daemons, the workers, the providers. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from queuectl.model import AUTOMATION, FleetState, PoolState, ProviderState, ServerState
from queuectl.policy.findings import Finding, Severity, rate

MEMORY_WARN = 0.60
MEMORY_BAD = 0.85
"""Shares of `maxmemory`: DESIGN.md §6 overflows above the first and refuses above the second."""
SLOW_S = 0.25
"""A picture takes a few milliseconds; a server that needs this long is busy with something else, or far away."""
SKEW_S = 5.0
"""Clocks may differ by less without anybody reading a wrong age."""
CRASH_SPAN_S = 600.0
REPAIR_SPAN_S = 300.0
REPAIRS = 3
"""So many workers dying within the span are no accident."""
NEAR_LIMIT = 0.9


def fleet_findings(fleet: FleetState) -> Iterator[Finding]:
    """Everything that concerns no single queue."""
    yield from _server(fleet.server)
    yield from _clocks(fleet)
    yield from _automation(fleet)
    yield from _workers(fleet)
    yield from _crashes(fleet)
    yield from _providers(fleet)


def provider_of(fleet: FleetState, name: str) -> ProviderState | None:
    """The provider that delivers for a queue's `policy.provider`: itself, or the default."""
    known = {provider.name: provider for provider in fleet.providers}
    return known.get(name) or known.get("default")


def at_limit(provider: ProviderState) -> bool:
    """It takes about all it allows: what waits for it waits for tokens, not for workers."""
    return provider.allowed_per_s is not None and provider.used_per_s >= NEAR_LIMIT * provider.allowed_per_s


def _server(server: ServerState) -> Iterator[Finding]:
    if server.suspended:
        yield Finding(Severity.BAD, "suspended (rq suspend): no worker claims anything")
    if server.eviction != "noeviction":
        yield Finding(Severity.BAD, f"maxmemory-policy is {server.eviction}: messages can be evicted; set noeviction")
    share = server.memory_bytes / server.memory_max_bytes if server.memory_max_bytes else None
    if server.round_trip_s is not None and server.round_trip_s >= SLOW_S:
        memory = "" if share is None else f", its memory at {share:.0%}"
        yield Finding(Severity.WARN, f"server is slow: a picture takes {server.round_trip_s:.1f}s{memory}")
    if share is not None and share >= MEMORY_WARN:
        severity = Severity.BAD if share >= MEMORY_BAD else Severity.WARN
        wall = " (at 85% mail is refused)" if share < MEMORY_BAD else ": mail is refused"
        yield Finding(severity, f"server memory at {share:.0%} of maxmemory{wall}")


def _clocks(fleet: FleetState) -> Iterator[Finding]:
    ahead_s = fleet.server.clock_ahead_s
    if ahead_s is not None and abs(ahead_s) >= SKEW_S:
        yield Finding(Severity.WARN, f"clock skew: this machine's clock is {_skew(ahead_s)} the server's")
    hosts = {worker.host: worker.ahead_s for worker in fleet.workers if worker.ahead_s >= SKEW_S}
    for host, skew_s in sorted(hosts.items())[:1]:
        others = f", and {len(hosts) - 1} more hosts'" if len(hosts) > 1 else ""
        yield Finding(Severity.WARN, f"clock skew: {host}'s clock{others} is {_skew(skew_s)} the server's")


def _skew(ahead_s: float) -> str:
    return f"{abs(ahead_s):.0f}s {'ahead of' if ahead_s > 0 else 'behind'}"


def _automation(fleet: FleetState) -> Iterator[Finding]:
    if fleet.managed and fleet.leader is None:
        yield Finding(Severity.WARN, "no daemon holds the lease: nothing is sampled, scaled or repaired")
    elif fleet.leader is not None and not fleet.published:
        yield Finding(Severity.WARN, f"figures are stale: daemon {fleet.leader} leads, but publishes no samples")


def _workers(fleet: FleetState) -> Iterator[Finding]:
    wanted = sum(pool.desired or 0 for pool in fleet.pools)
    if fleet.capacity is not None and wanted > fleet.capacity:
        text = f"host-bound: pools ask for {wanted:,} workers, the hosts hold {fleet.capacity:,} (daemon.capacity)"
        yield Finding(Severity.WARN, text)
    ghosts = [worker for worker in fleet.workers if worker.ghost]
    if ghosts:
        noun = "worker has" if len(ghosts) == 1 else "workers have"
        text = f"{len(ghosts)} {noun} no heartbeat ({ghosts[0].name}); repair takes back what they held"
        yield Finding(Severity.WARN, text)


def _crashes(fleet: FleetState) -> Iterator[Finding]:
    """Workers that die at their start, as a daemon found; workers that keep dying later, as repair found."""
    pools = {pool.name: pool for pool in fleet.pools}
    recent = [entry for entry in fleet.events if entry.who == AUTOMATION]
    looping: set[str] = set()
    for entry in recent:
        fresh = entry.at_s > fleet.taken_at_s - CRASH_SPAN_S
        if entry.action == "crash loop" and fresh and entry.scope not in looping and _short(pools.get(entry.scope)):
            looping.add(entry.scope)
            yield Finding(Severity.BAD, f"crash loop in pool {entry.scope}: {entry.reason}")
    repairs = [e for e in recent if e.action == "repair" and e.at_s > fleet.taken_at_s - REPAIR_SPAN_S]
    if len(repairs) >= REPAIRS:
        yield Finding(Severity.WARN, f"workers keep dying: {len(repairs)} repairs in {REPAIR_SPAN_S / 60:.0f} min "
                                     f"(the last: {repairs[0].reason})")  # fmt: skip


def _short(pool: PoolState | None) -> bool:
    """It lacks workers: the loop has not ended by itself."""
    return pool is None or pool.desired is None or pool.actual < pool.desired


def _providers(fleet: FleetState) -> Iterator[Finding]:
    for provider in fleet.providers:
        if provider.dry_run:
            continue
        said = f": {provider.reason}" if provider.reason else ""
        if provider.condition == "suspended":
            instead = f", {provider.fallback} delivers" if provider.fallback else ""
            yield Finding(Severity.BAD, f"provider {provider.name} is suspended{instead}{said}")
        elif provider.condition == "held":
            allowed = f" to {rate(provider.allowed_per_s)}/s" if provider.allowed_per_s is not None else ""
            yield Finding(Severity.WARN, f"provider {provider.name} slowed us down{allowed}{said}")
