"""A beat that does not drift: one tick a second, missed ones are left out, several events can end it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

TICK_S = 1.0


class Ticks:
    """`async for number in Ticks(stop)`: at once, then every second, until one of the events is set."""

    def __init__(self, *ends: asyncio.Event, every_s: float = TICK_S) -> None:
        self._ends = ends
        self._every_s = every_s
        self.extra_s = 0.0
        """Added once to the next pause: back-off."""

    @property
    def ended(self) -> bool:
        return any(end.is_set() for end in self._ends)

    async def __aiter__(self) -> AsyncIterator[int]:
        loop = asyncio.get_running_loop()
        due_s, number = loop.time(), 0
        waits = [asyncio.ensure_future(end.wait()) for end in self._ends]
        try:
            while not self.ended:
                yield number
                number += 1
                missed = max(0.0, loop.time() - due_s) // self._every_s
                due_s += (missed + 1) * self._every_s + self.extra_s
                self.extra_s = 0.0
                await asyncio.wait(waits, timeout=due_s - loop.time(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)
