"""Bring packed jobs back: segment by segment, each in parts small enough for the server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from queuectl.model import Tier
from queuectl.store import damage, keys, overflow_server
from queuectl.store.client import Argument, OverflowServerError, Steps, ask, command, script
from queuectl.store.packed import Columns, Job, columns_of, first_enqueued_s, uncounted
from queuectl.store.scripts import load
from queuectl.store.segment_ids import SegmentId, before_ids
from queuectl.store.segments import EVERYTHING, Selection, find_next

RESTORE = load("restore_segment")
PART_JOBS = 250
"""Jobs in one script call, a quarter of a segment: under two milliseconds of the server's time."""
LOOKS_FOR_AGE = 10


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back of one segment; `segments_left` counts those that still match."""

    jobs: int
    skipped: int
    """A job with their id exists again."""
    segments_left: int
    damaged: str = ""
    """Id of a segment that could not be read and was set aside; nothing came back."""
    cursor: str = ""
    """Where the next search goes on, with a selection that filters."""


def restore_next(
    queue: str, tier: Tier, *, fence: str, only_cause: int = 0, to_head: bool = False, most: int | None = None,
    which: Selection = EVERYTHING, cursor: str = "",
) -> Steps[Restored]:  # fmt: skip
    """Restore the next matching segment, or `most` jobs of it, to the primary tier.

    To the tail, the first of the queue first. To the head (undo of a drain that took from the head), the last of them
    first, so that the order ends up as it was. Raises OverflowServerError.
    """
    selection = Selection(only_cause) if only_cause else which
    found = yield from find_next(queue, tier, selection, last=to_head, cursor=cursor)
    if not found.segment_id:
        return Restored(0, 0, found.left, cursor=found.cursor)
    target = keys.queue(queue)
    back = yield from _restore(queue, tier, found.segment_id, target, most=most, fence=fence, to_head=to_head)
    if back.left and not back.damaged:
        return Restored(back.jobs, back.skipped, found.left, cursor=found.cursor)
    left = found.left if selection.filtered else found.left - 1
    return Restored(back.jobs, back.skipped, left, found.segment_id if back.damaged else "", found.cursor)


def restore(
    queue: str, tier: Tier, segment_id: str, target: str, *, fence: str, to_head: bool
) -> Steps[tuple[int, int]]:
    """Restore one segment to an end of the list `target`, the queue's or its surge list.

    (restored, skipped because they exist again); restored is -1 when the segment is gone, or set aside because it
    cannot be read. Raises OverflowServerError.
    """
    back = yield from _restore(queue, tier, segment_id, target, most=None, fence=fence, to_head=to_head)
    return (-1 if back.gone or back.damaged else back.jobs), back.skipped


@dataclass(slots=True)
class _Back:
    jobs: int = 0
    skipped: int = 0
    left: int = 0
    damaged: bool = False
    gone: bool = False


def _restore(
    queue: str, tier: Tier, segment_id: str, target: str, *, most: int | None, fence: str, to_head: bool
) -> Steps[_Back]:
    blob, away = yield from damage.read(queue, tier, segment_id)
    if blob is None:
        by_cause = before_ids(SegmentId.parse(segment_id).cause) + segment_id
        yield (
            command("ZREM", keys.tier_index(tier.value, queue), segment_id),
            command("ZREM", keys.tier_causes(tier.value, queue), by_cause),
        )
        return _Back(gone=True)
    try:
        columns = columns_of(blob)
    except ValueError as error:
        why = str(error) if blob else "missing on the overflow server"
        yield from damage.set_aside(queue, tier, segment_id, why, fence=fence)
        return _Back(damaged=True)
    wanted = len(columns) if most is None else min(most, len(columns))
    back = yield from _in_parts(queue, tier, segment_id, columns, target=target, wanted=wanted, fence=fence,
                                to_head=to_head)  # fmt: skip
    if away and not back.gone and not back.damaged:
        # What cannot be deleted there now is noted as leaving: it is cleared later.
        with contextlib.suppress(OverflowServerError):
            yield from overflow_server.forget(queue, [segment_id])
    return back


def _in_parts(
    queue: str, tier: Tier, segment_id: str, columns: Columns, *, target: str, wanted: int, fence: str, to_head: bool
) -> Steps[_Back]:
    back = _Back()
    while True:
        taken, rest = _split(columns, min(wanted, PART_JOBS), to_head=to_head)
        try:
            part, rest_age_s = taken.jobs(), _age_of(rest)
        except ValueError as error:
            yield from damage.set_aside(queue, tier, segment_id, str(error), fence=fence)
            back.damaged = True
            return back
        rest_id = str(SegmentId.parse(segment_id).rest(len(rest))) if len(rest) else ""
        restored, skipped = yield from ask(
            script(
                RESTORE,
                (target, *_keys(queue, tier)),
                (fence, queue, segment_id, "head" if to_head else "tail", len(part), SegmentId.parse(segment_id).reason,
                 uncounted(part), "1" if tier is Tier.SHED else "", rest_id, rest.blob() if rest_id else b"",
                 f"{rest_age_s:.6f}", len(columns), *_arguments(part)),
            )
        )  # fmt: skip
        if restored < 0:
            back.gone = True
            return back
        back.jobs, back.skipped, back.left = back.jobs + restored, back.skipped + skipped, len(rest)
        wanted -= len(part)
        if wanted <= 0 or not rest_id:
            return back
        columns, segment_id = rest, rest_id


def _split(columns: Columns, number: int, *, to_head: bool) -> tuple[Columns, Columns]:
    """The jobs that come back next, and the segment without them."""
    place, end = len(columns) - number if to_head else number, len(columns)
    before, behind = columns.part(0, place), columns.part(place, end)
    return (behind, before) if to_head else (before, behind)


def _age_of(columns: Columns) -> float:
    """What sorts a segment: when its first job that says so was enqueued."""
    return first_enqueued_s(columns.part(0, LOOKS_FOR_AGE).jobs())


def _keys(queue: str, tier: Tier) -> tuple[str, ...]:
    kind = tier.value
    return (keys.tier(kind, queue), keys.tier_index(kind, queue), keys.tier_totals(kind, queue), keys.ledger(queue),
            keys.QUEUES, keys.returning(queue), keys.tier_causes(kind, queue), keys.tier_away(kind, queue))  # fmt: skip


def _arguments(jobs: Sequence[Job]) -> Iterator[Argument]:
    for job_id, record in jobs:
        yield from (job_id, record.get(b"ordering_key", b""), 2 * len(record))
        for pair in record.items():
            yield from pair
