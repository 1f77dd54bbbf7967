"""The live tiers behind a queue's primary list, one first-in-first-out line with it: surge (ids only), overflow that
comes back by itself (packed), and the newest arrivals on their way there.

primary <- surge <- squeezed <- overflow, packed <- arrivals. Each function is one bounded step of the leader's; claims
help themselves from surge and arrivals (lua/lib/surge.lua), so that nothing is stranded when there is no leader. Newest
first, the same tiers lie the other way round: surge is what is older than the primary, overflow older still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from queuectl.model import Direction, QueueState, Tier
from queuectl.store import keys, tiers
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

SHIFT = load("shift_jobs")
SWEEP = load("sweep_primary")
MOST = tiers.SEGMENT_JOBS
ARRIVALS, SQUEEZE, SWEPT = "arrivals", "squeeze", "swept"
OWNERS = frozenset({ARRIVALS, SQUEEZE, SWEPT})
"""Staging lists that belong to the line."""
REASON = "overflow by itself"
End = Literal["head", "tail"]


@dataclass(frozen=True, slots=True)
class _Place:
    """One end of a list; `owner` where it is a staging list."""

    key: str
    end: End
    owner: str = ""

    @classmethod
    def staged(cls, queue: QueueState, owner: str, end: End) -> _Place:
        return cls(keys.staging(queue.name, owner), end, owner)


def sweep(queue: QueueState, keep: int, *, fence: str) -> Steps[int]:
    """Put what the primary has beyond `keep`, or beyond its last refill where stock producers push to it, to the end of
    the line. Returns messages swept; call again until that is 0."""
    swept_list = _Place.staged(queue, SWEPT, "head")
    swept, belong_back = yield from ask(
        script(
            SWEEP,
            (keys.queue(queue.name), keys.surge(queue.name), swept_list.key, keys.staged(queue.name),
             keys.control(queue.name)),
            (fence, queue.name, keep, "1" if queue.assisted else ""),
        )
    )  # fmt: skip
    while belong_back > 0:
        primary = _Place(keys.queue(queue.name), "tail")
        yield from _shift(queue, swept_list, primary, belong_back, fence=fence, settled=True)
        belong_back -= MOST
    return int(swept)


def primary_depth(queue: QueueState) -> Steps[int]:
    """Ids in the primary tier now."""
    depth: int = yield from ask(command("LLEN", keys.queue(queue.name)))
    return depth


def trim(queue: QueueState, most: int, *, fence: str) -> Steps[int]:
    """Newest first: put `most` (up to 1,000) of the oldest of the primary behind it."""
    primary, surge = _Place(keys.queue(queue.name), "head"), _Place(keys.surge(queue.name), "tail")
    return (yield from _shift(queue, primary, surge, most, fence=fence))


def refill(queue: QueueState, most: int, *, fence: str) -> Steps[int]:
    """Bring `most` (up to 1,000) from surge into the primary."""
    near, far = _ends(queue)
    surge, primary = _Place(keys.surge(queue.name), near), _Place(keys.queue(queue.name), far)
    return (yield from _shift(queue, surge, primary, most, fence=fence, settled=True))


def bring_back(queue: QueueState, *, fence: str) -> Steps[int]:
    """Bring what comes next behind surge into it, one segment or up to 1,000 arrivals; 0 when nothing does, -1 when it
    was a segment that is gone, or set aside because it cannot be read. Raises OverflowServerError."""
    near, far = _ends(queue)
    surge = _Place(keys.surge(queue.name), far)
    squeezed, segment_id = yield (
        command("EXISTS", keys.staging(queue.name, SQUEEZE)),
        command("LINDEX", keys.returning(queue.name), 0 if near == "head" else -1),
    )
    if segment_id and not squeezed:
        return (yield from _restore(queue, segment_id.decode(), surge, fence))
    source = _Place.staged(queue, SQUEEZE if squeezed else ARRIVALS, near)
    return (yield from _shift(queue, source, surge, MOST, fence=fence))


def _restore(queue: QueueState, segment_id: str, surge: _Place, fence: str) -> Steps[int]:
    restored, skipped = yield from tiers.restore(
        queue.name, Tier.OVERFLOW, segment_id, surge.key, fence=fence, to_head=surge.end == "head"
    )
    if restored >= 0:
        return restored + skipped
    yield (command("LREM", keys.returning(queue.name), 1, segment_id),)
    return -1


def pack_arrivals(queue: QueueState, *, fence: str) -> Steps[int]:
    """Pack the oldest 1,000 arrivals, if there are as many. Returns messages packed."""
    if (yield from ask(command("LLEN", keys.staging(queue.name, ARRIVALS)))) < MOST:
        return 0
    return (yield from _pack(queue, ARRIVALS, "tail", fence))


def squeeze(queue: QueueState, most: int, *, fence: str) -> Steps[int]:
    """Pack what lies at the far end of surge, when that has 1,000 more than `most`. Returns messages packed."""
    near, far = _ends(queue)
    staging = _Place.staged(queue, SQUEEZE, near)
    length, staged = yield command("LLEN", keys.surge(queue.name)), command("EXISTS", staging.key)
    if not staged and length >= most + MOST:
        yield from _shift(queue, _Place(keys.surge(queue.name), far), staging, MOST, fence=fence)
        staged = 1
    return (yield from _pack(queue, SQUEEZE, near, fence)) if staged else 0


def _pack(queue: QueueState, owner: str, returning: End, fence: str) -> Steps[int]:
    staging = tiers.Staging(queue.name, owner, Tier.OVERFLOW, REASON, queue.overflowing.cause, "head", returning)
    return (yield from tiers.pack_staged(staging, fence=fence))


def _ends(queue: QueueState) -> tuple[End, End]:
    """The end of a tier that is nearer to the primary, and the one that is farther."""
    return ("tail", "head") if queue.direction.value == Direction.LIFO else ("head", "tail")


def _shift(
    queue: QueueState, source: _Place, target: _Place, most: int, *, fence: str, settled: bool = False
) -> Steps[int]:
    shifted: int = yield from ask(
        script(
            SHIFT,
            (source.key, target.key, keys.staged(queue.name), keys.control(queue.name)),
            (fence, source.end, target.end, min(most, MOST), source.owner, target.owner, "1" if settled else ""),
        )
    )
    return shifted
