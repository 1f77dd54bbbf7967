"""What a chart shows: curves, marked events, the span across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One curve. `points` are (epoch seconds, value) in order of time; None is a gap. `tone` as in `theme.TONES`."""

    name: str
    tone: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Mark:
    """An event at a time (epoch seconds): a rule across the plot, or a tick at its top for what nobody did by hand."""

    at_s: float
    name: str
    rule: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """All that a chart shows. `end_s` is the epoch second at the right edge, `span_s` the seconds across."""

    series: tuple[Series, ...] = ()
    marks: tuple[Mark, ...] = ()
    end_s: float = 0.0
    span_s: float = 60.0
    unit: str = ""
    """Behind the figures; "s" counts them as time, "%" takes shares of 1."""
    stacked: bool = False
    """The curves are parts of a whole, drawn as areas one upon the other."""
    most: float | None = None
    """Where the axis ends; None: at a round number above the highest value."""
    gap_s: float | None = None
    """Points farther apart than this are not joined; None: all are."""
