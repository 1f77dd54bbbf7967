"""Areas one upon the other: each layer has a pattern of its own, so that they differ without colour. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from queuectl.console.widgets.raster import Dot, Raster, connected
from queuectl.console.widgets.series import Series

_PATTERNS: tuple[Callable[[int, int], bool], ...] = (
    lambda _x, _y: True,
    lambda x, y: (x + y) % 2 == 0,
    lambda x, y: x % 2 == 0 and y % 2 == 0,
    lambda _x, y: y % 4 == 0,
)
"""Whether the dot at (x, y) is set; the periods divide a braille cell, so that inside a layer all cells are alike."""
SIGNS = "⣿⡪⡂⣀"
"""What each pattern looks like, for the legend."""
ASCII_SIGNS = "#+.-"


def stacked(series: Sequence[Series]) -> tuple[Series, ...]:
    """Each curve raised by those before it; they have the same times. Where one is unknown, so are those upon it."""
    raised: list[Series] = []
    for one in series:
        below = raised[-1].points if raised else ((at, 0.0) for at, _ in one.points)
        points = [
            (at, None if value is None or base is None else value + base)
            for (at, value), (_, base) in zip(one.points, below, strict=True)
        ]
        raised.append(replace(one, points=points))
    return tuple(raised)


def fill(raster: Raster, layers: Sequence[Sequence[Sequence[Dot]]]) -> None:
    """Draw the layers' dots (the runs of their upper edges, the lowest layer first) down to the layer below. Where two
    share a cell it is the upper one's: a thin layer on a thick one is seen."""
    edges = [_edge(runs) for runs in layers]
    grounds: list[dict[int, int]] = [{}, *edges]
    for owner, (ground, edge) in reversed(list(enumerate(pairwise(grounds)))):
        pattern = _PATTERNS[owner % len(_PATTERNS)]
        for x, top in edge.items():
            for y in range(ground.get(x, -1) + 1, top + 1):
                if raster.ascii or y == top or pattern(x, y):
                    raster.set(owner, (x, y))


def _edge(runs: Sequence[Sequence[Dot]]) -> dict[int, int]:
    """The highest dot of every column."""
    edge: dict[int, int] = {}
    for run in runs:
        for x, y in connected(run):
            edge[x] = max(edge.get(x, 0), y)
    return edge
