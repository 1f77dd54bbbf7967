"""Move jobs out of the primary tier, one bounded step at a time, each job always in one place.

primary --stage--> staging list --pack--> segment in overflow or shed (`restoring` brings it back). A crash between two
steps leaves ids in the staging list or a segment in its tier; the next step carries on from there. The staging list's
end is stored beside it, so that ids go back to where they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queuectl.model import Tier
from queuectl.store import keys, overflow_server
from queuectl.store.aside import waiting_list
from queuectl.store.client import Argument, Steps, ask, command, script
from queuectl.store.packed import Job, Segment, first_enqueued_s, pack, uncounted
from queuectl.store.restoring import Restored, restore, restore_next
from queuectl.store.scripts import load
from queuectl.store.segment_ids import SegmentId

__all__ = [
    "SEGMENT_JOBS", "STAGE_JOBS", "Restored", "Staging", "kept_by", "pack_staged", "put_back", "restore",
    "restore_next", "stage", "staged_owners", "sweep_stale", "unstage",
]  # fmt: skip

STAGE = load("stage_jobs")
COMMIT = load("commit_segment")
UNSTAGE = load("unstage_jobs")
SEGMENT_JOBS = 1000
STAGE_JOBS = 500
"""Jobs in one call that looks at their records: some two milliseconds of the server's time."""
SWEEP_LOOKS = 40
"""Calls of one sweep: it passes over 20,000 stale messages that shedding spares."""


@dataclass(frozen=True, slots=True)
class Staging:
    """A staging list and what becomes of it."""

    queue: str
    owner: str
    tier: Tier
    reason: str
    cause: int = 0
    end: str = "tail"
    returning: str = ""
    """head or tail: the segment comes back by itself, before or after the others that do. Empty: it is parked."""


def kept_by(owner: str) -> str:
    """Owner of the list where a staging list's owner puts aside what it passes over."""
    return f"{owner}.kept"


def stage(
    queue: str,
    owner: str,
    *,
    fence: str,
    end: str,
    most: int,
    cutoff_s: float | None,
    shedding: bool,
    spare_fresh: bool = False,
    keep: bool = False,
    marked_by: str = "",
) -> Steps[tuple[int, int]]:
    """Take up to `most` ids off the queue; (staged, looked at).

    `shedding` spares messages with an ordering key (no hole in a sequence), `spare_fresh` those younger than their own
    max age too, and those that came back from the shed store. What is spared stays where it is, or with `keep` is put
    aside until `put_back`, so that the next call looks behind it. With `marked_by` only jobs that this operation moved
    are taken; the others go to the other end of the queue.
    """
    spare = "unmarked" if marked_by else "fresh" if spare_fresh else "ordered" if shedding else ""
    kept = kept_by(owner)
    source = yield from waiting_list(queue)
    staged, looked_at, _ = yield from ask(
        script(
            STAGE,
            (source, keys.staging(queue, owner), keys.staged(queue), keys.staging(queue, kept)),
            (fence, owner, end, most, "" if cutoff_s is None else f"{cutoff_s:.6f}", spare, kept if keep else "",
             marked_by),
        )
    )  # fmt: skip
    return staged, looked_at


def put_back(queue: str, owner: str, *, fence: str) -> Steps[int]:
    """Put what `stage` kept aside back to its end of the queue; how many."""
    return (yield from unstage(queue, kept_by(owner), fence=fence))


def pack_staged(staging: Staging, *, fence: str) -> Steps[int]:
    """Pack up to 1,000 jobs of a staging list into its tier, those that left their queue first. Returns the jobs that
    left the list. Raises OverflowServerError."""
    name = keys.staging(staging.queue, staging.owner)
    from_head = staging.end == "head"
    span = (0, SEGMENT_JOBS - 1) if from_head else (-SEGMENT_JOBS, -1)
    ids = [raw.decode() for raw in (yield from ask(command("LRANGE", name, *span)))]
    if not ids:
        return 0
    now, *records = yield (command("TIME"), *(command("HGETALL", keys.job(job_id)) for job_id in ids))
    found = ((job_id, _as_dict(record)) for job_id, record in zip(ids, records, strict=True) if record)
    jobs = tuple((job_id, record) for job_id, record in found if b"data" in record)
    packed_at_s = int(now[0]) + int(now[1]) / 1e6
    segment_id = str(SegmentId.new(staging.cause, staging.end, packed_at_s, len(jobs), staging.reason))
    blob = pack(Segment(jobs, staging.reason, staging.cause, staging.end, packed_at_s)) if jobs else b""
    if jobs and (yield from overflow_server.keeps(staging.tier)):
        yield from overflow_server.write(staging.queue, segment_id, blob, packed_at_s)
        blob = b""
    return len(ids) if (yield from _commit(staging, segment_id, blob, ids, jobs, fence=fence)) else 0


def _commit(
    staging: Staging, segment_id: str, blob: bytes, ids: Sequence[str], jobs: Sequence[Job], *, fence: str
) -> Steps[bool]:
    queue, tier = staging.queue, staging.tier.value
    names = (
        keys.staging(queue, staging.owner), keys.tier(tier, queue), keys.tier_index(tier, queue),
        keys.tier_totals(tier, queue), keys.staged(queue), keys.ledger(queue), keys.returning(queue),
        keys.tier_causes(tier, queue), keys.tier_away(tier, queue),
    )  # fmt: skip
    arguments: list[Argument] = [fence, staging.owner, segment_id, blob, f"{first_enqueued_s(jobs):.6f}", len(jobs)]
    arguments += [len(ids) - len(jobs), ids[0], ids[-1], "head" if staging.end == "head" else "tail"]
    arguments += [staging.returning, SegmentId.parse(segment_id).reason, uncounted(jobs)]
    done: int = yield from ask(script(COMMIT, names, (*arguments, *(job_id for job_id, _ in jobs))))
    return done == 1


def _as_dict(record: object) -> dict[bytes, bytes]:
    if isinstance(record, dict):
        return record
    pairs = list(record)  # type: ignore[call-overload]
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def unstage(queue: str, owner: str, *, fence: str, end: str = "") -> Steps[int]:
    """Put a whole staging list back on its queue, in order, at the end it was taken from or at `end`."""
    total = 0
    while True:
        moved: int = yield from ask(
            script(
                UNSTAGE,
                ((yield from waiting_list(queue)), keys.staging(queue, owner), keys.staged(queue)),
                (fence, owner, end, SEGMENT_JOBS),
            )
        )
        total += moved
        if moved < SEGMENT_JOBS:
            return total


def sweep_stale(queue: str, *, fence: str, max_age_s: float, end: str = "head") -> Steps[int]:
    """Stage the stale end of a shedding queue (for stock workers, which do not check ages when they claim)."""
    now = yield from ask(command("TIME"))
    total = 0
    for _ in range(SWEEP_LOOKS if end == "head" else SEGMENT_JOBS // STAGE_JOBS):
        staged, looked_at = yield from stage(
            queue, "sweep", fence=fence, end=end, most=STAGE_JOBS, cutoff_s=int(now[0]) - max_age_s,
            shedding=True, spare_fresh=True, keep=True,
        )  # fmt: skip
        total += staged
        if looked_at < STAGE_JOBS or total >= SEGMENT_JOBS:
            break
    yield from put_back(queue, "sweep", fence=fence)
    return total


def staged_owners(queue: str) -> Steps[dict[str, int]]:
    """Who has how many ids staged."""
    reply = _as_dict((yield from ask(command("HGETALL", keys.staged(queue)))))
    return {owner.decode(): int(number) for owner, number in reply.items()}
