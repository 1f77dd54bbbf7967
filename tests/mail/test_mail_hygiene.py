"""What delivery adds to messages: attachments, unsubscribe headers, signatures; and what it refuses to write."""

from __future__ import annotations

import base64
import email
import email.policy
import os
import subprocess
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queuectl.mail.attachments import LONGEST_NAME, Attachments, safe_name
from queuectl.mail.compose import Composed, ComposeError
from queuectl.mail.composer import Composer
from queuectl.mail.deliverer import Deliverer
from queuectl.mail.headers import header_line
from queuectl.mail.replies import DELIVERED, Outcome, Scope
from queuectl.mail.templates import Renderer, TemplateError, encode, make_template
from queuectl.mail.unsubscribe import address_of, token
from queuectl.model import Attachment, MailMessage, UsageError
from queuectl.settings import Settings, load

SECRET = {"UNSUBSCRIBE_SECRET": "s3cret"}
UNSUBSCRIBE = {
    "url": "https://shop.example/unsubscribe/{token}",
    "mailto": "unsubscribe@shop.example",
    "secret_env": "UNSUBSCRIBE_SECRET",
}


def configured(**delivery: Any) -> Settings:
    return Settings.model_validate({
        "delivery": {"sender": "Shop <shop@example.com>", "message_id_domain": "example.com", **delivery},
        "queues": {"forum": {"class": "bulk"}},
        "providers": {"default": {"transport": "null"}},
    })  # fmt: skip


async def made(message: MailMessage, settings: Settings, queue: str = "forum", renderer: Renderer | None = None) -> Composed:  # noqa: E501  # fmt: skip
    return await Composer(settings, SECRET).compose(message, "job1", renderer, queue)


def read(composed: Composed) -> EmailMessage:
    payload = composed.payload
    assert payload.count(b"\n") == payload.count(b"\r\n") == payload.count(b"\r")
    assert max(map(len, payload.split(b"\r\n"))) <= 998
    parsed = email.message_from_bytes(payload, policy=email.policy.SMTPUTF8)
    assert isinstance(parsed, EmailMessage)
    assert not any(part.defects for part in parsed.walk())
    return parsed


def plain(**fields: Any) -> MailMessage:
    return MailMessage(to="ana@example.org", text="Hello\n", **fields)


async def fetch(_: str) -> bytes | None:
    return None


