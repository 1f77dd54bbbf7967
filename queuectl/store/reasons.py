"""Why jobs failed or wait for another try: ours say it in their record, stock ones in their newest result."""

from __future__ import annotations

import zlib
from base64 import b64decode
from collections.abc import Sequence

from queuectl.policy.masking import mask_text
from queuectl.store import keys
from queuectl.store.client import Steps, command


def of_jobs(job_ids: Sequence[str]) -> Steps[dict[str, str]]:
    """Job id -> reason, addresses masked; jobs that give none are left out."""
    if not job_ids:
        return {}
    stored = yield tuple(command("HGET", keys.job(job_id), "reason") for job_id in job_ids)
    pairs = zip(job_ids, stored, strict=True)
    reasons = {job_id: mask_text(raw.decode("utf-8", "replace")) for job_id, raw in pairs if raw}
    return reasons | (yield from of_results([job_id for job_id in job_ids if job_id not in reasons]))


def of_results(job_ids: Sequence[str]) -> Steps[dict[str, str]]:
    """The last line of each job's newest traceback."""
    if not job_ids:
        return {}
    newest = yield tuple(command("XREVRANGE", keys.results(job_id), "+", "-", "COUNT", 1) for job_id in job_ids)
    found = {job_id: _last_line(reply) for job_id, reply in zip(job_ids, newest, strict=True)}
    return {job_id: line for job_id, line in found.items() if line}


def _last_line(reply: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> str:
    packed = reply[0][1].get(b"exc_string", b"") if reply else b""
    try:
        lines = zlib.decompressobj().decompress(b64decode(packed), 1 << 20).decode("utf-8", "replace").split("\n")
    except (zlib.error, ValueError):
        return ""
    return mask_text(next((line.strip() for line in reversed(lines) if line.strip()), ""))
