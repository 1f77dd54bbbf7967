"""Curves as inline SVG: no script, no font, no file from elsewhere. Colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from markupsafe import Markup, escape

from queuectl.record.wording import age, clock, short

Point = tuple[float, float | None]
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 14, 22
"""Margins around the drawing, px."""
MOST_POINTS = 400
TICKS = 4
_TENS = (1.0, 2.0, 4.0, 8.0, 10.0)
_AGES_S = (1, 2, 4, 8, 20, 40, 60, 120, 240, 480, 1200, 2400, 3600, 7200, 14_400, 28_800, 57_600, 86_400)
"""Tops of an axis whose quarters are round too, the latter in seconds."""
_TIME_STEPS_S = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)


@dataclass(frozen=True, slots=True)
class Curve:
    """One line. A point's value None: unknown, the line is broken there."""

    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment at which something was done; `kind` is `operator` or `auto`."""

    at_s: float
    label: str
    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The span and the look that all charts of a report share."""

    from_s: float
    to_s: float
    gap_s: float
    """A line is broken where two points lie further apart."""
    zone: tzinfo | None
    markers: Sequence[Marker]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Unit:
    """How values are written, and where an axis may end."""

    label: Callable[[float], str]
    top: Callable[[float], float]


def chart(title: str, curves: Sequence[Curve], frame: Frame, unit: Unit) -> Markup:
    """One chart with its legend."""
    values = [value for curve in curves for _, value in curve.points if value is not None and math.isfinite(value)]
    scale = _Scale(frame, unit.top(max(values, default=0.0)))
    parts = [
        Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            frame.width, frame.height, title
        ),
        *_value_axis(scale, unit.label),
        *_time_axis(scale),
        *_marks(scale),
        *(_line(curve, index, scale) for index, curve in enumerate(curves)),
        Markup("</svg>"),
    ]
    return Markup('<figure><figcaption>{} {}</figcaption>{}</figure>').format(
        Markup("<b>{}</b>").format(title), _legend(curves, unit.label), Markup("").join(parts)
    )  # fmt: skip


class _Scale:
    """Time and value to px."""

    def __init__(self, frame: Frame, top: float) -> None:
        self.frame = frame
        self.top = top
        self.right = frame.width - RIGHT
        self.floor = frame.height - BOTTOM

    def x(self, at_s: float) -> float:
        length_s = max(self.frame.to_s - self.frame.from_s, 1.0)
        return LEFT + (at_s - self.frame.from_s) / length_s * (self.right - LEFT)

    def y(self, value: float) -> float:
        return self.floor - min(value, self.top) / self.top * (self.floor - TOP)


def _round_top(highest: float) -> float:
    """The round number at or above the highest value."""
    power = 10.0 ** math.floor(math.log10(max(highest, 1.0)))
    return next(step * power for step in _TENS if step * power >= highest * 0.999)


def _age_top_s(highest: float) -> float:
    """The round age at or above the highest."""
    days = math.ceil(highest / 4 / 86_400) * 4 * 86_400
    return next((float(top) for top in _AGES_S if top >= highest * 0.999), float(days))


AMOUNT = Unit(short, _round_top)
AGE = Unit(age, _age_top_s)


def _value_axis(scale: _Scale, label: Callable[[float], str]) -> Iterator[Markup]:
    for tick in range(TICKS + 1):
        value = scale.top * tick / TICKS
        y = scale.y(value)
        yield Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(LEFT, scale.right, y, y)
        yield Markup('<text class="axis" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(
            LEFT - 6, y + 4, label(value)
        )


def _time_axis(scale: _Scale) -> Iterator[Markup]:
    frame = scale.frame
    most = (scale.right - LEFT) / 90
    step = next((step for step in _TIME_STEPS_S if (frame.to_s - frame.from_s) / step <= most), _TIME_STEPS_S[-1])
    at_s = math.ceil(frame.from_s / step) * step
    while at_s <= frame.to_s:
        text = clock(at_s, frame.zone)
        yield Markup('<text class="axis" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            scale.x(at_s), scale.floor + 16, text if step < 60 else text[:5]
        )
        at_s += step


def _marks(scale: _Scale) -> Iterator[Markup]:
    for marker in scale.frame.markers:
        x = scale.x(marker.at_s)
        yield Markup(
            '<g class="mark {}"><line x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/><text x="{:.1f}" y="{}">{}</text>'
            "<title>{}</title></g>"
        ).format(marker.kind, x, x, TOP, scale.floor, x, TOP - 4, marker.label, marker.text)


def _line(curve: Curve, index: int, scale: _Scale) -> Markup:
    path, before_s = [], -math.inf
    for at_s, value in _thinned(curve.points):
        if value is None:
            before_s = -math.inf
            continue
        verb = "L" if at_s - before_s <= scale.frame.gap_s * _thinning(curve.points) else "M"
        path.append(f"{verb}{scale.x(at_s):.1f} {scale.y(value):.1f}")
        before_s = at_s
    return Markup('<path class="line c{}" d="{}"><title>{}</title></path>').format(index, "".join(path), curve.name)


def _thinning(points: Sequence[Point]) -> int:
    return max(1, math.ceil(len(points) / MOST_POINTS))


def _thinned(points: Sequence[Point]) -> Iterator[Point]:
    """At most MOST_POINTS, of each stretch the highest: a peak is never lost."""
    size = _thinning(points)
    for start in range(0, len(points), size):
        known = [point for point in points[start : start + size] if point[1] is not None]
        yield max(known, key=lambda point: point[1] or 0.0) if known else points[start]


def _legend(curves: Sequence[Curve], label: Callable[[float], str]) -> Markup:
    items = []
    for index, curve in enumerate(curves):
        last = next((value for _, value in reversed(curve.points) if value is not None), None)
        shown = Markup(" {}").format(label(last)) if last is not None else Markup(" –")
        items.append(Markup('<span class="key c{}">{}{}</span>').format(index, escape(curve.name), shown))
    return Markup(" ").join(items)
