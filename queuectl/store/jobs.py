"""Job lists and one job's details, read without executing or loading anything: a pickle is only disassembled."""

from __future__ import annotations

import io
import json
import pickletools
import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from queuectl.model import JobDetail, JobView, Tier, UsageError
from queuectl.policy.direction import OLDEST_EVERY
from queuectl.policy.masking import mask_address, mask_text
from queuectl.store import held_jobs, keys, packed_jobs, reasons
from queuectl.store.admission import FUNCTION
from queuectl.store.aside import waiting_list
from queuectl.store.client import Steps, ask, command
from queuectl.store.decode import text_map

REGISTRIES = {
    "started": "wip",
    "scheduled": "scheduled",
    "deferred": "deferred",
    "held": "deferred",
    "failed": "failed",
    "finished": "finished",
}
STATES = ("queued", *REGISTRIES, *(tier.value for tier in Tier))
DISASSEMBLY_LINES = 400
MAX_BYTES = 16 * 1024 * 1024
"""How much of a job is unpacked for showing it: a few bytes of zlib can stand for gigabytes."""
_FIELDS = ("data", "created_at", "status", "number_of_retries", "description", "reason")
_SECRET_WORDS = ("password", "secret", "token", "api_key")


def page(queue: str, state: str, offset: int, limit: int, *, newest_first: bool = False) -> Steps[list[JobView]]:
    """Rows `offset`… of a queue's jobs in one state; queued ones in claim order (`newest_first`: LIFO).

    Raises UsageError for an unknown state.
    """
    if state in set(Tier):
        return (yield from _packed_page(queue, Tier(state), offset, limit))
    ids = yield from _ids(queue, state, offset, limit, newest_first)
    if not ids:
        return []
    now, *records = yield (
        command("TIME"),
        *(command("HMGET", keys.job(job_id), *_FIELDS) for job_id in ids),
    )
    now_s = int(now[0]) + int(now[1]) / 1e6
    rows = [_row(queue, state, job_id, record, now_s) for job_id, record in zip(ids, records, strict=True)]
    if state == "failed":
        said = yield from reasons.of_results([row.job_id for row in rows if not row.error])
        return [replace(row, error=row.error or said.get(row.job_id, "")) for row in rows]
    if state != "held":
        return rows
    behind = yield from held_jobs.waits_for(queue, ids)
    return [replace(row, error=f"behind {job_id}" if job_id else row.error)
            for row, job_id in zip(rows, behind, strict=True)]  # fmt: skip


def _packed_page(queue: str, tier: Tier, offset: int, limit: int) -> Steps[list[JobView]]:
    found = yield from packed_jobs.page(queue, tier, offset, limit)
    now = yield from ask(command("TIME"))
    rows = ((job, [job.record.get(field.encode()) for field in _FIELDS]) for job in found)
    return [replace(_row(queue, tier.value, job.job_id, record, int(now[0])), error=job.reason) for job, record in rows]


def _ids(queue: str, state: str, offset: int, limit: int, newest_first: bool) -> Steps[list[str]]:
    if state == "queued":
        raw = yield from _queued(queue, offset, limit, newest_first)
    elif state in REGISTRIES:
        raw = yield from ask(command("ZRANGE", keys.registry(REGISTRIES[state], queue), offset, offset + limit - 1))
    else:
        raise UsageError(f"no state {state!r}; allowed: {', '.join(STATES)}")
    return [found.decode().partition(":")[0] for found in raw]


def _queued(queue: str, offset: int, limit: int, newest_first: bool) -> Steps[list[bytes]]:
    """The primary tier, then surge: as workers come to them."""
    primary = yield from waiting_list(queue)
    depth = yield from ask(command("LLEN", primary))
    if newest_first:
        raw = yield from _both_ends(queue, primary, offset, min(limit, depth - offset))
    else:
        raw = yield from _range(primary, offset, limit, newest_first)
    if len(raw) < limit:
        raw += yield from _range(keys.surge(queue), max(0, offset - depth), limit - len(raw), newest_first)
    return raw


