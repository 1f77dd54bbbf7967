"""Counting what waits and what went wrong: age by doubling buckets × domain, as Postfix's qshape does, and reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from queuectl.model import WaitingSample

BUCKETS = 6
"""The last one holds everything older than the others."""
FIRST_BOUNDS_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
OTHER_JOBS = "(no mail address)"
_VARYING = re.compile(r"\b(?=[\w.:-]*\d)(?=[\w.:-]*[A-Za-z_])[\w.:-]{6,}\b|\b\d{5,}\b")
"""Queue ids, times and the like, which differ from one reply to the next."""
_MAILBOX = re.compile(r"[^\s@<>]*@(?=\S)")
"""What stands before the domain of an address, masked or not."""


@dataclass(frozen=True, slots=True)
class AgeRow:
    """One domain; `counts` a bucket."""

    domain: str
    total: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AgeTable:
    """Jobs by age and domain, scaled up from the sample. `bounds_s[i]` ends bucket i; the last bucket has no end."""

    bounds_s: tuple[float, ...]
    total: AgeRow
    rows: tuple[AgeRow, ...]
    """Largest first."""
    sampled: int
    depth: int

    @property
    def estimated(self) -> bool:
        return self.sampled < self.depth


@dataclass(frozen=True, slots=True)
class ReasonGroup:
    """A reason, with what varies in it taken out, and how many jobs gave it."""

    reason: str
    count: int


def age_table(waiting: Sequence[WaitingSample], depth: int) -> AgeTable:
    """Count a sample of a queue with `depth` waiting jobs."""
    bounds_s = bounds(max((job.age_s for job in waiting), default=0.0))
    scale = depth / len(waiting) if waiting else 0.0
    found = Counter((job.domain or OTHER_JOBS, _bucket(job.age_s, bounds_s)) for job in waiting)
    rows = [_row(domain, found, scale) for domain in {domain for domain, _ in found}]
    rows.sort(key=lambda row: (-row.total, row.domain))
    everything = Counter({("", bucket): 0 for bucket in range(BUCKETS)})
    for (_, bucket), number in found.items():
        everything["", bucket] += number
    return AgeTable(bounds_s, _row("", everything, scale), tuple(rows), len(waiting), max(depth, len(waiting)))


def bounds(oldest_s: float) -> tuple[float, ...]:
    """Where buckets end, seconds: doubling, from the smallest beginning that leaves the last bucket for the oldest."""
    wanted = (first for first in FIRST_BOUNDS_S if first * 2 ** (BUCKETS - 1) >= oldest_s)
    first = next(wanted, FIRST_BOUNDS_S[-1])
    return tuple(first * 2**index for index in range(BUCKETS - 1))


def _bucket(age_s: float, bounds_s: Sequence[float]) -> int:
    return next((index for index, bound in enumerate(bounds_s) if age_s < bound), len(bounds_s))


def _row(domain: str, found: Counter[tuple[str, int]], scale: float) -> AgeRow:
    counts = [found[domain, bucket] for bucket in range(BUCKETS)]
    return AgeRow(domain, round(sum(counts) * scale), tuple(round(count * scale) for count in counts))


def group_reasons(reasons: Iterable[str]) -> tuple[ReasonGroup, ...]:
    """Reasons by how often they were given, the most frequent first."""
    found = Counter(map(_kind, reasons))
    return tuple(
        ReasonGroup(reason, count) for reason, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )


def _kind(reason: str) -> str:
    """The reason without what differs from message to message; domains stay, for they often are the cause."""
    words = _MAILBOX.sub("\0", " ".join(reason.split())).split(" ")
    return " ".join(word.replace("\0", "…@") if "\0" in word else _VARYING.sub("…", word) for word in words)
