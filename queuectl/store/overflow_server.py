"""Overflow on a second server: what is packed there, and in which order, so that a crash anywhere loses nothing.

Writing: the segment's id is noted here, the segment is written there, then one script here drops the jobs' records and
lists the segment. Reading: the segment is fetched, one script here brings its jobs back and notes that it is leaving,
then it is deleted there. What a note is left for belongs to nobody: `clear_leftovers` deletes it.
"""

from __future__ import annotations

from queuectl.model import Tier
from queuectl.store import keys
from queuectl.store.client import OVERFLOW_CONFIGURED, Steps, ask, command, elsewhere, script
from queuectl.store.scripts import load

LEFTOVERS = load("claim_leftovers")
GIVEN_UP_AFTER_S = 60.0
"""A process that has not listed what it wrote for so long is dead; were it not, it could not list it any more."""
MOST_LEFTOVERS = 100
_OVERFLOW = Tier.OVERFLOW.value


def keeps(tier: Tier) -> Steps[bool]:
    """Whether new segments of this tier go to the overflow server."""
    if tier is not Tier.OVERFLOW:
        return False
    configured: bool = yield from ask(OVERFLOW_CONFIGURED)
    return configured


def write(queue: str, segment_id: str, blob: bytes, now_s: float) -> Steps[None]:
    """Keep a segment there. Raises OverflowServerError."""
    yield (command("HSET", keys.tier_away(_OVERFLOW, queue), segment_id, f"writing {now_s:.3f}"),)
    yield (elsewhere("HSET", keys.tier(_OVERFLOW, queue), segment_id, blob),)


def read(queue: str, segment_id: str) -> Steps[bytes | None]:
    """A segment that is kept there; None: it is missing. Raises OverflowServerError."""
    blob: bytes | None = yield from ask(elsewhere("HGET", keys.tier(_OVERFLOW, queue), segment_id))
    return blob


def forget(queue: str, segment_ids: list[str]) -> Steps[None]:
    """Delete segments there that nothing here refers to any more. Raises OverflowServerError."""
    yield (elsewhere("HDEL", keys.tier(_OVERFLOW, queue), *segment_ids),)
    yield (command("HDEL", keys.tier_away(_OVERFLOW, queue), *segment_ids),)


def clear_leftovers(queue: str, *, fence: str, now_s: float) -> Steps[int]:
    """Delete up to a hundred segments that dead processes left there; how many. Raises OverflowServerError."""
    if not (yield from ask(OVERFLOW_CONFIGURED)):
        return 0
    gone = yield from leftovers(queue, fence=fence, now_s=now_s)
    if gone:
        yield from forget(queue, gone)
    return len(gone)


def leftovers(queue: str, *, fence: str, now_s: float) -> Steps[list[str]]:
    """Ids of segments there that nobody may list here any more."""
    given_up_s = now_s - GIVEN_UP_AFTER_S
    gone = yield from ask(
        script(LEFTOVERS, (keys.tier_away(_OVERFLOW, queue),), (fence, f"{given_up_s:.3f}", MOST_LEFTOVERS))
    )
    return [segment_id.decode() for segment_id in gone]
