"""A look into a queue's jobs that costs the same whatever its depth: some that wait, and why some failed."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime

from queuectl.model import QueueSamples, WaitingSample
from queuectl.policy.masking import mask_text
from queuectl.store import keys
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
    sample, newest, failed_count, next_due, scheduled_count, now = yield (
        script(SAMPLE, (keys.queue(queue),), (MOST_WAITING, RUN, DATA_BYTES)),
        command("ZREVRANGE", failed, 0, MOST_TROUBLED - 1),
        command("ZCARD", failed),
        command("ZRANGE", scheduled, 0, MOST_TROUBLED - 1),
        command("ZCARD", scheduled),
        command("TIME"),
    )
    now_s = int(now[0]) + int(now[1]) / 1e6
    job_ids = [raw.decode() for raw in (*newest, *next_due)][:MOST_TROUBLED]
    reasons = yield from _reasons(job_ids)
    depth, *fields = sample
    waiting = (_waiting(created, data, now_s) for created, data in zip(fields[::2], fields[1::2], strict=True))
    return QueueSamples(tuple(job for job in waiting if job), depth, tuple(reasons), failed_count + scheduled_count,
                        len(job_ids))  # fmt: skip


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


def _reasons(job_ids: Sequence[str]) -> Steps[list[str]]:
    """Ours from the record; a stock job's from its newest result."""
    if not job_ids:
        return []
    stored = yield tuple(command("HGET", keys.job(job_id), "reason") for job_id in job_ids)
    reasons = [mask_text(raw.decode("utf-8", "replace")) for raw in stored if raw]
    without = [job_id for job_id, raw in zip(job_ids, stored, strict=True) if not raw]
    if without:
        newest = yield tuple(command("XREVRANGE", keys.results(job_id), "+", "-", "COUNT", 1) for job_id in without)
        reasons += [reason for reply in newest if (reason := _of_result(reply))]
    return reasons


def _of_result(reply: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> str:
    """The last line of a stock job's traceback."""
    packed = reply[0][1].get(b"exc_string", b"") if reply else b""
    try:
        lines = zlib.decompressobj().decompress(b64decode(packed), 1 << 20).decode("utf-8", "replace").split("\n")
    except (zlib.error, ValueError):
        return ""
    return mask_text(next((line.strip() for line in reversed(lines) if line.strip()), ""))
