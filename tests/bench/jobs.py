"""Job functions that stock rq runs."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from jinja2 import Environment

from tests.bench.mail import HTML, SENDER, SUBJECT, TEXT

_plain = Environment(autoescape=False)
_html = Environment(autoescape=True)
_subject, _text, _body = _plain.from_string(SUBJECT), _plain.from_string(TEXT), _html.from_string(HTML)


def noop(**payload: Any) -> None:
    """Nothing, for benches of queues."""


def send_mail(port: int, to: str, params: dict[str, str]) -> None:
    """Compose and send, as an rq user would: a connection a job."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, to, _subject.render(params)
    message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="shop.example")
    message.set_content(_text.render(params))
    message.add_alternative(_body.render(params), subtype="html")
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.send_message(message)
