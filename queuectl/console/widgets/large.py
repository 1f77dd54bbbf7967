"""A plot that fills the screen, drawn with plotext: more room, so more ticks and every event by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from queuectl.console.widgets.plot import Style
from queuectl.console.widgets.scale import axis_top, label
from queuectl.console.widgets.series import Picture, Series
from queuectl.console.widgets.stack import stacked
from queuectl.console.widgets.text import clean

Ink = tuple[int, int, int] | int
"""A colour: red, green and blue, or one of the terminal's own by number."""
LINE_SIGNS = "*+ox"
AREA_SIGNS = "█▒░·"
ASCII_AREA_SIGNS = "#+.-"
TIME_TICKS, VALUE_TICKS = 6, 4
MARK_ROWS = 4
MUTED = "muted"
_WHITE_GROUND = "\x1b[48;5;15m"
"""What plotext takes for its default under axes and rules, whatever it is told; the terminal's own is better."""
_FRAME = str.maketrans("┌┐└┘─│┤├┬┴┼", "++++-|+++++")


@dataclass(frozen=True, slots=True)
class Inks:
    """Colours by tone; empty: none at all, so that signs tell the curves apart."""

    by_tone: Mapping[str, Ink]

    def pixel(self, tone: str) -> Any:
        import plotext

        ink = self.by_tone.get(tone)
        return plotext.pixel("default" if ink is None else ink, "default")


def draw_large(picture: Picture, width: int, height: int, style: Style, inks: Inks) -> str:
    """The plot as `height` lines of text with ANSI colours. Names of events that are close stand below one another."""
    import plotext
    from plotext import figure

    plotext.terminal.limit(False, False)
    figure.clear.all()
    figure.plot_size(width, height)
    figure.theme("colorless")
    figure.axes(True, None, inks.pixel(MUTED))
    curves = stacked(picture.series) if picture.stacked else picture.series
    top = picture.most or axis_top(_highest(curves, picture), picture.unit)
    marks = sorted((mark for mark in picture.marks if mark.at_s >= _start_s(picture)), key=lambda mark: mark.at_s)
    _rulers(figure, picture, top, style)
    for mark in marks:
        if mark.rule:
            figure.line(mark.at_s, 1, pixel=inks.pixel(MUTED))
    _curves(figure, curves, picture, style, inks)
    for place, mark in enumerate(marks):
        below = place % MARK_ROWS / max(height - 4, MARK_ROWS)
        name = ("" if mark.rule else f"{style.glyphs.down} ") + clean(mark.name, style.glyphs.ascii)
        figure.draw(figure.text(mark.at_s, top * (1 - below), name))
    drawn: str = figure.build().string(colorless=not inks.by_tone).rstrip("\n").replace(_WHITE_GROUND, "")
    return drawn.translate(_FRAME) if style.glyphs.ascii else drawn


def _curves(figure: Any, curves: Sequence[Series], picture: Picture, style: Style, inks: Inks) -> None:
    """Areas from the uppermost down, each covering what is below the next one's edge."""
    import plotext

    order = list(enumerate(curves))
    for index, one in reversed(order) if picture.stacked else order:
        marker = plotext.marker(_sign(index, picture, style, inks), inks.pixel(one.tone))
        for points in _runs(one, _start_s(picture), picture):
            signal = figure.signal([at for at, _ in points], [value for _, value in points], marker=marker)
            figure.draw(signal.lines(len(points) > 1).fillx(picture.stacked))


def _start_s(picture: Picture) -> float:
    return picture.end_s - picture.span_s


def legend(picture: Picture, style: Style, inks: Inks) -> list[tuple[str, str]]:
    """(text, tone) a curve: its sign, its name, its last value."""
    entries = []
    for index, one in enumerate(picture.series):
        value = one.points[-1][1] if one.points else None
        last = style.glyphs.dash if value is None else label(value, picture.unit)
        sign = _sign(index, picture, style, inks)
        shown = style.glyphs.line * 2 if sign == "braille" else sign
        entries.append((f"{shown} {clean(one.name, style.glyphs.ascii)} {last}", one.tone))
    return entries


def _sign(index: int, picture: Picture, style: Style, inks: Inks) -> str:
    if picture.stacked:
        return (ASCII_AREA_SIGNS if style.glyphs.ascii else AREA_SIGNS)[index % len(AREA_SIGNS)]
    if inks.by_tone and not style.glyphs.ascii:
        return "braille"
    return LINE_SIGNS[index % len(LINE_SIGNS)]


def _highest(curves: Sequence[Series], picture: Picture) -> float:
    start_s = _start_s(picture)
    return max(
        (value for one in curves for at, value in one.points if value is not None and at >= start_s), default=0.0
    )


def _runs(one: Series, start_s: float, picture: Picture) -> list[list[tuple[float, float]]]:
    """The points in sight, split where the curve has gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for at, value in one.points:
        if value is None or (runs[-1] and picture.gap_s is not None and at - runs[-1][-1][0] > picture.gap_s):
            runs.append([])
        if value is not None and at >= start_s:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _rulers(figure: Any, picture: Picture, top: float, style: Style) -> None:
    start_s = _start_s(picture)
    times = [start_s + picture.span_s * part / TIME_TICKS for part in range(TIME_TICKS + 1)]
    pattern = "%H:%M:%S" if picture.span_s < 600 else "%H:%M"
    figure.ruler(0).lim(start_s, picture.end_s)
    figure.ruler(0).ticks(times, [datetime.fromtimestamp(at, style.zone).strftime(pattern) for at in times])
    values = [top * part / VALUE_TICKS for part in range(VALUE_TICKS + 1)]
    figure.ruler(1).lim(0, top)
    figure.ruler(1).ticks(values, [label(value, picture.unit) for value in values])
