"""Lines on a grid of dots, folded into characters: eight dots a braille cell, or one dot an ASCII cell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

Dot = tuple[int, int]
"""x from the left, y from the bottom."""
_BRAILLE_BITS = ((0x40, 0x80), (0x04, 0x20), (0x02, 0x10), (0x01, 0x08))
"""Bits by row from the bottom, then by column."""
ASCII_MARKS = "*+ox"
"""One mark a series, so that they differ without colour."""


class Raster:
    """A grid of `width` x `height` cells. What is drawn first stays on top where two series share a cell."""

    def __init__(self, width: int, height: int, *, ascii: bool, marks: str = ASCII_MARKS) -> None:
        """`marks`: the ASCII character of each series."""
        self._marks = marks
        self.width = width
        self.height = height
        self.ascii = ascii
        self.dots_x = width if ascii else width * 2
        self.dots_y = height if ascii else height * 4
        self._bits = [[0] * width for _ in range(height)]
        self._owner: list[list[int | None]] = [[None] * width for _ in range(height)]

    def draw(self, owner: int, runs: Iterable[Sequence[Dot]]) -> None:
        """Connect the dots of each run; `owner` is the series' number."""
        for run in runs:
            for dot in connected(run):
                self.set(owner, dot)

    def cell(self, x: int, y: int) -> tuple[str, int | None]:
        """The character in column x, line y from the top, and whose it is; a blank has no owner."""
        owner = self._owner[y][x]
        if owner is None:
            return " ", None
        return (self._marks[owner % len(self._marks)] if self.ascii else chr(0x2800 + self._bits[y][x])), owner

    def set(self, owner: int, dot: Dot) -> None:
        """One dot; outside the grid nothing is drawn."""
        x, y = dot
        if not (0 <= x < self.dots_x and 0 <= y < self.dots_y):
            return
        column, row = (x, y) if self.ascii else (x // 2, y // 4)
        line = self.height - 1 - row
        if not self.ascii:
            self._bits[line][column] |= _BRAILLE_BITS[y % 4][x % 2]
        if self._owner[line][column] is None:
            self._owner[line][column] = owner


def connected(run: Sequence[Dot]) -> Iterator[Dot]:
    """All dots on the way through a run, without holes."""
    if run:
        yield run[0]
    for start, end in pairwise(run):
        yield from _between(start, end)


def _between(start: Dot, end: Dot) -> Iterator[Dot]:
    """The dots behind `start` up to `end`, without holes."""
    (x0, y0), (x1, y1) = start, end
    steps = max(abs(x1 - x0), abs(y1 - y0))
    for step in range(1, steps + 1):
        yield x0 + round((x1 - x0) * step / steps), y0 + round((y1 - y0) * step / steps)
