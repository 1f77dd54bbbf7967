"""A message made into the bytes that go over SMTP.

`email.message` composes about 1,000 messages a second. Here each header line and each body is written as that module
would write it, and it is asked only where its knowledge is needed (RFC 2047, folding, display names): tests hold the
result equal to `EmailMessage.as_bytes`, byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from queuectl.mail.bodies import Body, encode_body, text_from_html
from queuectl.mail.headers import HeaderError, check_name, header_line, parse_sender, recipient_line
from queuectl.mail.templates import Renderer, TemplateError
from queuectl.model import MailMessage, QueuectlError
from queuectl.settings import DeliverySettings

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*(?:\.[A-Za-z0-9_+-]+)*")


class ComposeError(QueuectlError):
    """The message can never be sent as it is; the text holds no address and no recipient's data."""


@dataclass(frozen=True, slots=True)
class Composed:
    """One message ready for SMTP: `payload` has CRLF line ends and is not dot-stuffed."""

    envelope_from: str
    recipient: str
    payload: bytes


def compose(message: MailMessage, *, job_id: str, renderer: Renderer | None, delivery: DeliverySettings,
            now: datetime | None = None) -> Composed:  # fmt: skip
    """The MIME message for one job; `renderer` must be given when the message names a template.

    `now` (aware; None: the clock's) becomes the Date. Message-ID and boundary derive from `job_id`, so a message that
    is sent again is the same message. Raises ComposeError.
    """
    try:
        return _compose(message, job_id, renderer, delivery, now or datetime.now(UTC))
    except (HeaderError, TemplateError) as error:
        raise ComposeError(str(error)) from None
    except UnicodeError:
        raise ComposeError("the message holds characters that cannot be encoded") from None


def _compose(message: MailMessage, job_id: str, renderer: Renderer | None, delivery: DeliverySettings,
             now: datetime) -> Composed:  # fmt: skip
    sender, subject, text, html = message.sender, message.subject, message.text, message.html
    if message.template:
        if renderer is None:
            raise ComposeError(f"no renderer for template {message.template}")
        rendered = renderer.render(message.params)
        text, html = rendered.text, rendered.html
        sender, subject = sender or rendered.sender, subject or rendered.subject
    envelope_from, from_line = parse_sender(sender or delivery.sender)
    recipient, to_line = recipient_line(message.to)
    token = job_id if _SAFE_ID.fullmatch(job_id) else hashlib.sha256(job_id.encode()).hexdigest()[:32]
    head = [from_line, to_line, header_line("Subject", subject), _date_line(int(now.timestamp())),
            f"Message-ID: <{token}@{delivery.message_id_domain}>\r\n"]  # fmt: skip
    head.extend(header_line(check_name(name), value) for name, value in message.headers.items())
    head.append("MIME-Version: 1.0\r\n")
    head.append(_content(text, html, token))
    # Only a recipient that needs SMTPUTF8 leaves anything outside ASCII.
    return Composed(envelope_from, recipient, "".join(head).encode("ascii" if recipient.isascii() else "utf-8"))


@lru_cache(maxsize=4)
def _date_line(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("Date: %a, %d %b %Y %H:%M:%S +0000\r\n")


def _content(text: str, html: str, token: str) -> str:
    """Content headers and body: plain text alone, or plain text and HTML as alternatives."""
    if not html:
        return _part("plain", encode_body(text))
    plain, rich = encode_body(text or text_from_html(html)), encode_body(html)
    boundary = _boundary(token, plain, rich)
    return (f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\n{_part('plain', plain)}\r\n"
            f"--{boundary}\r\n{_part('html', rich)}\r\n--{boundary}--\r\n")  # fmt: skip


def _part(subtype: str, body: Body) -> str:
    return (f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {body.encoding}\r\n\r\n'
            f"{body.payload}")  # fmt: skip


def _boundary(token: str, *bodies: Body) -> str:
    """Fixed for a job, and in none of its parts."""
    boundary = f"=_{token[:60]}"
    while any(f"--{boundary}" in body.payload for body in bodies):
        boundary += "_"
    return boundary
