"""What a live table shows: columns, rows, cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Align = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `width` is in terminal cells; it grows to hold the title."""

    key: str
    title: str
    width: int
    align: Align = "left"
    priority: int = 0
    """0 is always shown; the others are dropped when the table is narrow, the highest first."""
    flexible: bool = False
    """Takes spare width."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure. `tone` is a name of `theme.TONES`, or empty for plain text."""

    text: str
    tone: str = ""
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line; `cells` by column key, a missing one is blank. `dim` marks figures that are out of date."""

    key: str
    cells: Mapping[str, Cell] = field(default_factory=dict)
    dim: bool = False
