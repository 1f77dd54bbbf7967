"""Admission: messages become small RQ records in one script a batch, each with a verdict."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from queuectl.model import Admission, MailMessage, Verdict
from queuectl.store import ids, keys, suppression
from queuectl.store.client import Call, Steps, ask, command, script
from queuectl.store.scripts import load

ADMIT = load("admit_jobs")
FUNCTION = "queuectl.mail.job.deliver"
"""What a stock `rq worker` runs for our jobs."""
BATCH = 500
"""Messages a script call: ~5 ms of server time at most."""
CAMPAIGN_MEMORY_S = 90 * 86400
RETRY_AFTER_S = 30.0
"""What a refused producer is told: one sweep and some deliveries later."""
_WALL = 6
_CODES = {1: Admission.ACCEPTED, 2: Admission.HELD, 3: Admission.DUPLICATE, 4: Admission.REFUSED,
          5: Admission.SHED, _WALL: Admission.REFUSED}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Prepared:
    """A message ready for the script."""

    job_id: str
    data: bytes
    ordering_key: str
    max_age_s: str
    priority: str
    bucket_key: str
    member: int
    campaign: str


def prepare(message: MailMessage, job_id: str) -> Prepared:
    """Serialise as RQ's JSON serializer would: zlib of [function, instance, args, kwargs]."""
    bucket_key, member = "", 0
    if message.campaign:
        job_id, bucket, member = ids.campaign_id(message.campaign, message.to)
        bucket_key = keys.campaign(message.campaign, bucket)
    body = f'["{FUNCTION}",null,[{message.model_dump_json(exclude_defaults=True)}],{{}}]'
    return Prepared(
        job_id,
        zlib.compress(body.encode(), 6),
        message.ordering_key,
        "" if message.max_age_s is None else f"{message.max_age_s:g}",
        "" if message.priority is None else str(message.priority),
        bucket_key,
        member,
        message.campaign,
    )


def admit(queue: str, messages: Sequence[MailMessage]) -> Steps[list[Verdict]]:
    """Admit `messages` in batches; verdicts in the same order. Raises ServerError when the server goes away: every
    batch before that is admitted, and a rerun of campaign messages does not repeat them."""
    verdicts: list[Verdict] = []
    for start in range(0, len(messages), BATCH):
        batch = messages[start : start + BATCH]
        reasons = yield from suppression.lookup_if_any([message.to for message in batch])
        wanted = [message for message, reason in zip(batch, reasons, strict=True) if reason is None]
        prepared = [prepare(message, job_id) for message, job_id in zip(wanted, ids.new_ids(len(wanted)), strict=True)]
        reply = (yield from ask(admission_call(queue, prepared))) if prepared else (0, 0)
        admitted = iter(verdicts_of(prepared, reply))
        verdicts += [next(admitted) if reason is None else suppressed(reason) for reason in reasons]
        if len(wanted) < len(batch):
            yield (command("HINCRBY", keys.ledger(queue), "suppressed", len(batch) - len(wanted)),)
    return verdicts


def suppressed(reason: str) -> Verdict:
    """The verdict on a message to an address that gets no mail."""
    return Verdict(Admission.SUPPRESSED, detail=f"the recipient is on the suppression list: {reason}")


def admission_call(queue: str, prepared: Sequence[Prepared]) -> Call:
    """Admit one batch, at most BATCH messages."""
    arguments: list[str | bytes | int | float] = [queue, CAMPAIGN_MEMORY_S]
    for job in prepared:
        arguments += (job.job_id, job.data, job.ordering_key, job.max_age_s, job.priority, job.bucket_key, job.member,
                      job.campaign)  # fmt: skip
    places = (keys.queue(queue), keys.ledger(queue), keys.QUEUES, keys.registry("deferred", queue))
    return script(ADMIT, places, arguments)


def verdicts_of(prepared: Sequence[Prepared], reply: Sequence[Any]) -> list[Verdict]:
    """What the script answered for each message."""
    waiting = reply[1]
    return [_verdict(code, job.job_id, waiting) for code, job in zip(reply[2:], prepared, strict=True)]


def _verdict(code: int, job_id: str, waiting: int) -> Verdict:
    admission = _CODES[code]
    if code == _WALL:
        return Verdict(admission, detail="the server's memory is nearly full", retry_after_s=RETRY_AFTER_S)
    if admission is Admission.SHED:
        detail = f"the queue is under pressure, {waiting:,} messages wait: it is kept in the shed store"
        return Verdict(admission, job_id, detail)
    if admission is Admission.REFUSED:
        detail = f"the queue sheds and {waiting:,} messages wait, its high watermark"
        return Verdict(admission, detail=detail, retry_after_s=RETRY_AFTER_S)
    if admission is Admission.DUPLICATE:
        return Verdict(admission, job_id, "this campaign or event already has this recipient, or the job exists")
    return Verdict(admission, job_id)


def put_template(template_id: str, blob: bytes) -> Steps[None]:
    """Store a template for the workers. Its id is its content's hash, so storing again changes nothing."""
    yield (command("SET", keys.template(template_id), blob),)


def get_template(template_id: str) -> Steps[bytes | None]:
    """The stored template, or None."""
    blob: bytes | None = yield from ask(command("GET", keys.template(template_id)))
    return blob
