"""Look into the packed tiers: their jobs, oldest segment first, without taking anything out.

Only the header of a segment is read to pass over it; a look goes through a bounded number of segments.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import zstandard

from queuectl.model import Tier, UsageError
from queuectl.store import keys
from queuectl.store.client import Steps, ask, command
from queuectl.store.packed import unpack

MOST_SEGMENTS = 100
"""Segments (of up to 1,000 jobs) a look goes through."""
AT_ONCE = 5
"""Segments in one round trip: some tens of kilobytes each."""


@dataclass(frozen=True, slots=True)
class PackedJob:
    """One job of a segment and why it was packed. A segment that cannot be read is one job without a record."""

    job_id: str
    reason: str
    record: Mapping[bytes, bytes] = field(default_factory=dict)


def page(queue: str, tier: Tier, offset: int, limit: int) -> Steps[list[PackedJob]]:
    """Jobs `offset`… of a tier. Raises UsageError when `offset` lies behind the segments a look goes through."""
    segment_ids, more = yield from _segments(queue, tier)
    found: list[PackedJob] = []
    passed = 0
    for first in range(0, len(segment_ids), AT_ONCE):
        for segment_id, blob in (yield from _blobs(queue, tier, segment_ids[first : first + AT_ONCE])):
            size = len(_ids(blob))
            if passed + size > offset:
                start = max(0, offset - passed)
                found += _jobs(segment_id, blob)[start : start + limit - len(found)]
            passed += size
            if len(found) >= limit:
                return found
    if not found and more:
        raise UsageError(f"only the first {passed:,} jobs in {tier.value} can be looked at; refill to reach the others")
    return found


def find(queue: str, tier: Tier, job_id: str) -> Steps[PackedJob | None]:
    """One job by id; None when it is not in the segments a look goes through."""
    segment_ids, _ = yield from _segments(queue, tier)
    for first in range(0, len(segment_ids), AT_ONCE):
        for segment_id, blob in (yield from _blobs(queue, tier, segment_ids[first : first + AT_ONCE])):
            if job_id in _ids(blob):
                return next(job for job in _jobs(segment_id, blob) if job.job_id == job_id)
    return None


def _segments(queue: str, tier: Tier) -> Steps[tuple[list[str], bool]]:
    """Ids of the oldest segments, and whether there are more."""
    raw = yield from ask(command("ZRANGE", keys.tier_index(tier.value, queue), 0, MOST_SEGMENTS))
    return [found.decode() for found in raw[:MOST_SEGMENTS]], len(raw) > MOST_SEGMENTS


def _blobs(queue: str, tier: Tier, segment_ids: list[str]) -> Steps[Iterator[tuple[str, bytes]]]:
    """Those that are still there."""
    blobs = yield from ask(command("HMGET", keys.tier(tier.value, queue), *segment_ids))
    return ((segment_id, blob) for segment_id, blob in zip(segment_ids, blobs, strict=True) if blob is not None)


def _ids(blob: bytes) -> list[str]:
    """The jobs' ids, from the header line alone; one stand-in for a segment that cannot be read."""
    try:
        with zstandard.ZstdDecompressor().stream_reader(blob) as reader:
            ids = json.loads(io.BufferedReader(reader).readline())["ids"]
            return [str(job_id) for job_id in ids]
    except (zstandard.ZstdError, ValueError, LookupError, TypeError):
        return [""]


def _jobs(segment_id: str, blob: bytes) -> list[PackedJob]:
    try:
        segment = unpack(blob)
    except ValueError as error:
        return [PackedJob(segment_id, f"damaged segment: {error}")]
    return [PackedJob(job_id, segment.reason, record) for job_id, record in segment.jobs]
