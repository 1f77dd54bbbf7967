"""Series to lines of text: axes, legend, event marks and the curves between them. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from rich.cells import cell_len

from queuectl.console.glyphs import Glyphs
from queuectl.console.widgets.raster import ASCII_MARKS, Dot, Raster
from queuectl.console.widgets.scale import SECONDS, SHARE, ago, axis_top, label
from queuectl.console.widgets.series import Mark, Picture, Series
from queuectl.console.widgets.stack import ASCII_SIGNS, SIGNS, fill, stacked
from queuectl.console.widgets.text import clean, fit_text
from queuectl.console.widgets.tones import Run

Line = tuple[Run, ...]
SHORTEST_NAME = 4


SECONDS_BELOW_S = 240.0
"""A shorter plot's times are told apart by their seconds."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a chart is drawn. `clock`: the time axis shows local time of day in `zone` instead of ages."""

    glyphs: Glyphs
    clock: bool = False
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the plot lies inside the widget, and what its edges mean."""

    left: int
    width: int
    height: int
    top: float
    start_s: float
    step_s: float
    """Seconds a dot column. Columns are aligned to whole multiples of it, so that old dots never change."""
    gap_s: float


def draw(picture: Picture, width: int, height: int, style: Style) -> tuple[Line, ...]:
    """The chart as exactly `height` lines of at most `width` cells; small sizes do without legend and axes."""
    has_legend, has_time = height >= 4, height >= 3
    plot_height = height - has_legend - has_time
    if width < 1 or plot_height < 1:
        return ((),) * max(0, height)
    curves = stacked(picture.series) if picture.stacked else picture.series
    frame = _frame(picture, curves, width, plot_height, style)
    lines = [_legend(picture, width, style)] if has_legend else []
    lines += _plot(picture, curves, frame, style)
    return (*lines, _time_axis(picture, frame, style)) if has_time else tuple(lines)


def _frame(picture: Picture, curves: Sequence[Series], width: int, height: int, style: Style) -> _Frame:
    dots_per_cell = 1 if style.glyphs.ascii else 2
    start = picture.end_s - picture.span_s
    values = [value for series in curves for at, value in series.points
              if value is not None and at >= start and math.isfinite(value)]  # fmt: skip
    top = picture.most or axis_top(max(values, default=0.0), picture.unit)
    label_width = max(len(label(top * share, picture.unit)) for share in (1, 0.5, 0))
    left = label_width + 1 if width >= label_width + 12 else 0
    dots = (width - left) * dots_per_cell
    step = picture.span_s / dots
    gap_s = math.inf if picture.gap_s is None else picture.gap_s
    return _Frame(left, width - left, height, top, (math.floor(picture.end_s / step) - dots + 1) * step, step, gap_s)


def _plot(picture: Picture, curves: Sequence[Series], frame: _Frame, style: Style) -> list[Line]:
    raster = _drawn(picture, curves, frame, style)
    marks = _marks(picture, frame, raster, style)
    if not any(point[1] is not None for series in picture.series for point in series.points):
        marks[(frame.height - 1) // 2] = _centred("no data yet", frame.width)
    ticks = _ticks(frame, picture.unit)
    tones = [series.tone for series in picture.series]
    return [
        (*_axis(ticks.get(y), frame, style), *_cells(raster, y, tones, marks.get(y, {})))
        for y in range(frame.height)
    ]  # fmt: skip


def _drawn(picture: Picture, curves: Sequence[Series], frame: _Frame, style: Style) -> Raster:
    if picture.stacked:
        raster = Raster(frame.width, frame.height, ascii=style.glyphs.ascii, marks=ASCII_SIGNS)
        fill(raster, [_runs(series, frame, raster) for series in curves])
        return raster
    raster = Raster(frame.width, frame.height, ascii=style.glyphs.ascii)
    for owner, series in enumerate(curves):
        raster.draw(owner, _runs(series, frame, raster))
    return raster


def _runs(series: Series, frame: _Frame, raster: Raster) -> list[list[Dot]]:
    """Dots of one curve, the highest value of each dot column, so that spikes survive; split where it has gaps."""
    runs: list[list[Dot]] = [[]]
    column, highest = -1, 0.0
    before: tuple[int, float] | None = None
    last_s = -math.inf
    for at, value in series.points:
        x = math.floor((at - frame.start_s) / frame.step_s + 1e-6)
        if value is None or not math.isfinite(value):
            runs.append([])
            column, before = -1, None
            continue
        if at - last_s > frame.gap_s:
            runs.append([])
            column, before = -1, None
        last_s = at
        if x < 0:
            before = (x, value)
        elif x < raster.dots_x:
            run = runs[-1]
            if before and not run:
                run.append((-1, _dot_y(_entering(before, (x, value)), frame.top, raster.dots_y)))
            if x == column:
                highest = max(highest, value)
                run.pop()
            else:
                column, highest = x, value
            run.append((x, _dot_y(highest, frame.top, raster.dots_y)))
    return runs


def _entering(before: tuple[int, float], first: tuple[int, float]) -> float:
    """The value just left of the plot, on the way between a point out of sight and the first in sight."""
    (x0, value0), (x1, value1) = before, first
    return value0 + (value1 - value0) * (-1 - x0) / (x1 - x0)


def _dot_y(value: float, top: float, dots: int) -> int:
    return round(min(max(value / top, 0.0), 1.0) * (dots - 1))


def _cells(raster: Raster, y: int, tones: Sequence[str], marks: dict[int, str]) -> list[Run]:
    runs: list[Run] = []
    for x in range(raster.width):
        char, owner = raster.cell(x, y)
        if owner is None:
            runs.append((marks.get(x, " "), "muted", False))
        else:
            runs.append((char, tones[owner], False))
    return _merged(runs)


def _merged(runs: Sequence[Run]) -> list[Run]:
    merged: list[Run] = []
    for text, tone, bold in runs:
        if merged and merged[-1][1:] == (tone, bold):
            merged[-1] = (merged[-1][0] + text, tone, bold)
        else:
            merged.append((text, tone, bold))
    return merged


def _marks(picture: Picture, frame: _Frame, raster: Raster, style: Style) -> dict[int, dict[int, str]]:
    """Characters of event marks by line and column: a dashed rule or a tick, its name where there is room."""
    dots_per_cell = raster.dots_x // raster.width
    placed: dict[int, Mark] = {}
    for mark in sorted(picture.marks, key=lambda mark: (mark.rule, mark.at_s)):
        x = math.floor((mark.at_s - frame.start_s) / frame.step_s) // dots_per_cell
        if 0 <= x < frame.width:
            placed[x] = mark
    marks: dict[int, dict[int, str]] = {y: {} for y in range(frame.height)}
    columns = sorted(placed)
    for index, x in enumerate(columns):
        name = clean(placed[x].name, style.glyphs.ascii)
        for line in list(marks.values())[: None if placed[x].rule else 1]:
            line[x] = style.glyphs.marker if placed[x].rule else style.glyphs.down
        end = columns[index + 1] if index + 1 < len(columns) else frame.width
        if end - x - 1 >= 3 and name:
            shown = fit_text(name, min(len(name), end - x - 1), "left", style.glyphs)
            marks[0].update(enumerate(shown, x + 1))
    return marks


def _centred(text: str, width: int) -> dict[int, str]:
    return dict(enumerate(text, (width - len(text)) // 2)) if width >= len(text) else {}


def _ticks(frame: _Frame, unit: str) -> dict[int, str]:
    ticks = {0: frame.top}
    if frame.height >= 2:
        ticks[frame.height - 1] = 0.0
    if frame.height >= 5 and frame.height % 2:
        ticks[frame.height // 2] = frame.top / 2
    return {y: label(value, unit) for y, value in ticks.items()}


def _axis(tick: str | None, frame: _Frame, style: Style) -> list[Run]:
    if not frame.left:
        return []
    rule = style.glyphs.bar if tick is None else style.glyphs.tick
    return [((tick or "").rjust(frame.left - 1) + rule, "muted", False)]


def _time_axis(picture: Picture, frame: _Frame, style: Style) -> Line:
    """Start, middle and end of the time across."""
    ages = (picture.span_s, picture.span_s / 2, 0.0)
    texts = [_time_label(picture, age_s, style) for age_s in ages]
    if frame.width < sum(map(len, texts)) + 4:
        end = texts[-1] if frame.width >= len(texts[-1]) else ""
        return ((" " * frame.left + end.rjust(frame.width), "muted", False),)
    middle = texts[1].center(frame.width - len(texts[0]) - len(texts[2]))
    return ((" " * frame.left + texts[0] + middle + texts[2], "muted", False),)


def _time_label(picture: Picture, age_s: float, style: Style) -> str:
    if style.clock:
        seconds = ":%S" if picture.span_s < SECONDS_BELOW_S else ""
        return datetime.fromtimestamp(picture.end_s - age_s, style.zone).strftime(f"%H:%M{seconds}")
    return ago(age_s)


def _legend(picture: Picture, width: int, style: Style) -> Line:
    """Names with their last values. Narrow: names are cut, then the last ones left out, with the sign for either."""
    signs = style.glyphs
    longest = max((cell_len(clean(series.name, signs.ascii)) for series in picture.series), default=0)
    for count in range(len(picture.series), -1, -1):
        missing = len(picture.series) - count
        sign: list[list[Run]] = [[(f"+{missing} {signs.more}", "muted", False)]] if missing else []
        for name_width in range(max(longest, SHORTEST_NAME), SHORTEST_NAME - 1, -1):
            shown = picture.series[:count]
            entries = [_entry(index, series, name_width, picture, signs) for index, series in enumerate(shown)]
            for gap in ("  ", " "):
                if _width(line := _joined([*entries, *sign], gap)) <= width:
                    return line
    return ()


def _entry(index: int, series: Series, name_width: int, picture: Picture, signs: Glyphs) -> list[Run]:
    """The axis shows the unit; here it stands for time and shares only."""
    value = series.points[-1][1] if series.points else None
    last = signs.dash if value is None else label(value, picture.unit if picture.unit in (SECONDS, SHARE) else "")
    name = clean(series.name, signs.ascii)
    shown = fit_text(name, min(name_width, cell_len(name)), "left", signs)
    return [(f"{_sign(index, picture, signs)} {shown} ", series.tone, False), (last, series.tone, True)]


def _sign(index: int, picture: Picture, signs: Glyphs) -> str:
    if picture.stacked:
        kinds = ASCII_SIGNS if signs.ascii else SIGNS
        return kinds[index % len(kinds)]
    return ASCII_MARKS[index % len(ASCII_MARKS)] if signs.ascii else signs.line


def _joined(entries: Sequence[list[Run]], gap: str) -> Line:
    between: Run = (gap, "", False)
    return tuple(run for index, entry in enumerate(entries) for run in (between, *entry)[index == 0 :])


def _width(line: Line) -> int:
    return sum(cell_len(text) for text, _, _ in line)
