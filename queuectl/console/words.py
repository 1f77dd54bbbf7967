"""Numbers, ages and times as an operator reads them: separators, `17m48s`, a dash for unknown, a sign for estimated."""

from __future__ import annotations

import math
from datetime import datetime, tzinfo

from queuectl.console.glyphs import UNICODE, Glyphs

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_BYTES = ("B", "kB", "MB", "GB", "TB")


def count(number: int | None, signs: Glyphs = UNICODE) -> str:
    """48112 -> 48,112."""
    return signs.dash if number is None else f"{number:,}"


def short(number: float) -> str:
    """4412 -> 4.4k, for sentences; tables show every digit."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:.1f}{suffix}"
    return f"{number:.0f}"


def rate(per_s: float | None, signs: Glyphs = UNICODE) -> str:
    """Messages a second; one decimal below ten, where it matters."""
    if per_s is None:
        return signs.dash
    return f"{per_s:.1f}" if 0 < per_s < 9.95 else f"{per_s:,.0f}"


def age(seconds: float | None, signs: Glyphs = UNICODE) -> str:
    """1068 -> 17m48s: two units, tenths below ten seconds; `never` for infinity."""
    if seconds is None:
        return signs.dash
    if math.isinf(seconds):
        return "never"
    if seconds < 0.05:
        return "0s"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    return _two_units(round(seconds))


def coarse(seconds: float | None, signs: Glyphs = UNICODE) -> str:
    """An age in one unit, for forecasts: nobody needs the seconds of an hour that is only expected."""
    if seconds is None or math.isinf(seconds) or seconds < 1:
        return "0s" if seconds is not None and seconds < 1 else age(seconds, signs)
    unit, length = next((unit, length) for unit, length in _UNITS if seconds >= length)
    return f"{seconds / length:.0f}{unit}"


def duration(seconds: float | None) -> str:
    """A length somebody chose: 14400 -> 4h, 5400 -> 1h30m; None is `no expiry`."""
    return "no expiry" if seconds is None else _two_units(round(seconds)) if seconds >= 1 else f"{seconds:g}s"


def _two_units(seconds: int) -> str:
    for index, (unit, size) in enumerate(_UNITS):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            smaller = _UNITS[index + 1] if index + 1 < len(_UNITS) else None
            minor = rest // smaller[1] if smaller else 0
            return f"{whole}{unit}{minor}{smaller[0]}" if smaller and minor else f"{whole}{unit}"
    return "0s"


def size(amount_bytes: int | None, signs: Glyphs = UNICODE) -> str:
    """Bytes in decimal units."""
    if amount_bytes is None:
        return signs.dash
    scaled = float(amount_bytes)
    for unit in _BYTES:
        if scaled < 1000 or unit == _BYTES[-1]:
            return f"{scaled:.0f} {unit}" if unit == "B" or scaled >= 100 else f"{scaled:.1f} {unit}"
        scaled /= 1000
    return signs.dash


def percent(share: float | None, signs: Glyphs = UNICODE) -> str:
    """0.97 -> 97%."""
    return signs.dash if share is None else f"{share:.0%}"


def estimated(text: str, really: bool, signs: Glyphs = UNICODE) -> str:
    """Marks a figure that is only an estimate; a dash stays a dash."""
    return f"{signs.approx}{text}" if really and text != signs.dash else text


def clock(epoch_s: float, zone: tzinfo | None = None) -> str:
    """Local time of day, `14:02:31`; `zone` None is the machine's own."""
    return datetime.fromtimestamp(epoch_s, zone).strftime("%H:%M:%S")


def clock_short(epoch_s: float, zone: tzinfo | None = None) -> str:
    """Local time of day without seconds, for `since 13:58`."""
    return datetime.fromtimestamp(epoch_s, zone).strftime("%H:%M")


def fit(text: str, width: int, signs: Glyphs = UNICODE) -> str:
    """At most `width` characters, with a sign where something was cut."""
    if len(text) <= width:
        return text
    return text[: width - 1] + signs.ellipsis if width > 0 else ""


def plain(text: str, signs: Glyphs = UNICODE) -> str:
    """Text of others in one safe line: control characters become spaces."""
    line = text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)
    return to_ascii(line) if signs.ascii else line


_ASCII = {
    **dict.fromkeys(map(ord, "─━═╌┄▔▁▂▃▄▀█"), "-"),
    **dict.fromkeys(map(ord, "│┃║┊▌▐▎▏▕▍▋▊▉"), "|"),
    **dict.fromkeys(map(ord, "┌┐└┘├┤┬┴┼╭╮╰╯▖▗▘▝"), "+"),
    ord("–"): "-", ord("—"): "-", ord("…"): "~", ord("·"): "-", ord("●"): "o", ord("•"): "*", ord("→"): ">",
    ord("≈"): "~",
    ord("✓"): "+", ord("“"): '"', ord("”"): '"', ord("’"): "'", ord("×"): "x",
    ord("🔎"): "/ ",
}  # fmt: skip
"""What we, the gate and Textual's own widgets write; each stand-in takes the same number of cells."""


def to_ascii(data: str) -> str:
    """For terminals whose locale is not UTF-8. What has no stand-in becomes a question mark."""
    return data if data.isascii() else data.translate(_ASCII).encode("ascii", "replace").decode()
