"""A forecast in words: one line a figure, before → after."""

from __future__ import annotations

import math

from queuectl.policy.forecast import Flow, Forecast, forecast

UNKNOWN = "–"


def compare(before: Flow, after: Flow) -> tuple[str, ...]:
    """What a change makes of the next hour. Figures that play no part are left out."""
    now, then = forecast(before), forecast(after)
    return tuple(f"{label} {old} → {new}" for label, old, new in figures(now, then))


def figures(now: Forecast, then: Forecast) -> tuple[tuple[str, str, str], ...]:
    """(what, before, after); without what nobody knows, and what plays no part."""
    rows = [
        ("waiting", f"{now.waiting:,}", f"{then.waiting:,}"),
        ("clears in", humane_s(now.clear_s), humane_s(then.clear_s)),
        ("wait of a new message", _wait(now.wait_s), _wait(then.wait_s)),
    ]
    for label, old, new in (("shed", now.shed, then.shed), ("refused", now.refused, then.refused)):
        if old or new:
            rows.append((f"{label} in the next hour", f"{old:,}", f"{new:,}"))
    rows.append(("memory at most", humane_bytes(now.peak_bytes), humane_bytes(then.peak_bytes)))
    return tuple(row for row in rows if row[1:] != (UNKNOWN, UNKNOWN))


def _wait(seconds: float) -> str:
    return "under 1s" if seconds < 1 else humane_s(seconds)


def humane_s(seconds: float | None) -> str:
    """17m48s, 4h, 2d3h; `never` for infinity, – for unknown."""
    if seconds is None or math.isnan(seconds):
        return UNKNOWN
    if math.isinf(seconds):
        return "never"
    whole = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if whole >= size or (unit == "s" and not parts):
            parts.append(f"{whole // size}{unit}")
            whole %= size
    return "".join(parts[:2])


def humane_bytes(number: float) -> str:
    """9 kB, 21.1 MB, 4.5 GB: powers of ten."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"