class TestAttachments:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "files").mkdir()
        (tmp_path / "files" / "terms.pdf").write_bytes(b"%PDF" + bytes(range(256)) * 40)
        (tmp_path / "files" / "notes.txt").write_text("--=_mixed_job1\r\n" * 3)
        (tmp_path / "secret").write_text("secret")
        return tmp_path / "files"

    async def test_they_arrive_as_they_are(self, folder: Path) -> None:
        message = plain(html="<p>Hello</p>", attachments=[
            {"path": "terms.pdf"}, {"path": "notes.txt", "name": "Bücher/преимущества.txt"},
            {"path": "terms.pdf", "name": "x", "type": "image/png"},
        ])  # fmt: skip
        mail = read(await made(message, configured(attachment_dir=str(folder))))
        assert mail.get_content_type() == "multipart/mixed"
        body = mail.get_body(("plain",))
        assert body is not None
        assert body.get_content() == "Hello\r\n"
        found = [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
                 for part in mail.iter_attachments()]  # fmt: skip
        pdf = (folder / "terms.pdf").read_bytes()
        assert found == [("terms.pdf", "application/pdf", pdf),
                         ("преимущества.txt", "text/plain", (folder / "notes.txt").read_bytes()),
                         ("x", "image/png", pdf)]  # fmt: skip
        assert all(part["Content-Disposition"].content_disposition == "attachment" for part in mail.iter_attachments())

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("gone.pdf", "attachment gone.pdf: no such file or directory"),
            ("../secret", "attachment ../secret: outside the folder for attachments"),
            ("link", "attachment link: outside the folder for attachments"),
            ("/etc/passwd", "attachment /etc/passwd: outside the folder for attachments"),
            (".", "attachment .: not a file"),
            ("pipe", "attachment pipe: not a file"),
            ("a\0b", "attachment a\0b: not a file name"),
        ],
    )
    async def test_what_cannot_be_attached_fails_the_message_for_good(self, folder: Path, path: str, why: str) -> None:
        (folder / "link").symlink_to(folder.parent / "secret")
        os.mkfifo(folder / "pipe")
        deliverer = Deliverer(configured(attachment_dir=str(folder)), SECRET, fetch)
        result = await deliverer.deliver(plain(attachments=[{"path": path}]), "job1", "default")
        assert (result.outcome, result.scope, result.reason) == (Outcome.FAILED, Scope.MESSAGE, why)

    async def test_too_many_bytes_fail_the_message_for_good(self, folder: Path) -> None:
        settings = configured(attachment_dir=str(folder), attachment_max_bytes=15_000)
        with pytest.raises(ComposeError, match="attachments have 20,488 bytes; at most 15,000 are allowed"):
            await made(plain(attachments=[{"path": "terms.pdf"}, {"path": "terms.pdf"}]), settings)

    @pytest.mark.parametrize("where", ["", "no/such/folder"])
    async def test_a_folder_that_is_not_there_costs_no_attempt(self, where: str) -> None:
        """It may be mounted again in a moment."""
        deliverer = Deliverer(configured(attachment_dir=where), SECRET, fetch)
        result = await deliverer.deliver(plain(attachments=[{"path": "terms.pdf"}]), "job1", "default")
        assert (result.outcome, result.counted) == (Outcome.RETRY, False)
        assert "delivery.attachment_dir" in result.reason

    async def test_a_file_is_encoded_once_and_again_when_it_changes(self, folder: Path) -> None:
        attachments = Attachments(str(folder), 10**9)
        wanted = [Attachment(path="terms.pdf")]
        (first,) = await attachments.load(wanted)
        (again,) = await attachments.load(wanted)
        assert again is first
        (folder / "terms.pdf").write_bytes(b"new")
        (changed,) = await attachments.load(wanted)
        assert base64.b64encode(b"new").decode() in changed

    @settings(max_examples=200)
    @given(st.text(max_size=300))
    def test_any_name_becomes_a_safe_one(self, name: str) -> None:
        safe = safe_name(name)
        assert safe
        assert len(safe) <= LONGEST_NAME
        assert not set(safe) & set('/\\"\r\n\0\u202e')
        assert safe not in (".", "..")

    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("..\\..\\evil.exe", "evil.exe"),
            ("/etc/passwd", "passwd"),
            ("a\r\nBcc: x.pdf", "a__Bcc_ x.pdf"),
            ("gpj\u202e.exe", "gpj_.exe"),
            ("x" * 300 + ".pdf", "x" * 139 + ".pdf"),
            ("", "attachment"),
        ],
    )
    def test_names_that_are_up_to_no_good(self, name: str, safe: str) -> None:
        assert safe_name(name) == safe

    @pytest.mark.parametrize("kind", ["text/html\r\nBcc: x", "message/rfc822", "multipart/mixed", "pdf", "a/b"])
    def test_types_that_are_none(self, kind: str) -> None:
        with pytest.raises(ValueError, match="type"):
            Attachment(path="x", type=kind)


