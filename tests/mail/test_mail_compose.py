"""Composed mail: equal to what `email.message` writes, and read back by it as what was meant."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from queuectl.mail.compose import Composed, ComposeError, compose
from queuectl.mail.templates import Renderer, make_template
from queuectl.model import MailMessage
from queuectl.settings import DeliverySettings

DELIVERY = DeliverySettings(sender="Shop <shop@example.com>", message_id_domain="mail.example.com")
NOW = datetime(2026, 11, 24, 19, 5, 7, tzinfo=UTC)

LINES = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("C", "Z")) | st.just(" "))
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
BODIES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=120), min_size=1, max_size=8).map("\n".join)  # noqa: E501  # fmt: skip


def make(message: MailMessage, job_id: str = "job1", renderer: Renderer | None = None) -> Composed:
    return compose(message, job_id=job_id, renderer=renderer, delivery=DELIVERY, now=NOW)


def read(composed: Composed) -> EmailMessage:
    parsed = email.message_from_bytes(composed.payload, policy=email.policy.SMTPUTF8)
    assert isinstance(parsed, EmailMessage)
    assert not parsed.defects
    return parsed


def well_formed(payload: bytes) -> None:
    assert payload.endswith(b"\r\n")
    assert payload.count(b"\n") == payload.count(b"\r\n") == payload.count(b"\r")
    assert max(map(len, payload.split(b"\r\n"))) <= 998


def by_the_library(message: MailMessage) -> bytes:
    """The same mail made with nothing but email.message."""
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"] = message.sender or DELIVERY.sender
    mail["To"] = message.to
    mail["Subject"] = message.subject
    mail["Date"] = NOW
    mail["Message-ID"] = "<job1@mail.example.com>"
    for name, value in message.headers.items():
        mail[name] = value
    mail["MIME-Version"] = "1.0"
    if not message.html:
        mail.set_content(message.text, cte=None if message.text.isascii() else "base64")
        return mail.as_bytes()
    mail["Content-Type"] = 'multipart/alternative; boundary="=_job1"'
    for body, subtype in ((message.text, "plain"), (message.html, "html")):
        part = MIMEPart(policy=email.policy.SMTP)
        part.set_content(body, subtype=subtype, cte="7bit" if body.isascii() else "base64")
        mail.attach(part)
    return mail.as_bytes()


@settings(max_examples=200)
@given(subject=ASCII, text=st.lists(ASCII, min_size=1, max_size=6).map("\n".join), header=ASCII, html=ASCII)
@example(subject="a" * 50 + " " + "b" * 50, text="x", header="y", html="")
@example(subject="=?utf-8?q?no?=", text=".\n..", header="<https://example.org/u>, <mailto:u@example.org>", html="<p>")
def test_ascii_mail_is_byte_for_byte_the_librarys(subject: str, text: str, header: str, html: str) -> None:
    message = MailMessage(
        to="ana@example.org", subject=subject, text=text or "x", html=html, headers={"X-Note": header}
    )
    assert make(message).payload == by_the_library(message)


@settings(max_examples=100)
@given(subject=LINES, name=st.text(st.characters(categories=["L"]), min_size=1, max_size=12))
def test_non_latin_mail_is_byte_for_byte_the_librarys(subject: str, name: str) -> None:
    message = MailMessage(to="ana@example.org", sender=f"{name} <a@example.org>", subject=subject,
                          text="Привет, мир\nпока\n", html="<p>Привет</p>\n")  # fmt: skip
    assert make(message).payload == by_the_library(message)


@settings(max_examples=200)
@given(text=BODIES, html=st.just("") | BODIES)
def test_any_body_reads_back(text: str, html: str) -> None:
    message = MailMessage.model_construct(to="ana@example.org", subject="s", text=text, html=html)
    composed = make(message)
    well_formed(composed.payload)
    mail = read(composed)
    body = mail.get_body(("plain",))
    assert body is not None
    if text:
        assert normal(body.get_content()) == normal(text)
    if html:
        rich = mail.get_body(("html",))
        assert rich is not None
        assert normal(rich.get_content()) == normal(html)


def normal(text: str) -> str:
    text = text.replace("\r\n", "\n")
    return text if text.endswith("\n") else text + "\n"


@settings(max_examples=200)
@given(subject=LINES.map(lambda text: " ".join(text.split())))
def test_any_subject_reads_back(subject: str) -> None:
    composed = make(MailMessage.model_construct(to="ana@example.org", subject=subject, text="x"))
    well_formed(composed.payload)
    assert read(composed)["Subject"] == subject


@pytest.mark.parametrize("text", ["é" * 3000, "x" * 3000, "a\0b", "trailing \nspace\t\n", ".", "\n\n", "a\r\nb\rc"])
def test_bodies_that_need_an_encoding(text: str) -> None:
    composed = make(MailMessage.model_construct(to="ana@example.org", text=text))
    well_formed(composed.payload)
    assert composed.payload.split(b"\r\n\r\n", 1)[1].isascii()
    assert normal(read(composed).get_content()) == normal(text.replace("\r\n", "\n").replace("\r", "\n"))


def test_what_every_message_has() -> None:
    composed = make(MailMessage(to="ana@example.org", subject="Hi", text="x", headers={"List-Id": "<l.example.org>"}))
    mail = read(composed)
    assert composed.envelope_from == "shop@example.com"
    assert composed.recipient == "ana@example.org"
    assert (mail["From"], mail["To"], mail["List-Id"]) == (
        "Shop <shop@example.com>", "ana@example.org", "<l.example.org>")  # fmt: skip
    assert mail["Message-ID"] == "<job1@mail.example.com>"
    assert mail["Date"].datetime == NOW
    assert make(MailMessage(to="a@example.org", text="x"), "odd id/é").payload.count(b"Message-ID: <") == 1


def test_sending_again_is_the_same_message() -> None:
    message = MailMessage(to="ana@example.org", subject="Hi", text="x", html="<p>x</p>")
    assert make(message) == make(message)
    assert read(make(message, "a"))["Message-ID"] != read(make(message, "b"))["Message-ID"]


def test_a_body_that_holds_the_boundary() -> None:
    message = MailMessage(to="ana@example.org", text="--=_job1\n--=_job1_--", html="<p>--=_job1</p>")
    parts = list(read(make(message)).iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert normal(parts[0].get_content()) == normal(message.text)  # type: ignore[attr-defined]


def test_long_urls_in_headers_stay_whole() -> None:
    url = "<https://example.org/unsubscribe/" + "t" * 200 + ">"
    composed = make(
        MailMessage(to="ana@example.org", text="x", headers={"List-Unsubscribe": f"{url}, <mailto:u@e.org>"})
    )
    assert url.encode() in composed.payload
    well_formed(composed.payload)


def test_html_alone_gets_a_text() -> None:
    html = """<html><head><title>T</title><style>p {}</style></head><body><h1>Your &amp; order</h1>
    <p>Dear Ana,<br>it  is
    on its way: <a href="https://example.org/t/1">track it</a> or <a href="https://example.org">https://example.org</a></p>
    <ul><li>One</li><li>Two</li></ul><table><tr><td>Sum</td><td>3</td></tr></table><img alt="logo"><script>x()</script>
    </body></html>"""
    plain = read(make(MailMessage(to="ana@example.org", html=html))).get_body(("plain",))
    assert plain is not None
    assert normal(plain.get_content()) == (
        "Your & order\n\nDear Ana,\nit is on its way: track it (https://example.org/t/1) or https://example.org\n\n"
        "- One\n\n- Two\n\nSum 3\n\nlogo\n"
    )


def test_a_template_fills_what_the_message_leaves_open() -> None:
    template = make_template(
        "Hi {{ name }}", "Dear {{ name }}", "<p>{{ name }}</p>", "{{ shop }} <{{ shop }}@example.org>"
    )
    renderer = Renderer(template)
    message = MailMessage(to="ana@example.org", template="t", params={"name": "<Ana>", "shop": "west"})
    composed = make(message, renderer=renderer)
    mail = read(composed)
    assert (composed.envelope_from, mail["Subject"], mail["From"]) == (
        "west@example.org", "Hi <Ana>", "west <west@example.org>")  # fmt: skip
    assert b"<p>&lt;Ana&gt;</p>" in composed.payload
    own = message.model_copy(update={"subject": "Mine", "sender": "me@example.org"})
    assert read(make(own, renderer=renderer))["Subject"] == "Mine"
    assert make(own, renderer=renderer).envelope_from == "me@example.org"


def test_international_addresses() -> None:
    domain = make(MailMessage(to="ana@bücher.example", text="x"))
    assert domain.recipient == "ana@xn--bcher-kva.example"
    assert b"To: ana@xn--bcher-kva.example\r\n" in domain.payload
    local = make(MailMessage(to="añá@bücher.example", text="x"))
    assert local.recipient == "añá@xn--bcher-kva.example"
    assert "To: añá@xn--bcher-kva.example\r\n".encode() in local.payload
    sender = make(MailMessage(to="a@example.org", sender="Bücher <info@bücher.example>", text="x"))
    assert sender.envelope_from == "info@xn--bcher-kva.example"
    assert read(sender)["From"].addresses[0].display_name == "Bücher"


@pytest.mark.parametrize("value", ["a\r\nBcc: eve@example.org", "a\nb", "a\rb", "a\r\n\r\nbody"])
@pytest.mark.parametrize("field", ["subject", "sender", "to", "header"])
def test_header_injection_is_refused(field: str, value: str) -> None:
    values = {"to": "ana@example.org", "subject": "s", "text": "x"}
    if field == "header":
        values["headers"] = {"X-Note": value}  # type: ignore[assignment]
    else:
        values[field] = f"shop@example.org {value}" if field == "sender" else value
    with pytest.raises(ComposeError) as caught:
        make(MailMessage.model_construct(**values))
    assert "eve" not in str(caught.value)


@pytest.mark.parametrize("name", ["X\r\nBcc", "Bcc: x", "Content-Type", "content-transfer-encoding", "", "é"])
def test_header_names_that_are_not_the_producers(name: str) -> None:
    with pytest.raises(ComposeError):
        make(MailMessage.model_construct(to="ana@example.org", text="x", headers={name: "v"}))


def test_odd_line_separators_in_a_subject_become_spaces() -> None:
    composed = make(MailMessage(to="ana@example.org", subject="a\u2028b\x85c\x0bd", text="x"))
    assert read(composed)["Subject"] == "a b c d"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sender": "a@example.org, b@example.org"}, "exactly one"),
        ({"sender": "nobody"}, "exactly one"),
        ({"sender": "é@example.org"}, "ASCII"),
        ({"to": "no address"}, "not a mail address"),
        ({"to": "a@ex..ample.é"}, "not valid"),
        ({"text": "\ud800"}, "cannot be encoded"),
        ({"template": "t"}, "no renderer"),
    ],
)
def test_what_can_never_be_sent(change: dict[str, str], words: str) -> None:
    values = {"to": "ana@example.org", "text": "x", **change}
    with pytest.raises(ComposeError, match=words):
        make(MailMessage.model_construct(**values))
