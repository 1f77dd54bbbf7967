"""Segments that cannot be read: set aside, so that those behind them come back; kept, counted and told."""

from __future__ import annotations

from queuectl.model import Tier
from queuectl.store import keys, overflow_server
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.notes import note
from queuectl.store.packed import unpack
from queuectl.store.scripts import load
from queuectl.store.segment_ids import SegmentId

ASIDE = load("set_segment_aside")
RECONSIDERED = 20
"""Damaged segments that one refill looks at again: another version of queuectl may be able to read them."""


def set_aside(queue: str, tier: Tier, segment_id: str, why: str, *, fence: str) -> Steps[None]:
    """Let a refill go on behind this segment, and note it in the audit log."""
    jobs = SegmentId.parse(segment_id).jobs
    if (yield from _mark(queue, tier, segment_id, why, fence=fence)):
        text = f"{jobs:,} in {tier.value} set aside"
        yield from note("damage", queue, after=text, reason=f"segment {segment_id}: {why}", fence=fence)


def reconsider(queue: str, tier: Tier, *, fence: str) -> Steps[int]:
    """Let damaged segments in again that can be read after all; returns their jobs."""
    found = yield from ask(command("HKEYS", keys.tier_damaged(tier.value, queue)))
    back = 0
    for segment_id in sorted(raw.decode() for raw in found)[:RECONSIDERED]:
        blob, _ = yield from read(queue, tier, segment_id)
        if blob is None or not _readable(blob):
            continue
        let_in = yield from _mark(queue, tier, segment_id, "", fence=fence)
        back += let_in * SegmentId.parse(segment_id).jobs
    return back


def read(queue: str, tier: Tier, segment_id: str) -> Steps[tuple[bytes | None, bool]]:
    """A segment's blob, and whether the overflow server keeps it. None: the segment is gone.

    One that the overflow server has lost is empty, which is no segment. Raises OverflowServerError.
    """
    blob: bytes | None = yield from ask(command("HGET", keys.tier(tier.value, queue), segment_id))
    if blob == b"":
        return (yield from overflow_server.read(queue, segment_id)) or b"", True
    return blob, False


def _readable(blob: bytes) -> bool:
    try:
        unpack(blob)
    except ValueError:
        return False
    return True


def _mark(queue: str, tier: Tier, segment_id: str, why: str, *, fence: str) -> Steps[int]:
    kind, jobs = tier.value, SegmentId.parse(segment_id).jobs
    done: int = yield from ask(
        script(
            ASIDE,
            (keys.tier(kind, queue), keys.tier_index(kind, queue), keys.tier_causes(kind, queue),
             keys.tier_totals(kind, queue), keys.tier_damaged(kind, queue), keys.returning(queue)),
            (fence, segment_id, why, jobs),
        )
    )  # fmt: skip
    return done