class TestUnsubscribe:
    async def test_bulk_mail_has_both_headers(self) -> None:
        mail = read(await made(plain(), configured(unsubscribe=UNSUBSCRIBE)))
        url, mailto = mail["List-Unsubscribe"].split(", ")
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mailto == "<mailto:unsubscribe@shop.example?subject=unsubscribe>"
        given = url.removeprefix("<https://shop.example/unsubscribe/").removesuffix(">")
        assert address_of(given, "s3cret") == "ana@example.org"
        assert "@" not in given

    async def test_other_mail_has_none(self) -> None:
        assert read(await made(plain(), configured(unsubscribe=UNSUBSCRIBE), "security"))["List-Unsubscribe"] is None

    async def test_the_messages_own_header_is_kept(self) -> None:
        own = plain(headers={"list-unsubscribe": "<https://own.example/u>"})
        assert read(await made(own, configured(unsubscribe=UNSUBSCRIBE))).get_all("List-Unsubscribe") == [
            "<https://own.example/u>"
        ]

    @pytest.mark.parametrize("queue", ["forum", "security"])
    async def test_a_templates_url_goes_before_the_settings(self, queue: str) -> None:
        template = make_template("s", "t", unsubscribe="https://own.example/u?t={{ key }}")
        message = MailMessage(to="ana@example.org", template=template.template_id, params={"key": "k" * 300})
        mail = read(await made(message, configured(unsubscribe=UNSUBSCRIBE), queue, Renderer(template)))
        assert mail["List-Unsubscribe"].startswith(f"<https://own.example/u?t={'k' * 300}>, <mailto:")
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    async def test_one_click_is_for_https_only(self) -> None:
        template = make_template("s", "t", unsubscribe="http://own.example/u")
        message = MailMessage(to="ana@example.org", template="t")
        mail = read(await made(message, configured(), renderer=Renderer(template)))
        assert mail["List-Unsubscribe"] == "<http://own.example/u>"
        assert mail["List-Unsubscribe-Post"] is None

    @pytest.mark.parametrize("key", ["x>, <mailto:eve@example.org", "a b", "a\r\nBcc: eve@example.org", "x" * 1000])
    async def test_a_parameter_cannot_leave_the_url(self, key: str) -> None:
        template = make_template("s", "t", unsubscribe="https://own.example/{{ key }}")
        message = MailMessage(to="ana@example.org", template="t", params={"key": key})
        with pytest.raises(ComposeError, match="Unsubscribe is "):
            await made(message, configured(), renderer=Renderer(template))

    async def test_a_missing_secret_costs_no_attempt(self) -> None:
        deliverer = Deliverer(configured(unsubscribe=UNSUBSCRIBE), {}, fetch)
        result = await deliverer.deliver(plain(), "job1", "default", "forum")
        assert (result.outcome, result.counted) == (Outcome.RETRY, False)
        assert "UNSUBSCRIBE_SECRET" in result.reason
        assert await deliverer.deliver(plain(), "job1", "default", "security") == DELIVERED

    @given(st.emails())
    def test_a_token_is_read_back_and_cannot_be_made_up(self, address: str) -> None:
        made = token(address, "one")
        assert address_of(made, "one") == address
        assert address_of(made, "two") is None
        swapped = f"{token('eve@example.org', 'one').partition('.')[0]}.{made.partition('.')[2]}"
        assert address_of(swapped, "one") is None

    @pytest.mark.parametrize("bad", ["", ".", "é", "a.b", "====.====", "a" * 5])
    def test_what_is_no_token(self, bad: str) -> None:
        assert address_of(bad, "one") is None

    @pytest.mark.parametrize(
        ("written", "words"),
        [
            ({"url": "https://x.example/u", "secret_env": "S"}, "holds {token}"),
            ({"url": "http://x.example/{token}", "secret_env": "S"}, "an https URL"),
            ({"url": "https://x.example/{token}"}, "needs `secret_env`"),
            ({"mailto": "a>b@x.example"}, "mailto"),
        ],
    )
    def test_settings_that_cannot_work(self, written: dict[str, str], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            configured(unsubscribe=written)


class TestDkim:
    @pytest.fixture(scope="class")
    def keys(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
        """A private key's file, and what stands in DNS for it."""
        path = tmp_path_factory.mktemp("dkim") / "key.pem"
        subprocess.run(["openssl", "genrsa", "-out", str(path), "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", str(path), "-pubout", "-outform", "DER"], check=True,
                                capture_output=True).stdout  # fmt: skip
        return path, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def signing(self, path: Path | str) -> Settings:
        return configured(dkim={"selector": "s1", "domain": "example.com", "key_file": str(path)},
                          unsubscribe=UNSUBSCRIBE)  # fmt: skip

    async def test_a_signature_holds_and_covers_the_unsubscribe_headers(self, keys: tuple[Path, bytes]) -> None:
        path, record = keys
        message = plain(html="<p>.é</p>\n.", subject="Grüße " * 30)
        signed = (await made(message, self.signing(path))).payload

        def dns(name: bytes, timeout: int = 5) -> bytes:
            assert name == b"s1._domainkey.example.com."
            return record

        assert dkim.verify(signed, dnsfunc=dns)
        for changed in (signed.replace(b"One-Click", b"Two-Click"), signed.replace(b"Hello", b"Hallo"),
                        b"From: eve@example.org\r\n" + signed):  # fmt: skip
            assert changed != signed
            assert not dkim.verify(changed, dnsfunc=dns)
        unsigned = (await made(message, configured(unsubscribe=UNSUBSCRIBE))).payload
        assert signed.endswith(unsigned.partition(b"\r\nMIME-Version")[2])

    @pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"no key", "not an RSA key in PEM")])
    async def test_a_key_that_cannot_be_used_costs_no_attempt(self, tmp_path: Path, content: bytes | None, why: str) -> None:  # noqa: E501  # fmt: skip
        path = tmp_path / "key.pem"
        if content is not None:
            path.write_bytes(content)
        result = await Deliverer(self.signing(path), SECRET, fetch).deliver(plain(), "job1", "default")
        assert (result.outcome, result.counted) == (Outcome.RETRY, False)
        assert result.reason.startswith(f"delivery.dkim.key_file {path}: {why}")

    def test_without_the_extra_the_settings_say_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "queuectl.toml"
        path.write_text('[delivery.dkim]\nselector = "s1"\ndomain = "example.com"\nkey_file = "k"\n')
        assert load(config=path, environ={}).settings.delivery.dkim
        monkeypatch.setitem(sys.modules, "dkim", None)
        with pytest.raises(UsageError) as caught:
            load(config=path, environ={})
        assert str(caught.value) == f"{path}: delivery.dkim needs the extra `dkim`: pip install 'queuectl[dkim]'"


