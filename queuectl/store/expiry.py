"""The shed store is kept for a time, then it goes: segment by segment, by when each was packed."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.model import Tier
from queuectl.store import damage, keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.packed import uncounted, unpack
from queuectl.store.scripts import load
from queuectl.store.segment_ids import SegmentId
from queuectl.store.segments import Selection, find_next

EXPIRE = load("expire_segment")
_SHED = Tier.SHED.value


@dataclass(frozen=True, slots=True)
class Expired:
    """`jobs` went now; `cursor`: where the next look begins; `more`: something behind it has not been looked at."""

    jobs: int
    cursor: str
    more: bool


def expire_next(queue: str, before_s: float, cursor: str, *, fence: str) -> Steps[Expired]:
    """Drop the next shed segment packed before this moment (server time, s), or look at one page of the index.

    What cannot be read while stock producers' jobs are among the shed ones is set aside as damaged, and stays.
    """
    found = yield from find_next(queue, Tier.SHED, Selection(packed_before_s=before_s), cursor=cursor)
    if not found.segment_id:
        return Expired(0, found.cursor, found.left > 0)
    segment = SegmentId.parse(found.segment_id)
    foreign = yield from _uncounted(queue, found.segment_id, fence=fence)
    done = 0 if foreign is None else (yield from _expire(queue, segment, foreign, fence=fence))
    return Expired(segment.jobs * done, found.cursor, True)


def _uncounted(queue: str, segment_id: str, *, fence: str) -> Steps[int | None]:
    """Its jobs that the ledger does not know; None: it is gone, or damaged and set aside."""
    if not int((yield from ask(command("HGET", keys.tier_totals(_SHED, queue), "foreign"))) or 0):
        return 0
    blob, _ = yield from damage.read(queue, Tier.SHED, segment_id)
    if blob is None:
        return None
    try:
        return uncounted(unpack(blob).jobs)
    except ValueError as error:
        yield from damage.set_aside(queue, Tier.SHED, segment_id, str(error), fence=fence)
        return None


def _expire(queue: str, segment: SegmentId, foreign: int, *, fence: str) -> Steps[int]:
    names = (
        keys.tier(_SHED, queue), keys.tier_index(_SHED, queue), keys.tier_causes(_SHED, queue),
        keys.tier_totals(_SHED, queue), keys.ledger(queue),
    )  # fmt: skip
    done: int = yield from ask(script(EXPIRE, names, (fence, str(segment), segment.jobs, segment.reason, foreign)))
    return done
