"""Say the same to the terminal in fewer bytes: what Textual writes resets every style and spells the next one out."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice

BOLD, DIM, NOT_BOLD = "1", "2", "22"
_STYLE = re.compile(r"\x1b\[0m(\x1b\[\d+;\d+H)?\x1b\[([\d;]+)m|\x1b\[([\d;]*)m")
"""A reset with the next style behind it, perhaps at another place; or a style alone."""


def thrifty(data: str) -> str:
    """The same picture: where one style follows another, only what differs is said. Each write stands by itself."""
    current = ""

    def shorter(found: re.Match[str]) -> str:
        nonlocal current
        before, place, following, alone = current, found[1] or "", found[2], found[3]
        if following is None:
            current = alone if not before and alone != "0" else ""
            return found[0]
        current = following
        return place + _change(before, following)

    return _STYLE.sub(shorter, data)


@lru_cache(4096)
def _change(before: str, after: str) -> str:
    """From one style to the next; `before` empty: not known."""
    (old, old_front, old_back), (new, front, back) = _parts(before), _parts(after)
    lost = old - new
    sayable = before and not lost - {BOLD} and not (lost and DIM in new)
    if not sayable or (old_front and not front) or (old_back and not back):
        return f"\x1b[0;{after}m"
    codes = [NOT_BOLD] * bool(lost) + sorted(new - old)
    codes += [colour for colour, was in ((front, old_front), (back, old_back)) if colour != was]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def _parts(style: str) -> tuple[frozenset[str], str, str]:
    """Attributes, foreground, background, as codes."""
    attributes, front, back = set(), "", ""
    codes = iter(style.split(";"))
    for code in codes:
        colour = code
        if code in ("38", "48"):
            kind = next(codes, "")
            colour = ";".join((code, kind, *islice(codes, 1 if kind == "5" else 3)))
        match code[:-1]:
            case "3" | "9":
                front = colour
            case "4" | "10":
                back = colour
            case _:
                attributes.add(code)
    return frozenset(attributes), front, back