BREAKS = [f"a{separator}Bcc: eve@example.org" for separator in ("\r\n", "\n", "\r", "\u2028")]


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("part", ["subject", "sender", "unsubscribe"])
async def test_a_parameter_cannot_start_a_header(part: str, value: str) -> None:
    sources = {"subject": "Hi {{ x }}", "text": "t"}
    sources |= {"sender": '"{{ x }}" <shop@example.org>'} if part == "sender" else {}
    sources |= {"unsubscribe": "https://x.example/{{ x }}"} if part == "unsubscribe" else {}
    template = make_template(**sources)
    message = MailMessage(to="ana@example.org", template="t", params={"x": value})
    try:
        mail = read(await made(message, configured(), renderer=Renderer(template)))
    except ComposeError as error:
        assert part == "unsubscribe"
        assert "eve" not in str(error)
    else:
        assert mail["Bcc"] is None
        assert set(mail.keys()) == {"From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type",
                                    "Content-Transfer-Encoding"}  # fmt: skip


@pytest.mark.parametrize("field", ["subject", "sender", "to"])
@pytest.mark.parametrize("value", BREAKS[:3])
def test_a_message_with_a_line_break_in_a_header_is_no_message(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=field):
        MailMessage.model_validate({"to": "ana@example.org", "text": "x", field: value})


@settings(max_examples=100)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=60, max_size=980), st.booleans())
def test_a_long_word_is_written_as_the_library_does(word: str, twice: bool) -> None:
    """The fast path of List-Unsubscribe with its long URLs."""
    value = f"<https://{word}>" + (", <mailto:u@example.org>" if twice else "")
    library = email.policy.SMTP.clone(max_line_length=998)
    if len("X-Note: ") + len(value) <= 998:
        assert header_line("X-Note", value) == library.header_factory("X-Note", value).fold(policy=library)
    assert max(map(len, header_line("X-Note", value).split("\r\n"))) <= 998


@pytest.mark.parametrize(
    ("address", "envelope"),
    [
        ("ana@Bücher.example", "ana@xn--bcher-kva.example"),
        ("ana@straße.example", "ana@xn--strae-oqa.example"),
        ("ana@例え.テスト", "ana@xn--r8jz45g.xn--zckzah"),
        ("añá@例え.テスト", "añá@xn--r8jz45g.xn--zckzah"),
    ],
)
async def test_domains_become_a_labels_by_idna_2008(address: str, envelope: str) -> None:
    """The standard library's codec is IDNA 2003: it would send mail for straße.example to strasse.example."""
    assert (await made(MailMessage(to=address, text="x"), configured())).recipient == envelope


def test_a_stored_template_without_newer_parts_is_read() -> None:
    from queuectl.mail.templates import decode

    assert decode("t", b'{"sender": "", "subject": "s", "text": "t", "html": ""}').unsubscribe == ""
    template = make_template("s", "t", unsubscribe="https://x.example/u")
    assert decode(template.template_id, encode(template)) == template
    with pytest.raises(TemplateError):
        Renderer(decode("t", b"{}"))
