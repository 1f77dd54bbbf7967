"""Ids of packed segments: they say what is in one without reading it, and sort as their messages stood in the queue."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace

_LAST = 10**16 - 1
"""Beyond any time in microseconds; times count down from it where the newest messages are packed first."""
_REASON = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class SegmentId:
    """`cause`: audit number of the action behind it; `end`: head or tail of the queue, where its jobs were taken."""

    cause: int
    end: str
    packed_at_us: int
    jobs: int
    reason: str
    nonce: str

    @classmethod
    def new(cls, cause: int, end: str, packed_at_s: float, jobs: int, reason: str) -> SegmentId:
        return cls(cause, end, int(packed_at_s * 1e6), jobs, slug(reason), secrets.token_hex(3))

    @classmethod
    def parse(cls, text: str) -> SegmentId:
        """Raises ValueError for anything else."""
        place, cause, end, jobs, reason, nonce = text.split(".")
        packed_at_us = int(place) if end == "head" else _LAST - int(place)
        return cls(int(cause), end, packed_at_us, int(jobs), reason, nonce)

    def rest(self, jobs: int) -> SegmentId:
        """What remains of it in its place when `jobs` are left."""
        return replace(self, jobs=jobs, nonce=secrets.token_hex(3))

    def __str__(self) -> str:
        place = self.packed_at_us if self.end == "head" else _LAST - self.packed_at_us
        return f"{place:016d}.{self.cause}.{self.end}.{self.jobs}.{self.reason}.{self.nonce}"


def before_ids(cause: int) -> str:
    """What stands before an id in the index by cause (lua/lib/segment.lua)."""
    return f"{cause:010d}."


def slug(reason: str) -> str:
    """A reason as it stands in ids and is given on a command line: `max-age`."""
    return _REASON.sub("-", reason.lower()).strip("-")[:32] or "none"
