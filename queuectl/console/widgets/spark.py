"""A row of bars, one cell a value."""

from __future__ import annotations

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.:-=+*#"


def spark(values: Sequence[float], width: int, *, ascii: bool = False) -> str:
    """The last `width` values as bars from 0 to the largest of them, padded on the left to exactly `width` cells."""
    if width <= 0:
        return ""
    bars = ASCII_BARS if ascii else BARS
    shown = [max(0.0, value) for value in values[-width:]]
    top = max(shown, default=0.0)
    return "".join(_bar(value, top, bars) for value in shown).rjust(width)


def _bar(value: float, top: float, bars: str) -> str:
    if top <= 0:
        return bars[0]
    return bars[min(len(bars) - 1, int(value / top * (len(bars) - 1) + 0.5))]
