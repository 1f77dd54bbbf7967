"""A claimed message: decoded, delivered, and what its delivery means for the job."""

from __future__ import annotations

import json
import logging
import random
import time
import zlib

from pydantic import ValidationError

from queuectl.mail.deliverer import Deliverer
from queuectl.mail.replies import Disposition, Outcome, Scope
from queuectl.mail.retrying import next_step
from queuectl.model import MailMessage, ServerError
from queuectl.policy.retry import Fail
from queuectl.settings import QueueSettings, Settings
from queuectl.store.admission import FUNCTION
from queuectl.store.claims import Claim, End, Finish
from queuectl.worker.answers import Answers
from queuectl.worker.commit_points import CommitPoints
from queuectl.worker.receivers import Receivers
from queuectl.worker.suppression import SuppressionCheck

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

    def __init__(self, deliverer: Deliverer, settings: Settings, answers: Answers, *, check: SuppressionCheck,
                 receivers: Receivers, commit_points: CommitPoints) -> None:  # fmt: skip
        self._receivers = receivers
        self._commit_points = commit_points
        self._deliverer = deliverer
        self._answers = answers
        self._check = check
        self._delivery = settings.delivery
        self._queues = settings.queues
        self._default = QueueSettings()

    async def run(self, claim: Claim) -> Finish:
        """Deliver one message. Raises NotOurs."""
        started_s = time.monotonic()
        try:
            message = decode(claim.data)
        except NotOurs:
            self._answers.unused(claim)
            raise
        except ValidationError as error:
            self._answers.unused(claim)
            return _failed(claim, claim.attempts, f"malformed message: {error.errors()[0]['msg']}")
        disposition = await self._deliver(claim, message)
        self._commit_points.take(claim)
        self._answers.note(claim, disposition, started_s)
        if disposition.outcome is Outcome.DELIVERED:
            return Finish(claim, End.DELIVERED)
        return self._undelivered(claim, message, disposition, claim.age_s + time.monotonic() - started_s)

    def interrupted(self, claim: Claim) -> Finish | None:
        """What the end of a delivery from outside means for a message that may have arrived and must not be sent again;
        None for any other."""
        if not self._commit_points.take(claim):
            return None
        return _failed(claim, claim.attempts + 1, "ambiguous: interrupted after the message was sent")

    async def _deliver(self, claim: Claim, message: MailMessage) -> Disposition:
        try:
            suppressed = await self._check.reason(message.to) if self._check.active else None
            if suppressed is not None:
                return Disposition(Outcome.FAILED, Scope.RECIPIENT, False, f"suppressed: {suppressed}")
            receiver = self._receivers.limited(message.to)
            if receiver and (hold_s := await self._receivers.hold_s(receiver)):
                return Disposition(Outcome.RELEASE, Scope.RECIPIENT, False, f"{receiver} is at its rate", for_s=hold_s)
            provider = claim.provider or self._queue(claim.queue).provider
            disposition = await self._deliverer.deliver(message, claim.job_id, provider, claim.queue,
                                                        self._commit_points.of(claim))  # fmt: skip
            if disposition.bounce and self._delivery.suppress_bounces:
                await self._suppress(message.to, disposition.reason)
        except ServerError as error:
            return Disposition(Outcome.RELEASE, None, False, str(error))
        except Exception as error:
            LOG.exception("delivery of %s broke off", claim.job_id)
            return Disposition(Outcome.RETRY, None, True, f"internal error: {type(error).__name__}")
        return disposition

    async def _suppress(self, address: str, reason: str) -> None:
        """The next bounce does it, should the server be away now."""
        try:
            await self._check.add(address, reason)
        except ServerError as error:
            LOG.warning("a bounced address was not suppressed: %s", error)

    def _undelivered(self, claim: Claim, message: MailMessage, disposition: Disposition, age_s: float) -> Finish:
        attempts = claim.attempts + disposition.counted
        if disposition.outcome is Outcome.RELEASE:
            return Finish(claim, End.HELD, disposition.for_s) if disposition.for_s else Finish(claim, End.BACK)
        if disposition.scope is Scope.AMBIGUOUS and self._commit_points.holds(claim.queue):
            return _failed(claim, attempts, f"ambiguous: {disposition.reason}")
        if disposition.outcome is Outcome.FAILED:
            return _failed(claim, attempts, disposition.reason)
        max_age_s = message.max_age_s or self._queue(claim.queue).max_age_s
        decision = next_step(disposition, self._delivery, attempts=attempts, age_s=age_s, max_age_s=max_age_s,
                             u=random.random())  # fmt: skip
        if isinstance(decision, Fail):
            return _failed(claim, attempts, f"{decision.reason}: {disposition.reason}")
        return Finish(claim, End.RETRY, decision.delay_s, attempts, reason=disposition.reason)

    def _queue(self, name: str) -> QueueSettings:
        return self._queues.get(name, self._default)


def _failed(claim: Claim, attempts: int, reason: str) -> Finish:
    return Finish(claim, End.FAILED, attempts=attempts, error=reason, reason=reason)
