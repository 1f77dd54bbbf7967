"""A message made into the bytes that go over SMTP.

`email.message` composes about 1,000 messages a second. Here each header line and each body is written as that module
would write it, and it is asked only where its knowledge is needed (RFC 2047, folding, display names): tests hold the
result equal to `EmailMessage.as_bytes`, byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True)
class Extras:
    """What a message carries beyond its own fields."""

    attachments: Sequence[str] = ()
    """MIME parts, as `attachments.Attachments` encodes them."""
    unsubscribe: Callable[[str, str], str] | None = None
    """(the template's URL or empty, recipient) -> List-Unsubscribe header lines; raises HeaderError."""


_NO_EXTRAS = Extras()


def compose(message: MailMessage, *, job_id: str, renderer: Renderer | None, delivery: DeliverySettings,
            now: datetime | None = None, extras: Extras = _NO_EXTRAS) -> Composed:  # fmt: skip
    """The MIME message for one job; `renderer` must be given when the message names a template.

    `now` (aware; None: the clock's) becomes the Date. Message-ID and boundaries derive from `job_id`, so a message that
    is sent again is the same message. Raises ComposeError.
    """
    try:
        return _compose(message, job_id, renderer, delivery, now=now or datetime.now(UTC), extras=extras)
    except (HeaderError, TemplateError) as error:
        raise ComposeError(str(error)) from None
    except UnicodeError:
        raise ComposeError("the message holds characters that cannot be encoded") from None


def _compose(message: MailMessage, job_id: str, renderer: Renderer | None, delivery: DeliverySettings,
             *, now: datetime, extras: Extras) -> Composed:  # fmt: skip
    sender, subject, text, html = message.sender, message.subject, message.text, message.html
    unsubscribe_url = ""
    if message.template:
        if renderer is None:
            raise ComposeError(f"no renderer for template {message.template}")
        rendered = renderer.render(message.params)
        text, html, unsubscribe_url = rendered.text, rendered.html, rendered.unsubscribe
        sender, subject = sender or rendered.sender, subject or rendered.subject
    envelope_from, from_line = parse_sender(sender or delivery.sender)
    recipient, to_line = recipient_line(message.to)
    token = job_id if _SAFE_ID.fullmatch(job_id) else hashlib.sha256(job_id.encode()).hexdigest()[:32]
    head = [from_line, to_line, header_line("Subject", subject), _date_line(int(now.timestamp())),
            f"Message-ID: <{token}@{delivery.message_id_domain}>\r\n"]  # fmt: skip
    head.extend(header_line(check_name(name), value) for name, value in message.headers.items())
    if extras.unsubscribe is not None and not any(name.lower() == "list-unsubscribe" for name in message.headers):
        head.append(extras.unsubscribe(unsubscribe_url, recipient))
    head.append("MIME-Version: 1.0\r\n")
    content = _content(text, html, token)
    head.append(_with_attachments(content, extras.attachments, token) if extras.attachments else content)
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
    boundary = _boundary(token, plain.payload, rich.payload)
    return (f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
            f"--{boundary}\r\n{_part('plain', plain)}\r\n"
            f"--{boundary}\r\n{_part('html', rich)}\r\n--{boundary}--\r\n")  # fmt: skip


def _with_attachments(content: str, attachments: Sequence[str], token: str) -> str:
    boundary = _boundary(f"mixed_{token}", content, *attachments)
    parts = "\r\n".join(f"--{boundary}\r\n{part}" for part in (content, *attachments))
    return f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n{parts}\r\n--{boundary}--\r\n'


def _part(subtype: str, body: Body) -> str:
    return (f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {body.encoding}\r\n\r\n'
            f"{body.payload}")  # fmt: skip


def _boundary(token: str, *parts: str) -> str:
    """Fixed for a job, and in none of its parts."""
    boundary = f"=_{token[:60]}"
    while any(f"--{boundary}" in part for part in parts):
        boundary += "_"
    return boundary
