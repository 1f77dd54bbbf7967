"""Messages as one installation sends them: with their attachments, unsubscribe headers and signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from queuectl.mail.attachments import AttachmentError, Attachments
from queuectl.mail.compose import Composed, ComposeError, Extras, compose
from queuectl.mail.signing import Signer
from queuectl.mail.templates import Renderer
from queuectl.mail.unsubscribe import Unsubscribe
from queuectl.model import MailMessage, QueueClass
from queuectl.settings import Settings


class Composer:
    """Keeps what messages share: encoded attachments, the signing key."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._delivery = settings.delivery
        self._attachments = Attachments(self._delivery.attachment_dir, self._delivery.attachment_max_bytes)
        unsubscribe = Unsubscribe(self._delivery.unsubscribe, environ)
        self._plain = Extras(unsubscribe=unsubscribe.lines_for)
        self._bulk = Extras(unsubscribe=unsubscribe.lines)
        self._bulk_queues = {name for name, queue in settings.queues.items() if queue.queue_class is QueueClass.BULK}
        self._signer: Signer | None = None

    async def compose(self, message: MailMessage, job_id: str, renderer: Renderer | None, queue: str) -> Composed:
        """Raises ComposeError for a message that can never be sent, UsageError where the installation is at fault."""
        extras = self._bulk if queue in self._bulk_queues else self._plain
        if message.attachments:
            try:
                extras = replace(extras, attachments=await self._attachments.load(message.attachments))
            except AttachmentError as error:
                raise ComposeError(str(error)) from error
        composed = compose(message, job_id=job_id, renderer=renderer, delivery=self._delivery, extras=extras)
        if self._delivery.dkim is None:
            return composed
        if self._signer is None:
            self._signer = Signer(self._delivery.dkim)
        return replace(composed, payload=self._signer.signed(composed.payload))
