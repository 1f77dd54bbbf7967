"""How many workers of a pool a host runs, and which it starts or stops next. Times are seconds of one steady clock."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 60.0
SETTLED_S = 60.0
"""A worker that lives this long has started well; what ends it later is no crash at the start."""
LOOP_AFTER = 3
"""So many crashes in a row are a crash loop."""
STARTS_AT_ONCE = 8
"""Most workers started in one go: starting Python costs the processor that deliveries need."""


@dataclass(frozen=True, slots=True)
class Staff:
    """One living worker process. `draining`: it was told to leave and claims nothing more."""

    pid: int
    started_s: float
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Crashes:
    """Crashes in a row; workers that were started together and die together count once."""

    count: int = 0
    last_s: float = -math.inf

    @property
    def delay_s(self) -> float:
        """How long to wait after the last one: 1, 2, 4 … 60 s."""
        return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(self.count - 1, 16)) if self.count else 0.0

    @property
    def resume_s(self) -> float:
        """When the next worker may start."""
        return self.last_s + self.delay_s if self.count else -math.inf

    @property
    def looping(self) -> bool:
        return self.count >= LOOP_AFTER


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `wait_until_s`: back-off holds further starts until then; None: nothing is held."""

    start: int = 0
    stop: tuple[int, ...] = ()
    wait_until_s: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Workers that a pool asks for, and the hosts that share it."""

    workers: int
    hosts: Sequence[str]


def allocate(pools: Mapping[str, Wanted], capacity: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Pool -> host -> workers, in proportion to the hosts' capacity (worker processes) and never above it.

    Each worker in turn goes to the host with the greatest capacity / (2 n + 1), n being what it has of this pool
    already (Sainte-Laguë). Unlike largest remainders, this takes no worker from one old host to another when a host
    comes, goes, or one more worker is wanted: only what has to moves. Where capacity is short, all pools get one worker
    at a time in turn, so that the small ones are complete first.
    """
    parts = {pool: dict.fromkeys(sorted(wanted.hosts), 0) for pool, wanted in pools.items()}
    free = dict(capacity)
    unmet = {pool: pools[pool].workers for pool in sorted(pools)}
    while unmet:
        for pool in list(unmet):
            host = _next_host(pool, parts[pool], capacity, free) if unmet[pool] > 0 else None
            if host is None:
                del unmet[pool]
                continue
            parts[pool][host] += 1
            free[host] -= 1
            unmet[pool] -= 1
    return parts


def _next_host(pool: str, part: Mapping[str, int], capacity: Mapping[str, int], free: Mapping[str, int]) -> str | None:
    """Among equals each pool prefers other hosts, so that pools of one worker do not all stand on the first."""
    able = [host for host in part if free.get(host, 0) > 0]
    return max(able, key=lambda host: (capacity[host] / (2 * part[host] + 1), crc32(f"{pool} {host}".encode())),
               default=None)  # fmt: skip


def after_exit(crashes: Crashes, started_s: float, now_s: float) -> Crashes:
    """Count a worker that ended without being told to."""
    if now_s - started_s >= SETTLED_S or started_s <= crashes.last_s:
        return crashes
    if now_s - crashes.last_s > crashes.delay_s + SETTLED_S:
        return Crashes(1, now_s)
    return replace(crashes, count=crashes.count + 1, last_s=now_s)


def plan(desired_here: int, alive: Sequence[Staff], crashes: Crashes, now_s: float) -> Plan:
    """Steps towards `desired_here` workers. The youngest leave first: the oldest have the warmest connections."""
    active = [worker for worker in alive if not worker.draining]
    missing = desired_here - len(active)
    if missing > 0 and now_s < crashes.resume_s:
        return Plan(wait_until_s=crashes.resume_s)
    if missing > 0:
        return Plan(start=min(missing, STARTS_AT_ONCE))
    youngest = sorted(active, key=lambda worker: (-worker.started_s, -worker.pid))
    return Plan(stop=tuple(worker.pid for worker in youngest[:-missing] if missing))
