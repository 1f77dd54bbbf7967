"""A look into a queue's jobs that costs the same whatever its depth: some that wait, and why some failed."""

from __future__ import annotations

import re
import zlib
from datetime import datetime

from queuectl.model import QueueSamples, WaitingSample
from queuectl.store import keys, reasons
from queuectl.store.aside import waiting_list
from queuectl.store.client import Steps, command, script
from queuectl.store.scripts import load

SAMPLE = load("sample_jobs")
MOST_WAITING = 500
RUN = 5
MOST_TROUBLED = 200
DATA_BYTES = 512
"""A message's JSON begins with its recipient."""
_TO = re.compile(rb'"to":\s*"[^"@]*@([^"]+)"')


def of_queue(queue: str) -> Steps[QueueSamples]:
    """At most 500 waiting jobs, evenly over the queue, and the reasons of at most 200 failed and scheduled ones."""
    failed, scheduled = (keys.registry(kind, queue) for kind in ("failed", "scheduled"))
    source = yield from waiting_list(queue)
    sample, newest, failed_count, next_due, scheduled_count, now = yield (
        script(SAMPLE, (source, keys.surge(queue)), (MOST_WAITING, RUN, DATA_BYTES)),
        command("ZREVRANGE", failed, 0, MOST_TROUBLED - 1),
        command("ZCARD", failed),
        command("ZRANGE", scheduled, 0, MOST_TROUBLED - 1),
        command("ZCARD", scheduled),
        command("TIME"),
    )
    now_s = int(now[0]) + int(now[1]) / 1e6
    job_ids = [raw.decode() for raw in (*newest, *next_due)][:MOST_TROUBLED]
    found = yield from reasons.of_jobs(job_ids)
    depth, *fields = sample
    waiting = (_waiting(created, data, now_s) for created, data in zip(fields[::2], fields[1::2], strict=True))
    return QueueSamples(
        tuple(job for job in waiting if job),
        depth,
        tuple(found.values()),
        failed_count + scheduled_count,
        len(job_ids),
    )


def _waiting(created: bytes, data: bytes, now_s: float) -> WaitingSample | None:
    try:
        created_s = datetime.fromisoformat(created.decode()).timestamp()
    except ValueError:
        return None
    found = _TO.search(_beginning(data))
    return WaitingSample(max(0.0, now_s - created_s), found[1].decode("utf-8", "replace").lower() if found else "")


def _beginning(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 16 * DATA_BYTES)
    except zlib.error:
        return data
