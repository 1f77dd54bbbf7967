"""A braille line chart by line API: repaints the lines that changed and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    tone: str
    points: Sequence[tuple[float, float | None]]


class Chart(Widget):
    def __init__(self, *, id: str | None = None, classes: str | None = None, clock: bool = False,
                 ascii: bool = False) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)

    def set_series(self, series: Sequence[Series], *, end_s: float, span_s: float, unit: str = "",
                   title: str = "") -> None: ...  # fmt: skip

    def set_markers(self, markers: Sequence[tuple[float, str]]) -> None: ...
