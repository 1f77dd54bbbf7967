"""What a stock `rq worker --serializer json` imports and runs for our messages."""

from __future__ import annotations

import asyncio
import math
import os
import random
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import ValidationError
from rq import Retry, get_current_job
from rq.job import Job

from queuectl.mail.deliverer import Deliverer
from queuectl.mail.replies import Disposition, Outcome, Scope
from queuectl.mail.retrying import next_step
from queuectl.model import MailMessage, QueuectlError
from queuectl.policy.retry import Fail
from queuectl.settings import QueueSettings, Settings, load
from queuectl.store import ids
from queuectl.store.admission import get_template
from queuectl.store.claims import FAILURE_TTL_S
from queuectl.store.client import Store
from queuectl.store.foreign import settle


class MailFailedError(QueuectlError):
    """The message is given up; the text says why and holds no address."""


def deliver(message: dict[str, Any]) -> Retry | None:
    """Send one message, settings from environment and file. A Retry is returned for what may still succeed.

    Raises MailFailedError when the message is given up: rq then keeps it in its failed registry.
    """
    job = get_current_job()
    if job is None:
        raise MailFailedError("this function runs as an RQ job only: it needs the job's id and connection")
    settings = _settings()
    queue = settings.queues.get(job.origin) or QueueSettings()
    try:
        mail = MailMessage.model_validate(message)
    except ValidationError as error:
        raise _given_up(job, "", f"malformed message: {error.errors()[0]['msg']}") from None
    disposition = asyncio.run(_send(settings, queue.provider, mail, job))
    if disposition.outcome is Outcome.DELIVERED:
        _settle(job, mail.ordering_key, delivered=True)
        return None
    if disposition.scope is Scope.AMBIGUOUS and settings.holds_ambiguous(job.origin):
        raise _given_up(job, mail.ordering_key, f"ambiguous: {disposition.reason}")
    if disposition.outcome is Outcome.FAILED:
        raise _given_up(job, mail.ordering_key, disposition.reason)
    return _again(job, mail, disposition, settings, mail.max_age_s or queue.max_age_s)


@cache
def _settings() -> Settings:
    """Read once a process: a `rq worker` forks for every job, a SimpleWorker does not."""
    return load(environ=os.environ).settings


async def _send(settings: Settings, provider: str, mail: MailMessage, job: Job) -> Disposition:
    async def fetch(template_id: str) -> bytes | None:
        return Store(job.connection).run(get_template(template_id))

    deliverer = Deliverer(settings, os.environ, fetch)
    try:
        return await deliverer.deliver(mail, job.id, provider, job.origin)
    finally:
        await deliverer.close()


def _again(job: Job, mail: MailMessage, disposition: Disposition, settings: Settings, max_age_s: float) -> Retry:
    tried = job.number_of_retries or 0
    attempts = tried + disposition.counted
    age_s = (datetime.now(UTC) - job.created_at).total_seconds()
    decision = next_step(disposition, settings.delivery, attempts=attempts, age_s=age_s, max_age_s=max_age_s,
                         u=random.random())  # fmt: skip
    if isinstance(decision, Fail):
        raise _given_up(job, mail.ordering_key, f"{decision.reason}: {disposition.reason}")
    # We decide when to give up, so rq's own limit is always one more than what it has counted.
    return Retry(max=tried + 1, interval=max(1, math.ceil(decision.delay_s)))


def _given_up(job: Job, ordering_key: str, reason: str) -> MailFailedError:
    job.failure_ttl = FAILURE_TTL_S
    _settle(job, ordering_key, delivered=False, reason=reason)
    return MailFailedError(reason)


def _settle(job: Job, ordering_key: str, *, delivered: bool, reason: str = "") -> None:
    # A producer may enqueue this function by hand: what was never counted in is not counted out.
    admitted = job.id.startswith(ids.PREFIX)
    steps = settle(job.origin, job.id, delivered=delivered and admitted, ordering_key=ordering_key, reason=reason)
    Store(job.connection).run(steps)
