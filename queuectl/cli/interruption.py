"""Ctrl+C between two steps, never within one: what was done by then is known exactly."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TICK_S = 0.2


class Interruption:
    """Ctrl+C takes effect at the next `check` or within a `sleep`; a second one ends at once."""

    def __init__(self) -> None:
        self._asked = False

    def check(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        self.check()
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(TICK_S, left_s))
            self.check()

    @contextmanager
    def held(self) -> Iterator[Interruption]:
        before = signal.getsignal(signal.SIGINT)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield self
        finally:
            signal.signal(signal.SIGINT, before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
