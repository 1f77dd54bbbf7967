"""Lengths of time as people write them: 90s, 15m, 4h, 2d, 1h30m."""

from __future__ import annotations

import argparse
import re

_UNITS_S = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_WHOLE = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
LONGEST_S = 3650 * 86_400.0


def parse_s(text: str) -> float:
    """Seconds. A bare number is seconds. Raises ValueError that says what is allowed."""
    found = _WHOLE.fullmatch(text.strip().lower())
    if not found or not any(found.groups()):
        raise ValueError(f"{text!r} is not a length of time; write 90s, 15m, 4h, 2d or 1h30m")
    seconds = sum(float(part) * size for part, size in zip(found.groups(), _UNITS_S.values(), strict=True) if part)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"{text!r} is out of range; more than 0 and at most ten years")
    return seconds


def duration(text: str) -> float:
    """The same as an argparse type."""
    try:
        return parse_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