def _both_ends(queue: str, primary: str, offset: int, limit: int) -> Steps[list[bytes]]:
    """Newest first, with the share of the oldest among them, as claims of single messages take them."""
    if limit <= 0:
        return []
    owed = yield from ask(command("HGET", keys.control(queue), "oldest_owed"))
    turn = min(max(int(owed or 0), 0), OLDEST_EVERY - 1)
    before, after = (turn + offset) // OLDEST_EVERY, (turn + offset + limit) // OLDEST_EVERY
    newest = iter((yield from _range(primary, offset - before, limit - after + before, True)))
    oldest = iter((yield from _range(primary, before, after - before, False)))
    places = range(turn + offset + 1, turn + offset + limit + 1)
    # Somebody may claim between the reads: what is missing then is left out.
    found = (next(newest if place % OLDEST_EVERY else oldest, None) for place in places)
    return [job_id for job_id in found if job_id is not None]


def _range(key: str, offset: int, limit: int, newest_first: bool) -> Steps[list[bytes]]:
    if limit <= 0:
        return []
    if not newest_first:
        found: list[bytes] = yield from ask(command("LRANGE", key, offset, offset + limit - 1))
        return found
    found = yield from ask(command("LRANGE", key, -offset - limit, -offset - 1))
    return found[::-1]


def _row(queue: str, state: str, job_id: str, record: Sequence[bytes | None], now_s: float) -> JobView:
    data, created, _, attempts, description, reason = record
    created_s = _stamp(created)
    summary = "record is gone" if data is None else summarise(data, description)
    return JobView(
        job_id=job_id,
        queue=queue,
        state=state,
        age_s=None if created_s is None else max(0.0, now_s - created_s),
        attempts=_number(attempts),
        summary=summary,
        error=mask_text((reason or b"").decode("utf-8", "replace")),
    )


def detail(job_id: str, *, queue: str = "", tier: Tier | None = None) -> Steps[JobDetail]:
    """Everything about one job of the hot tier, or of a packed `tier` of `queue`.

    Raises UsageError when there is no such job.
    """
    if tier is not None:
        packed = yield from _packed(job_id, queue, tier)
        now = yield from ask(command("TIME"))
        found = _detail(job_id, packed.record, (), int(now[0]))
        return replace(found, view=replace(found.view, queue=queue, state=tier.value, error=packed.reason))
    record, results, now = yield (
        command("HGETALL", keys.job(job_id)),
        command("XRANGE", keys.results(job_id), "-", "+"),
        command("TIME"),
    )
    if not record:
        raise UsageError(
            f"no job {job_id!r} is in Redis: delivered and removed, packed in overflow or shed, or never there"
        )
    return _detail(job_id, record, [_result(text_map(entry)) for _, entry in results], int(now[0]))


def message(job_id: str, *, queue: str = "", tier: Tier | None = None) -> Steps[dict[str, Any] | None]:
    """The message of a mail job of ours with nothing masked: for rendering it. None for any other job."""
    if tier is not None:
        data = (yield from _packed(job_id, queue, tier)).record.get(b"data")
    else:
        data = yield from ask(command("HGET", keys.job(job_id), "data"))
    return _message(_as_json(_inflate(data or b"")))


def _packed(job_id: str, queue: str, tier: Tier) -> Steps[packed_jobs.PackedJob]:
    found = yield from packed_jobs.find(queue, tier, job_id)
    if found is None:
        raise UsageError(f"no job {job_id!r} is in {tier.value} of {queue} any more")
    return found


def _detail(job_id: str, record: Mapping[bytes, bytes], results: Sequence[str], now_s: int) -> JobDetail:
    created_s = _stamp(record.get(b"created_at"))
    fields = {
        field: mask_text(value)
        for field, value in text_map({k: v for k, v in record.items() if k not in (b"data", b"meta")}).items()
    }
    encoding, body = describe(record.get(b"data", b""))
    view = JobView(
        job_id=job_id,
        queue=fields.get("origin", ""),
        state=fields.get("status", ""),
        age_s=None if created_s is None else max(0.0, now_s - created_s),
        attempts=_number(record.get(b"number_of_retries")),
        summary=summarise(record.get(b"data", b""), record.get(b"description")),
        error=fields.get("reason", ""),
    )
    message = _message(_as_json(_inflate(record.get(b"data", b"")))) or {}
    return JobDetail(view, fields, body, encoding, tuple(results), mask_text(str(message.get("text", ""))))


