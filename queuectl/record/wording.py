"""Numbers and times as a report writes them."""

from __future__ import annotations

import math
from datetime import datetime, tzinfo

UNKNOWN = "–"
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def count(number: float | None, *, estimated: bool = False) -> str:
    """48112.0 -> 48,112; with ≈ before an estimate."""
    return UNKNOWN if number is None else f"{'≈' if estimated else ''}{round(number):,}"


def short(number: float) -> str:
    """An axis' label: 4412 -> 4.4k, 250000 -> 250k."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:.1f}".removesuffix(".0") + suffix
    return f"{number:.1f}".removesuffix(".0")


def age(seconds: float | None) -> str:
    """1068 -> 17m48s: two units; tenths below ten seconds."""
    if seconds is None:
        return UNKNOWN
    if math.isinf(seconds):
        return "never"
    if seconds < 9.95:
        return f"{seconds:.1f}s".replace(".0s", "s")
    whole = round(seconds)
    for index, (unit, size) in enumerate(_UNITS):
        if whole >= size:
            major, rest = divmod(whole, size)
            if index + 1 == len(_UNITS) or not rest // _UNITS[index + 1][1]:
                return f"{major}{unit}"
            return f"{major}{unit}{rest // _UNITS[index + 1][1]}{_UNITS[index + 1][0]}"
    return "0s"


def clock(at_s: float, zone: tzinfo | None) -> str:
    """Time of day; `zone` None is the machine's own."""
    return datetime.fromtimestamp(at_s, zone).strftime("%H:%M:%S")


def moment(at_s: float, zone: tzinfo | None) -> str:
    """Date and time of day."""
    return datetime.fromtimestamp(at_s, zone).strftime("%Y-%m-%d %H:%M:%S")


def zone_name(at_s: float, zone: tzinfo | None) -> str:
    """CET (UTC+01:00)."""
    there = datetime.fromtimestamp(at_s, zone).astimezone(zone)
    offset = there.strftime("%z")
    return f"{there.tzname()} (UTC{offset[:3]}:{offset[3:5]})"
