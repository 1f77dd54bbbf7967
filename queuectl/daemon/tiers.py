"""The leader's part in the live tiers: what lies too much in one goes to the next, and comes back in time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from queuectl.daemon.observations import observe_queue
from queuectl.model import Direction, FleetState, QueueState, Switch
from queuectl.policy.pressure import Signals
from queuectl.policy.surge_overflow import Marks, marks, refill_per_s
from queuectl.policy.thresholds import TierThresholds
from queuectl.settings import Settings
from queuectl.store import surge
from queuectl.store.client import AsyncStore, Steps

LOG = logging.getLogger("queuectl.daemon")
EVERYTHING = 1 << 30
"""Keep that much: sweep nothing but what stock producers push beside what waits behind."""
LONGEST_S = 5.0
"""A pause longer than this is not made up for: refill never floods."""


class LiveTiers:
    """Surge and the overflow that comes back by itself, of every queue. Made anew with each leadership."""

    def __init__(self, store: AsyncStore, fence: str) -> None:
        self._run = store.run
        self._fence = fence
        self._due: dict[str, float] = {}
        self._last_s: float | None = None

    async def step(self, queues: Iterable[QueueState], fleet: FleetState, settings: Settings,
                   on_time: Callable[[], bool]) -> None:  # fmt: skip
        """One second, for as long as `on_time` holds. Raises LeaseLostError when another daemon leads."""
        since_s = min(LONGEST_S, fleet.taken_at_s - self._last_s) if self._last_s is not None else 1.0
        self._last_s = fleet.taken_at_s
        used = [queue for queue in queues if in_use(queue)]
        self._due = {queue.name: self._due.get(queue.name, 0.0) for queue in used}
        for queue in used:
            seen = observe_queue(queue, fleet, settings)
            limits = seen.controls.tiers
            wanted = marks(seen.signals, limits, overflowing=queue.overflowing.value == Switch.ON)
            await self._keep_primary_short(queue, wanted, on_time)
            signals = replace(seen.signals, depth=await self._run(surge.primary_depth(queue)))
            await self._refill(queue, self._granted(signals, limits, wanted, since_s))
            await self._bring_back(queue, wanted, on_time)
            await self._pack(queue, wanted, on_time)

    async def _keep_primary_short(self, queue: QueueState, wanted: Marks, on_time: Callable[[], bool]) -> None:
        """FIFO: what stock producers pushed goes to the end of the line. LIFO: the old end goes behind."""
        surging = queue.surging.value == Switch.ON
        if queue.direction.value != Direction.LIFO:
            keep = wanted.refill_most if surging else EVERYTHING
            await self._while(lambda: surge.sweep(queue, keep, fence=self._fence), on_time)
        elif surging and not queue.stock_workers:
            excess = queue.depth - wanted.primary_most
            while excess > 0 and on_time():
                excess -= await self._run(surge.trim(queue, excess, fence=self._fence)) or excess

    def _granted(self, signals: Signals, limits: TierThresholds, wanted: Marks, since_s: float) -> int:
        """Messages to bring into the primary now; parts of one are kept for the next second."""
        due = self._due[signals.queue] + refill_per_s(signals, limits) * since_s
        room = wanted.primary_most if signals.diverted else wanted.refill_most
        granted = max(0, min(int(due), room - signals.depth))
        self._due[signals.queue] = min(due - granted, 1.0)
        return granted

    async def _refill(self, queue: QueueState, count: int) -> None:
        """Not while paused: stock workers would take it."""
        while count > 0 and queue.pause.value != Switch.ON:
            count -= await self._run(surge.refill(queue, count, fence=self._fence)) or count

    async def _bring_back(self, queue: QueueState, wanted: Marks, on_time: Callable[[], bool]) -> None:
        """In time for surge not to run empty; all at once when only the newest arrivals, unpacked, are left there."""
        missing = wanted.surge_least - queue.surge
        if not queue.returning and queue.overflowing.value != Switch.ON:
            missing = max(missing, queue.arriving)
        while missing > 0 and on_time():
            brought = await self._run(surge.bring_back(queue, fence=self._fence))
            if brought < 0:
                LOG.error("%s: a segment of overflow is missing or cannot be read, and was passed over", queue.name)
            missing -= brought or missing

    async def _pack(self, queue: QueueState, wanted: Marks, on_time: Callable[[], bool]) -> None:
        if queue.returning or queue.overflowing.value == Switch.ON:
            await self._while(lambda: surge.pack_arrivals(queue, fence=self._fence), on_time)
        most = wanted.surge_most
        if most is not None:
            await self._while(lambda: surge.squeeze(queue, most, fence=self._fence), on_time)

    async def _while(self, work: Callable[[], Steps[int]], on_time: Callable[[], bool]) -> None:
        while await self._run(work()) and on_time():
            pass


def in_use(queue: QueueState) -> bool:
    """Something is or may be behind its primary tier."""
    return bool(queue.surge or queue.returning or queue.draining) or queue.surging.value == Switch.ON
