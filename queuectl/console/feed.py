"""Polls the link: one poll at a time, at the operator's interval, and never in the way of a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from queuectl.console.link import Link
from queuectl.console.picture import Picture, sample_of
from queuectl.model import FleetState, Operation, QueuectlError, Sample

log = logging.getLogger(__name__)

INTERVALS_S: tuple[float | None, ...] = (0.5, 1.0, 2.0, 5.0, 10.0, None)
HISTORY_S = 900.0
RETRY_S = 2.0
"""While the server is away, even when refreshing is off."""


class Feed:
    """Keeps the newest picture. `paint` is called whenever there is something new to show, once a second at least
    while the picture is stale, so that its age can be seen to grow."""

    def __init__(
        self, link: Link, interval_s: float | None, paint: Callable[[], None], monotonic: Callable[[], float]
    ) -> None:
        self._link = link
        self._paint = paint
        self._monotonic = monotonic
        self._wake = asyncio.Event()
        self._answered_s = monotonic()
        self._began_s: float | None = None
        self._fleet: FleetState | None = None
        self._samples: tuple[Sample, ...] = ()
        self._operations: tuple[Operation, ...] = ()
        self._failure = ""
        self._attached = False
        self.interval_s = interval_s
        self.frozen = False

    def picture(self, *, lagging: bool = False) -> Picture:
        age_s = max(0.0, self._monotonic() - self._answered_s)
        return Picture(self._fleet, self._samples, self._operations, self._failure, age_s, self.interval_s, self.frozen,
                       lagging)  # fmt: skip

    def cycle_interval(self) -> None:
        index = INTERVALS_S.index(self.interval_s) if self.interval_s in INTERVALS_S else 0
        self.interval_s = INTERVALS_S[(index + 1) % len(INTERVALS_S)]
        self.poke()

    def toggle_frozen(self) -> None:
        self.frozen = not self.frozen
        self.poke()

    def poke(self) -> None:
        """Poll now, or as soon as the poll under way is over."""
        self._wake.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._wake.clear()
            if not self.frozen:
                await self.poll()
            await self._rest()

    async def poll(self) -> None:
        """One round; a failure keeps the last picture and says so."""
        self._began_s = self._monotonic()
        try:
            if not self._attached:
                self._samples = tuple(await self._link.history(HISTORY_S))
            self._take(await self._link.fleet(), await self._link.operations())
        except QueuectlError as error:
            self._lost(str(error))
        except Exception as error:
            log.exception("the poll failed")
            self._lost(f"internal error: {error!r}; see the log file")
        if not self.frozen:
            self._paint()

    def _take(self, fleet: FleetState, operations: tuple[Operation, ...]) -> None:
        self._attached = True
        self._failure = ""
        self._answered_s = self._monotonic()
        self._operations = operations
        self._fleet = fleet
        if not self._samples or fleet.taken_at_s > self._samples[-1].at_s:
            kept = (sample for sample in self._samples if sample.at_s > fleet.taken_at_s - HISTORY_S)
            self._samples = (*kept, sample_of(fleet))

    def _lost(self, failure: str) -> None:
        """Once it answers again the history is fetched anew, which fills the gap."""
        self._attached = False
        self._failure = failure

    async def _rest(self) -> None:
        pause_s = self._pause_s()
        try:
            async with asyncio.timeout(pause_s):
                await self._wake.wait()
        except TimeoutError:
            return

    def _pause_s(self) -> float | None:
        """Seconds until the next poll, counted from the start of the last one; None: until woken."""
        if self.frozen:
            return None
        interval_s = min(self.interval_s or RETRY_S, RETRY_S) if self._failure else self.interval_s
        if interval_s is None or self._began_s is None:
            return interval_s
        return max(0.05, self._began_s + interval_s - self._monotonic())
