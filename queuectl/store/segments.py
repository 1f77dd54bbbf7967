"""Find packed segments by what they were packed for, in bounded reads of their indexes; segments are not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from queuectl.model import Tier
from queuectl.store import keys
from queuectl.store.client import Call, Steps, ask, command
from queuectl.store.segment_ids import SegmentId, before_ids, slug

PAGE = 500
"""Ids looked at in one step."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which segments. `cause`: the audit number of the action that packed them, 0 any; it goes with no other filter."""

    cause: int = 0
    packed_after_s: float | None = None
    """Packed at this moment (server time) or later."""
    reason: str = ""
    """As `slug` writes it; empty: any."""
    packed_before_s: float | None = None

    @property
    def filtered(self) -> bool:
        """Only a look at each id tells which match."""
        return self.packed_after_s is not None or self.packed_before_s is not None or bool(self.reason)

    def matches(self, found: SegmentId) -> bool:
        if self.packed_after_s is not None and found.packed_at_us < self.packed_after_s * 1e6:
            return False
        if self.packed_before_s is not None and found.packed_at_us >= self.packed_before_s * 1e6:
            return False
        return not self.reason or found.reason == slug(self.reason)


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Found:
    """The next segment that matches, empty when none does so far; `left` counts it and those behind it (a filter: 1
    while there may be more). `cursor`: where the next look of a filter begins."""

    segment_id: str
    left: int
    cursor: str = ""


def find_next(queue: str, tier: Tier, which: Selection, *, last: bool = False, cursor: str = "") -> Steps[Found]:
    """The first that matches, or the `last`: those of one cause as they stood in the queue, else by their age."""
    if which.filtered:
        return (yield from _scan(queue, tier, which, cursor))
    found, left = yield _ends_of_cause(queue, tier, which.cause, last) if which.cause else _ends(queue, tier, last)
    return Found(_id_in(found[0], which) if found else "", int(left))


def _id_in(raw: bytes, which: Selection) -> str:
    """A segment's id as an index holds it."""
    return raw.decode().removeprefix(before_ids(which.cause)) if which.cause else raw.decode()


def _ends(queue: str, tier: Tier, last: bool) -> tuple[Call, Call]:
    index, place = keys.tier_index(tier.value, queue), -1 if last else 0
    return command("ZRANGE", index, place, place), command("ZCARD", index)


def _ends_of_cause(queue: str, tier: Tier, cause: int, last: bool) -> tuple[Call, Call]:
    index, (low, high) = keys.tier_causes(tier.value, queue), _range(cause)
    first = ("ZREVRANGEBYLEX", index, high, low) if last else ("ZRANGEBYLEX", index, low, high)
    return command(*first, "LIMIT", 0, 1), command("ZLEXCOUNT", index, low, high)


def _range(cause: int) -> tuple[str, str]:
    """All ids that begin with it: `/` comes after `.`."""
    begin = before_ids(cause)
    return f"[{begin}", f"({begin[:-1]}/"


def _scan(queue: str, tier: Tier, which: Selection, cursor: str) -> Steps[Found]:
    """Look at one page behind the cursor, which is a score and how many of that score were passed already."""
    score, _, passed = cursor.partition(" ")
    index = keys.tier_index(tier.value, queue)
    page = yield from ask(
        command("ZRANGEBYSCORE", index, score or "-inf", "+inf", "WITHSCORES", "LIMIT", int(passed or 0), PAGE)
    )
    for place, (raw, _) in enumerate(page):
        if which.matches(SegmentId.parse(raw.decode())):
            return Found(raw.decode(), 1, _advanced(cursor, page[:place]))
    return Found("", int(len(page) == PAGE), _advanced(cursor, page))


def _advanced(cursor: str, passed: Sequence[tuple[bytes, float]]) -> str:
    if not passed:
        return cursor
    score, _, before = cursor.partition(" ")
    last = repr(float(passed[-1][1]))
    same = sum(repr(float(found)) == last for _, found in passed)
    return f"{last} {same + (int(before or 0) if last == score else 0)}"


def of_selection(queue: str, tier: Tier, which: Selection) -> Steps[tuple[SegmentId, ...]]:
    """All that match; reads the whole index, in pages."""
    found: list[SegmentId] = []
    start = 0
    while True:
        if which.cause:
            low, high = _range(which.cause)
            call = command("ZRANGEBYLEX", keys.tier_causes(tier.value, queue), low, high, "LIMIT", start, PAGE)
        else:
            call = command("ZRANGE", keys.tier_index(tier.value, queue), start, start + PAGE - 1)
        page = yield from ask(call)
        found += _matching(page, which)
        if len(page) < PAGE:
            return tuple(found)
        start += PAGE


def _matching(page: Sequence[bytes], which: Selection) -> Iterator[SegmentId]:
    for raw in page:
        segment = SegmentId.parse(_id_in(raw, which))
        if which.matches(segment):
            yield segment


def jobs_in(segments: Sequence[SegmentId]) -> int:
    return sum(segment.jobs for segment in segments)


def by_reason(totals: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
    """(reason, jobs stored), most first, out of a tier's totals."""
    prefix = "reason:"
    counts = [(name.removeprefix(prefix), int(jobs)) for name, jobs in totals.items() if name.startswith(prefix)]
    return tuple(sorted((pair for pair in counts if pair[1] > 0), key=lambda pair: (-pair[1], pair[0])))
