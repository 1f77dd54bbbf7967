"""Transports by name: the ones we bring, and one of an installed package."""

from __future__ import annotations

import asyncio
import mailbox
import sys
from pathlib import Path

import pytest
from mail_servers import composed

from queuectl.mail.deliverer import Deliverer
from queuectl.mail.replies import DELIVERED, Outcome, Scope
from queuectl.mail.smtp import SmtpTransport
from queuectl.mail.transports import NullTransport, open_transport
from queuectl.model import MailMessage, UsageError
from queuectl.settings import ProviderSettings, load

PLUGIN = """
from queuectl.mail.replies import DELIVERED

class Api:
    connections = 0
    ready = True
    doubtful = False
    sent = []

    def __init__(self, provider, environ, leases):
        self.region = provider.options["region"]

    async def send(self, composed, commit_point=None):
        self.sent.append((self.region, composed.recipient))
        return DELIVERED

    async def close(self):
        self.sent.append("closed")
"""
ENTRY_POINTS = """[queuectl.transports]
api = acme_mail:Api
gone = acme_mail:NoSuch
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with entry points, as pip would lay it down."""
    (tmp_path / "acme_mail.py").write_text(PLUGIN)
    info = tmp_path / "acme_mail-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-mail\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_mail", raising=False)


def configured(tmp_path: Path, provider: str) -> Path:
    path = tmp_path / "queuectl.toml"
    path.write_text(f"[providers.default]\n{provider}\n")
    return path


async def fetch(_: str) -> bytes | None:
    return None


async def test_an_installed_package_brings_a_transport(installed: None, tmp_path: Path) -> None:
    path = configured(tmp_path, 'transport = "api"\noptions = { region = "eu" }')
    deliverer = Deliverer(load(config=path, environ={}).settings, {}, fetch)
    assert await deliverer.deliver(MailMessage(to="ana@example.org", text="x"), "j", "default") == DELIVERED
    await deliverer.close()
    from acme_mail import Api  # type: ignore[import-not-found]

    assert Api.sent == [("eu", "ana@example.org"), "closed"]


async def test_one_that_cannot_be_loaded_costs_no_message_an_attempt(installed: None, tmp_path: Path) -> None:
    settings = load(config=configured(tmp_path, 'transport = "gone"'), environ={}).settings
    deliverer = Deliverer(settings, {}, fetch)
    result = await deliverer.deliver(MailMessage(to="ana@example.org", text="x"), "j", "default")
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.ACCOUNT, False)
    assert "transport 'gone' (acme_mail:NoSuch of acme-mail) cannot be loaded: AttributeError" in result.reason


def test_an_unknown_name_is_told_with_all_there_are(installed: None, tmp_path: Path) -> None:
    path = configured(tmp_path, 'transport = "pigeon"')
    with pytest.raises(UsageError) as caught:
        load(config=path, environ={})
    assert str(caught.value) == (f"{path}: providers.default.transport: no transport 'pigeon' is installed; there are: "
                                 "api, gone, maildir, null, smtp")  # fmt: skip


def test_the_transport_a_provider_asks_for() -> None:
    assert isinstance(open_transport(ProviderSettings(transport="null"), {}), NullTransport)
    named = ProviderSettings(username="shop", password_env="SHOP_PASSWORD")
    assert isinstance(open_transport(named, {"SHOP_PASSWORD": "x"}), SmtpTransport)
    with pytest.raises(UsageError, match="SHOP_PASSWORD"):
        open_transport(named, {})


async def test_maildir_keeps_each_message_as_one_file(tmp_path: Path) -> None:
    folder = tmp_path / "mail" / "dev"
    transport = open_transport(ProviderSettings(transport="maildir", path=str(folder)), {})
    assert await asyncio.gather(*(transport.send(composed(number)) for number in range(20))) == [DELIVERED] * 20
    await transport.close()
    box = mailbox.Maildir(folder)
    assert sorted(message["Subject"] for message in box) == sorted(str(number) for number in range(20))
    assert {message.get_subdir() for message in box} == {"new"}
    assert not list((folder / "tmp").iterdir())
    (first, *_) = (folder / "new").iterdir()
    assert first.read_bytes().startswith(b"Return-Path: <shop@example.com>\nDelivered-To: ana@example.org\nSubject: ")


async def test_a_maildir_that_cannot_be_written_costs_no_attempt(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    transport = open_transport(ProviderSettings(transport="maildir", path=str(tmp_path / "file" / "box")), {})
    result = await transport.send(composed())
    assert (result.outcome, result.counted) == (Outcome.RETRY, False)
    assert result.reason in ("maildir: not a directory", "maildir: file exists")


def test_maildir_needs_a_path(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs `path`, the folder to write to"):
        load(config=configured(tmp_path, 'transport = "maildir"'), environ={})
