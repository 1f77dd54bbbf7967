"""How many workers of a pool a host runs, and which it starts or stops next. Times are seconds of one steady clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def share(desired: int, hosts: Sequence[str], host: str) -> int:
    """This host's part of a pool: an equal one, and one of the remainder for the first hosts by name."""
    if host not in hosts:
        return 0
    part, remainder = divmod(desired, len(hosts))
    return part + (sorted(hosts).index(host) < remainder)


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
