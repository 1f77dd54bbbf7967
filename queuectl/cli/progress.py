"""How far something is: a bar on a terminal, a line now and then where there is none. Always on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from queuectl.console.words import age

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_EVERY_S = 5.0


class Meter(Protocol):
    def update(self, done: int, total: int | None, note: str) -> None:
        """`done` of `total` (None: unknown), any unit; `note` says it in words."""

    def say(self, line: str) -> None:
        """Print a line above the progress."""


@contextmanager
def meter(title: str) -> Iterator[Meter]:
    """A bar or plain lines, whichever standard error can show."""
    if not sys.stderr.isatty():
        yield LineMeter(title)
        return
    with _rich() as progress:
        yield BarMeter(progress, progress.add_task(title, total=None, note=""))


def _rich() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=Console(stderr=True, highlight=False),
    )


class BarMeter:
    """A rich progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def update(self, done: int, total: int | None, note: str) -> None:
        self._progress.update(self._task, completed=done, total=total, note=note)

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, soft_wrap=True)


class LineMeter:
    """A plain line every few seconds."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._started_s = self._last_s = time.monotonic()

    def update(self, done: int, total: int | None, note: str) -> None:
        now_s = time.monotonic()
        if now_s - self._last_s < LINE_EVERY_S:
            return
        self._last_s = now_s
        share = f" {done / total:.0%}" if total else ""
        left = f", ETA {age((now_s - self._started_s) / done * (total - done))}" if total and done else ""
        self.say(f"{self._title}{share} {note}{left}")

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)
