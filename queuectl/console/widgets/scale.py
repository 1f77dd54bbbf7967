"""Axes in units people use: where an axis ends, and what stands at its ticks. Pure."""

from __future__ import annotations

import math

SECONDS = "s"
"""The unit whose axis counts in minutes, hours and days."""
SHARE = "%"
"""The unit of shares: 1 is 100 %."""
_STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
_TIME_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)
_TIME_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def axis_top(value: float, unit: str = "") -> float:
    """The round number an axis from 0 ends at so that `value` fits; it seldom changes, so the picture stands still."""
    if value <= 0:
        return 1.0
    if unit == SECONDS and value >= 1:
        for step in _TIME_STEPS_S:
            if value <= step:
                return float(step)
        return float(math.ceil(value / 86_400) * 86_400)
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in _STEPS if value <= step * power * (1 + 1e-9)), 10 * power)


def label(value: float, unit: str = "") -> str:
    """A value in at most five characters and its unit: 48.1k, 1.2M, 17m, 0.5/s."""
    if unit == SECONDS:
        return _time(value)
    if unit == SHARE:
        return f"{value:.0%}"
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return _digits(value / limit) + suffix + unit
    return _digits(value) + unit


def ago(seconds: float) -> str:
    """A place on a relative time axis: `now`, `-30s`, `-5m`."""
    return "now" if seconds < 0.5 else f"-{_time(seconds)}"


def _digits(value: float) -> str:
    """Three significant digits at most, no trailing zeros."""
    if abs(value) >= 99.95:
        return f"{value:.0f}"
    text = f"{value:.1f}" if abs(value) >= 0.095 or value == 0 else f"{value:.2g}"
    return text.removesuffix(".0")


def _time(seconds: float) -> str:
    for index, (unit, size) in enumerate(_TIME_UNITS):
        if seconds >= size:
            whole, rest = divmod(round(seconds), size)
            minor, name = (rest // _TIME_UNITS[index + 1][1], _TIME_UNITS[index + 1][0]) if index < 2 else (rest, "s")
            return f"{whole}{unit}{minor}{name}" if minor and whole < 10 else f"{whole}{unit}"
    return f"{_digits(seconds)}s"
