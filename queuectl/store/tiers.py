"""Move jobs between the primary tier and the packed ones, one bounded step at a time, each job always in one place.

primary --stage--> staging list --pack--> segment in overflow or shed --restore--> primary. A crash between two steps
leaves ids in the staging list or a segment in its tier; the next step carries on from there.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from queuectl.model import Tier
from queuectl.store import keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.packed import Segment, first_enqueued_s, pack, unpack
from queuectl.store.scripts import load

STAGE = load("stage_jobs")
COMMIT = load("commit_segment")
RESTORE = load("restore_segment")
UNSTAGE = load("unstage_jobs")
SEGMENT_JOBS = 1000


@dataclass(frozen=True, slots=True)
class Staging:
    """A staging list and what becomes of it."""

    queue: str
    owner: str
    tier: Tier
    reason: str
    cause: int = 0
    end: str = "tail"


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
) -> Steps[tuple[int, int]]:
    """Take up to `most` ids off the queue; (staged, looked at).

    `shedding` leaves messages with an ordering key (no hole in a sequence), `spare_fresh` those younger than their own
    max age too.
    """
    staged, looked_at = yield from ask(
        script(
            STAGE,
            (keys.queue(queue), keys.staging(queue, owner), keys.staged(queue)),
            (fence, queue, owner, end, most, "" if cutoff_s is None else f"{cutoff_s:.6f}",
             "fresh" if spare_fresh else "ordered" if shedding else ""),
        )
    )  # fmt: skip
    return staged, looked_at


def pack_staged(staging: Staging, *, fence: str) -> Steps[int]:
    """Pack the head of a staging list (up to 1,000 jobs) into its tier. Returns the jobs that left the list."""
    name = keys.staging(staging.queue, staging.owner)
    ids = [raw.decode() for raw in (yield from ask(command("LRANGE", name, 0, SEGMENT_JOBS - 1)))]
    if not ids:
        return 0
    now, *records = yield (command("TIME"), *(command("HGETALL", keys.job(job_id)) for job_id in ids))
    jobs = tuple(
        (job_id, _as_dict(record))
        for job_id, record in zip(ids, records, strict=True)
        if record and b"data" in _as_dict(record)
    )
    packed_at_s = int(now[0]) + int(now[1]) / 1e6
    segment = Segment(jobs, staging.reason, staging.cause, staging.end, packed_at_s)
    blob = pack(segment) if jobs else b""
    tier = staging.tier.value
    done = yield from ask(
        script(
            COMMIT,
            (name, keys.tier(tier, staging.queue), keys.tier_index(tier, staging.queue),
             keys.tier_totals(tier, staging.queue), keys.staged(staging.queue), keys.ledger(staging.queue)),
            (fence, staging.owner, _segment_id(staging, packed_at_s), blob, f"{first_enqueued_s(jobs):.6f}", len(jobs),
             staging.cause, len(ids) - len(jobs), ids[0], ids[-1], *(job_id for job_id, _ in jobs)),
        )
    )  # fmt: skip
    return len(ids) if done else 0


def _segment_id(staging: Staging, packed_at_s: float) -> str:
    """Carries cause, end and time, so that an undo finds its own segments, in order, without reading blobs."""
    return f"{staging.cause}.{staging.end}.{int(packed_at_s * 1e6)}.{secrets.token_hex(3)}"


def _place(segment_id: str) -> int:
    """Sorts segments of one cause as their messages stood in the queue: from the tail, the newest were packed first."""
    _, end, packed_at, _ = segment_id.split(".")
    return int(packed_at) if end == "head" else -int(packed_at)


def _as_dict(record: object) -> dict[bytes, bytes]:
    if isinstance(record, dict):
        return record
    pairs = list(record)  # type: ignore[call-overload]
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Restored:
    """One segment brought back; `segments_left` counts those that still match."""

    jobs: int
    skipped: int
    segments_left: int


def restore_next(queue: str, tier: Tier, *, fence: str, only_cause: int, to_head: bool) -> Steps[Restored]:
    """Restore one matching segment to the primary tier.

    To the tail, the first of the queue first. To the head (undo of a drain that took from the head), the last of them
    first, so that the order ends up as it was. Raises ValueError for a damaged segment, which stays where it is.
    """
    segment_ids = yield from _matching(queue, tier, only_cause)
    if not segment_ids:
        return Restored(0, 0, 0)
    segment_id = segment_ids[-1] if to_head else segment_ids[0]
    blob = yield from ask(command("HGET", keys.tier(tier.value, queue), segment_id))
    if blob is None:
        yield (command("ZREM", keys.tier_index(tier.value, queue), segment_id),)
        return Restored(0, 0, len(segment_ids) - 1)
    arguments: list[str | bytes | int | float] = [fence, segment_id, "head" if to_head else "tail"]
    segment = unpack(blob)
    arguments.append(len(segment.jobs))
    for job_id, record in segment.jobs:
        arguments += (job_id, 2 * len(record))
        for field, value in record.items():
            arguments += (field, value)
    restored, skipped = yield from ask(
        script(
            RESTORE,
            (keys.queue(queue), keys.tier(tier.value, queue), keys.tier_index(tier.value, queue),
             keys.tier_totals(tier.value, queue), keys.ledger(queue), keys.QUEUES),
            arguments,
        )
    )  # fmt: skip
    return Restored(max(0, restored), skipped, len(segment_ids) - 1)


def _matching(queue: str, tier: Tier, only_cause: int) -> Steps[list[str]]:
    """Segment ids by their messages' age; those of one cause, or of one age, as they stood in the queue."""
    raw = yield from ask(command("ZRANGE", keys.tier_index(tier.value, queue), 0, -1, "WITHSCORES"))
    segments = [(float(score), found.decode()) for found, score in raw]
    if only_cause:
        return sorted((found for _, found in segments if found.startswith(f"{only_cause}.")), key=_place)
    return [found for _, found in sorted(segments, key=lambda segment: (segment[0], _place(segment[1])))]


def took_from_head(queue: str, tier: Tier, cause: int) -> Steps[bool]:
    """Whether the segments of this cause were taken from the head of the queue."""
    segment_ids = yield from _matching(queue, tier, cause)
    return bool(segment_ids) and segment_ids[0].split(".")[1] == "head"


def unstage(queue: str, owner: str, *, fence: str, end: str) -> Steps[int]:
    """Put a whole staging list back on its queue, in order."""
    total = 0
    while True:
        moved: int = yield from ask(
            script(
                UNSTAGE,
                (keys.queue(queue), keys.staging(queue, owner), keys.staged(queue)),
                (fence, owner, end, SEGMENT_JOBS),
            )
        )
        total += moved
        if moved < SEGMENT_JOBS:
            return total


def sweep_stale(queue: str, *, fence: str, max_age_s: float, end: str = "head") -> Steps[int]:
    """Stage the stale end of a shedding queue (for stock workers, which do not check ages when they claim)."""
    now = yield from ask(command("TIME"))
    staged, _ = yield from stage(
        queue, "sweep", fence=fence, end=end, most=SEGMENT_JOBS, cutoff_s=int(now[0]) - max_age_s,
        shedding=True, spare_fresh=True,
    )  # fmt: skip
    return staged


def staged_owners(queue: str) -> Steps[dict[str, int]]:
    """Who has how many ids staged."""
    reply = _as_dict((yield from ask(command("HGETALL", keys.staged(queue)))))
    return {owner.decode(): int(number) for owner, number in reply.items()}
