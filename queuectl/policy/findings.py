"""One thing that an operator should know, and how urgent it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How urgent a finding is."""

    INFO = 0
    WARN = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing an operator should know. `queue` is empty when it concerns the whole fleet."""

    severity: Severity
    text: str
    queue: str = ""


def rate(per_s: float) -> str:
    """4.4k, 52, 0.3."""
    return f"{per_s / 1000:.1f}k" if per_s >= 1000 else f"{per_s:.0f}" if per_s >= 10 else f"{per_s:.1f}"