def _result(entry: dict[str, str]) -> str:
    packed = entry.get("exc_string", "")
    kind = {"1": "successful", "2": "failed", "3": "stopped", "4": "retried"}.get(entry.get("type", ""), "ended")
    if not packed:
        return kind
    try:
        return f"{kind}: {mask_text(zlib.decompress(b64decode(packed)).decode('utf-8', 'replace'))}"
    except (zlib.error, ValueError):
        return kind


def summarise(data: bytes, description: bytes | None = None) -> str:
    """One line: masked recipient and subject of a mail of ours, else the function's name."""
    plain = _inflate(data)
    call = _as_json(plain)
    message = _message(call)
    if message is not None:
        what = message.get("subject") or f"template {message.get('template', '')}".strip()
        return f"{mask_address(str(message.get('to', '')))}  {mask_text(str(what))}"
    if call is not None:
        return str(call[0])
    if description:
        return mask_text(description.decode("utf-8", "replace"))[:120]
    return pickled_function(plain) or "unreadable job"


def _message(call: list[Any] | None) -> dict[str, Any] | None:
    """The message of a mail job of ours; None for anything else."""
    if call is None or call[0] != FUNCTION or not isinstance(call[2], list) or not call[2]:
        return None
    return call[2][0] if isinstance(call[2][0], dict) else None


def describe(data: bytes) -> tuple[str, str]:
    """(encoding, body): JSON pretty-printed with addresses masked, or the pickle's disassembly."""
    plain = _inflate(data)
    call = _as_json(plain)
    if call is not None:
        masked = _masked({"function": call[0], "args": call[2], "kwargs": call[3]})
        return "json", json.dumps(masked, indent=2, ensure_ascii=False)
    out = io.StringIO()
    try:
        pickletools.dis(plain, out)
    except ValueError as error:
        if not out.getvalue():
            return "unknown", f"{len(plain):,} bytes, neither JSON nor a pickle: {error}"
    lines = mask_text(out.getvalue()).splitlines()
    more = [f"… {len(lines) - DISASSEMBLY_LINES:,} more lines"] if len(lines) > DISASSEMBLY_LINES else []
    return "pickle", "\n".join(lines[:DISASSEMBLY_LINES] + more)


def _masked(value: Any) -> Any:
    """The same structure with addresses masked, and values of secret-looking keys hidden."""
    if isinstance(value, dict):
        return {
            key: "***" if any(word in str(key).lower() for word in _SECRET_WORDS) else _masked(found)
            for key, found in value.items()
        }
    if isinstance(value, list):
        return [_masked(found) for found in value]
    return mask_text(value) if isinstance(value, str) else value


def pickled_function(plain: bytes) -> str:
    """The first string of a pickle, which is the function's name in RQ's form; empty when there is none."""
    try:
        for opcode, argument, _ in pickletools.genops(plain):
            if "UNICODE" in opcode.name or "STRING" in opcode.name:
                return str(argument)
    except ValueError:
        return ""
    return ""


def _inflate(data: bytes) -> bytes:
    """The first MAX_BYTES of what zlib packed, or `data` itself."""
    try:
        return zlib.decompressobj().decompress(data, MAX_BYTES)
    except zlib.error:
        return data


def _as_json(plain: bytes) -> list[Any] | None:
    """RQ's [function, instance, args, kwargs], or None."""
    try:
        call = json.loads(plain)
    except (ValueError, RecursionError):
        return None
    return call if isinstance(call, list) and len(call) == 4 else None


def _number(raw: bytes | None) -> int:
    try:
        return int(raw or 0)
    except ValueError:
        return 0


def _stamp(raw: bytes | None) -> float | None:
    try:
        return datetime.fromisoformat(raw.decode()).timestamp() if raw else None
    except (ValueError, UnicodeDecodeError):
        return None
