"""Failed jobs searched, retried and deleted, a page at a time: by id, error, reply text, masked recipient, subject."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.model import JobView
from queuectl.policy.matching import matches
from queuectl.store import jobs, keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

RETRY = load("retry_failed")
DELETE = load("delete_failed")
PAGE = 500
LOOK_AT = 5_000
"""So many are looked at to say how many match; of more, the rest is estimated."""


def is_match(row: JobView, match: str) -> bool:
    """An empty `match` takes all."""
    return matches(match, row.job_id, row.summary, row.error)


def leading(rows: Sequence[JobView], match: str, most: float) -> tuple[list[str], int]:
    """Ids of the first `most` rows that match, and how many rows it takes to pass them."""
    ids: list[str] = []
    for passed, row in enumerate(rows):
        if not is_match(row, match):
            continue
        if len(ids) + 1 > most:
            return ids, passed
        ids.append(row.job_id)
    return ids, len(rows)


def find(queue: str, match: str, offset: int, most: int) -> Steps[list[JobView]]:
    """At most `most` failed jobs that match, after the first `offset` of them; oldest first."""
    found: list[JobView] = []
    looked_at = 0
    while len(found) < offset + most:
        rows = yield from jobs.page(queue, "failed", looked_at, PAGE)
        if not rows:
            break
        found += [row for row in rows if is_match(row, match)]
        looked_at += len(rows)
    return found[offset : offset + most]


def count(queue: str, match: str) -> Steps[tuple[int, bool]]:
    """How many match, and whether that is an estimate."""
    total: int = yield from ask(command("ZCARD", keys.registry("failed", queue)))
    if not match:
        return total, False
    found = looked_at = 0
    while looked_at < min(total, LOOK_AT):
        rows = yield from jobs.page(queue, "failed", looked_at, PAGE)
        if not rows:
            break
        found += sum(is_match(row, match) for row in rows)
        looked_at += len(rows)
    if looked_at >= total or not looked_at:
        return found, False
    return round(found * total / looked_at), True


def retry(queue: str, job_ids: Sequence[str], *, fence: str = "") -> Steps[tuple[int, int]]:
    """Put at most a page of them back; (how many that were, how many are failed no longer)."""
    if not job_ids:
        return 0, 0
    registry, waiting = keys.registry("failed", queue), keys.queue(queue)
    requeued, vanished = yield from ask(script(RETRY, (registry, waiting, keys.QUEUES), (fence, queue, *job_ids)))
    return requeued, requeued + vanished


def delete(queue: str, job_ids: Sequence[str], *, fence: str = "") -> Steps[tuple[int, int]]:
    """Delete at most a page of them for good; (how many that were, how many are failed no longer)."""
    if not job_ids:
        return 0, 0
    gone = yield from ask(
        script(DELETE, (keys.registry("failed", queue), keys.ledger(queue)), (fence, queue, *job_ids))
    )
    return gone, gone


def all_ids(queue: str) -> Steps[list[str]]:
    """Every failed job's id, oldest first."""
    found = yield from ask(command("ZRANGE", keys.registry("failed", queue), 0, -1))
    return [raw.decode() for raw in found]
