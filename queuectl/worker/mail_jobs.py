"""A claimed message: decoded, delivered, and what its delivery means for the job."""

from __future__ import annotations

import json
import logging
import random
import time
import zlib

from pydantic import ValidationError

from queuectl.mail.deliverer import Deliverer
from queuectl.mail.replies import Disposition, Outcome
from queuectl.model import MailMessage
from queuectl.policy.retry import Fail, decide
from queuectl.settings import QueueSettings, Settings
from queuectl.store.admission import FUNCTION
from queuectl.store.claims import Claim, End, Finish

LOG = logging.getLogger("queuectl.worker")


class NotOurs(Exception):
    """A stock producer's job whose id looks like one of ours: rq has to run it."""


def decode(data: bytes) -> MailMessage:
    """The message in a job's `data`. Raises NotOurs, or ValidationError for a message that was tampered with."""
    try:
        function, _, [message], _ = json.loads(zlib.decompress(data).decode())
    except (zlib.error, ValueError, TypeError):
        raise NotOurs from None
    if function != FUNCTION:
        raise NotOurs
    return MailMessage.model_validate(message)


class MailJobs:
    """Delivers claimed messages."""

    def __init__(self, deliverer: Deliverer, settings: Settings) -> None:
        self._deliverer = deliverer
        self._delivery = settings.delivery
        self._queues = settings.queues
        self._default = QueueSettings()
        self._carried: set[str] = set()

    def ready(self, queue: str) -> bool:
        """False while a queue that carries mail cannot deliver: its provider does not answer."""
        return queue not in self._carried or self._deliverer.ready(self._queue(queue).provider)

    async def run(self, claim: Claim) -> Finish:
        """Deliver one message. Raises NotOurs."""
        self._carried.add(claim.queue)
        started_s = time.monotonic()
        try:
            message = decode(claim.data)
        except ValidationError as error:
            return _failed(claim, claim.attempts, f"malformed message: {error.errors()[0]['msg']}")
        try:
            disposition = await self._deliverer.deliver(message, claim.job_id, self._queue(claim.queue).provider)
        except Exception as error:
            LOG.exception("delivery of %s broke off", claim.job_id)
            disposition = Disposition(Outcome.RETRY, None, True, f"internal error: {type(error).__name__}")
        if disposition.outcome is Outcome.DELIVERED:
            return Finish(claim, End.DELIVERED)
        return self._undelivered(claim, message, disposition, claim.age_s + time.monotonic() - started_s)

    def _undelivered(self, claim: Claim, message: MailMessage, disposition: Disposition, age_s: float) -> Finish:
        attempts = claim.attempts + disposition.counted
        if disposition.outcome is Outcome.RELEASE:
            return Finish(claim, End.BACK)
        if disposition.outcome is Outcome.FAILED:
            return _failed(claim, attempts, disposition.reason)
        decision = decide(
            attempts=attempts,
            counted=disposition.counted,
            age_s=age_s,
            max_age_s=message.max_age_s or self._queue(claim.queue).max_age_s,
            max_attempts=self._delivery.attempts,
            base_s=self._delivery.retry_base_s,
            cap_s=self._delivery.retry_cap_s,
            u=random.random(),
        )
        if isinstance(decision, Fail):
            return _failed(claim, attempts, f"{decision.reason}: {disposition.reason}")
        return Finish(claim, End.RETRY, decision.delay_s, attempts, reason=disposition.reason)

    def _queue(self, name: str) -> QueueSettings:
        return self._queues.get(name, self._default)


def _failed(claim: Claim, attempts: int, reason: str) -> Finish:
    return Finish(claim, End.FAILED, attempts=attempts, error=reason, reason=reason)
