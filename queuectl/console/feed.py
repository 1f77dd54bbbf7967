"""Polls the link: one poll at a time, at the operator's interval, and never in the way of a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from queuectl.console.link import Link
from queuectl.console.picture import Picture
from queuectl.model import AuditEntry, FleetState, Operation, QueuectlError
from queuectl.policy.history import SPANS_S, WHOLE_SPAN_S, History, sample_of

log = logging.getLogger(__name__)

INTERVALS_S: tuple[float | None, ...] = (0.5, 1.0, 2.0, 5.0, 10.0, None)
DEFAULT_SPAN_S = 900.0
RETRY_S = 2.0
"""While the server is away, even when refreshing is off."""
HOLE_S = 20.0
"""After a pause this long (frozen, refresh off) the history is read anew, which fills the hole."""
LONG_EVENTS = 500
"""Audit entries read for the marks of a long range; a short one makes do with those of the picture."""


class Feed:
    """Keeps the newest picture. `paint` is called whenever there is something new to show.

    The picture comes first; the history of the plots is read beside the polls, so that neither waits for the other.
    """

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
        self._history = History(DEFAULT_SPAN_S)
        self._events: tuple[AuditEntry, ...] = ()
        self._operations: tuple[Operation, ...] = ()
        self._failure = ""
        self._complete = False
        """The history reaches back as far as the plots do."""
        self._loading: asyncio.Task[None] | None = None
        self._loading_span_s = 0.0
        self._readings = 0
        self.span_s = DEFAULT_SPAN_S
        self.interval_s = interval_s
        self.frozen = False

    def picture(self, *, lagging: bool = False) -> Picture:
        age_s = max(0.0, self._monotonic() - self._answered_s)
        return Picture(self._fleet, self._history.samples, self._operations, self._failure, age_s, self.interval_s,
                       self.frozen, lagging, self.span_s, self._events, self._readings)  # fmt: skip

    def cycle_interval(self) -> None:
        index = INTERVALS_S.index(self.interval_s) if self.interval_s in INTERVALS_S else 0
        self.interval_s = INTERVALS_S[(index + 1) % len(INTERVALS_S)]
        self.poke()

    def show_span(self, span_s: float) -> None:
        """Another range for the plots, one of SPANS_S; what is known of it is shown until the rest was read."""
        self.span_s = span_s
        self._complete = False
        self._load()

    def next_span(self) -> float:
        """The range after the one shown, from the longest to the shortest again."""
        index = SPANS_S.index(self.span_s) if self.span_s in SPANS_S else -1
        return SPANS_S[(index + 1) % len(SPANS_S)]

    def toggle_frozen(self) -> None:
        self.frozen = not self.frozen
        self.poke()

    def poke(self) -> None:
        """Poll now, or as soon as the poll under way is over."""
        self._wake.set()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                self._wake.clear()
                if not self.frozen:
                    await self.poll()
                await self._rest()
        finally:
            if self._loading is not None:
                self._loading.cancel()

    async def poll(self) -> None:
        """One round; a failure keeps the last picture and says so."""
        self._began_s = self._monotonic()
        try:
            self._take(await self._link.fleet(), await self._link.operations())
        except QueuectlError as error:
            self._lost(str(error))
        except Exception as error:
            log.exception("the poll failed")
            self._lost(f"internal error: {error!r}; see the log file")
        if not self.frozen:
            self._paint()

    async def loaded(self) -> None:
        """Wait for the history that is being read, if it is."""
        if self._loading is not None:
            with suppress(asyncio.CancelledError):
                await self._loading

    def _take(self, fleet: FleetState, operations: tuple[Operation, ...]) -> None:
        self._failure = ""
        self._answered_s = self._monotonic()
        self._operations = operations
        self._fleet = fleet
        self._events = (*fleet.events, *_older(self._events, fleet.events))
        self._see_to_holes(fleet.taken_at_s)
        self._history.add(sample_of(fleet))
        if not self._complete:
            self._load()

    def _see_to_holes(self, now_s: float) -> None:
        """More time between two pictures than between two polls is read anew; so is all when time went back."""
        newest_s = self._history.newest_s
        if newest_s is None:
            return
        if now_s < newest_s:
            self._history = History(self.span_s)
        if not 0 <= now_s - newest_s <= max(HOLE_S, 2.5 * (self.interval_s or 0.0)):
            self._complete = False

    def _lost(self, failure: str) -> None:
        """Once it answers again the history is read anew, which fills the gap."""
        self._complete = False
        self._failure = failure

    # The history.

    def _load(self) -> None:
        """Read the history; what is already being read of another range is not wanted any more."""
        if self._loading is not None and not self._loading.done():
            if self._loading_span_s == self.span_s:
                return
            self._loading.cancel()
        self._loading_span_s = self.span_s
        self._loading = asyncio.create_task(self._read(self.span_s))

    async def _read(self, span_s: float) -> None:
        """What fails is tried again after the next poll, which says why."""
        try:
            found = History(span_s, await self._link.history(span_s))
            events = await self._link.audit(LONG_EVENTS) if span_s > WHOLE_SPAN_S else ()
        except QueuectlError:
            return
        except Exception:
            log.exception("the history could not be read")
            return
        for sample in self._history.samples:
            found.add(sample)
        self._history = found
        self._complete = True
        self._readings += 1
        if events:
            self._events = events
        if not self.frozen:
            self._paint()

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


def _older(known: tuple[AuditEntry, ...], newest: tuple[AuditEntry, ...]) -> tuple[AuditEntry, ...]:
    """Of the known entries those that the newest ones do not reach back to."""
    if not newest:
        return known
    return tuple(entry for entry in known if entry.number < newest[-1].number)
