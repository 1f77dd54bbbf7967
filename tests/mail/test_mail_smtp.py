"""Delivery over real SMTP on loopback: what arrives, how the pool behaves, TLS and login."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from mail_servers import Hangup, Inbox, Talk, aiosmtpd_server, composed, login, scripted

from queuectl.mail import smtp as smtp_module
from queuectl.mail.replies import DELIVERED, Outcome, Scope
from queuectl.mail.smtp import SmtpTransport
from queuectl.settings import ProviderSettings

OPEN = Callable[..., SmtpTransport]


@pytest.fixture
async def connect() -> AsyncIterator[OPEN]:
    """Opens transports to a port of loopback, and closes them."""
    opened: list[SmtpTransport] = []

    def make(port: int, password: str | None = None, **settings: object) -> SmtpTransport:
        provider = ProviderSettings.model_validate({"port": port, **settings})
        opened.append(SmtpTransport(provider, password))
        return opened[-1]

    yield make
    for transport in opened:
        await transport.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until_ready(transport: SmtpTransport) -> None:
    while not transport.ready:
        await asyncio.sleep(0.005)


async def test_what_arrives_is_what_was_composed(connect: OPEN) -> None:
    inbox = Inbox()
    payload = b"Subject: x\r\n\r\n.leading dot\r\n..two\r\n.\r\nend\r\n"
    async with aiosmtpd_server(inbox) as port:
        transport = connect(port)
        assert await transport.send(composed(payload=payload)) == DELIVERED
        assert transport.connections == 1
        await transport.close()
    assert inbox.envelopes[0].original_content == payload
    assert inbox.envelopes[0].mail_from == "shop@example.com"
    assert inbox.envelopes[0].rcpt_tos == ["ana@example.org"]


async def test_a_body_without_a_last_line_end_arrives_ended(connect: OPEN) -> None:
    inbox = Inbox()
    async with aiosmtpd_server(inbox) as port:
        transport = connect(port)
        await transport.send(composed(payload=b".starts with a dot"))
        await transport.close()
    assert inbox.envelopes[0].original_content == b".starts with a dot\r\n"


async def test_pipelining_sends_the_envelope_in_one_group(connect: OPEN) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING", "SIZE 1000000")
        await talk.accept()
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = connect(server.port)
        payload = b"Subject: a\r\n\r\n.dot\r\n"
        assert await transport.send(composed(payload=payload)) == DELIVERED
        assert await transport.send(composed(2)) == DELIVERED
        await transport.close()
    assert server.heard[1:4] == [
        f"MAIL FROM:<shop@example.com> SIZE={len(payload)}",
        "RCPT TO:<ana@example.org>",
        "DATA",
    ]
    assert server.bodies[0] == b"Subject: a\r\n\r\n..dot\r\n.\r\n"
    assert server.connections == 1
    assert server.heard[-1] == "QUIT"


async def test_many_messages_share_few_connections(connect: OPEN) -> None:
    inbox = Inbox()
    async with aiosmtpd_server(inbox) as port:
        transport = connect(port, connections=3)
        results = await asyncio.gather(*(transport.send(composed(number)) for number in range(60)))
        assert transport.connections <= 3
        await transport.close()
    assert set(results) == {DELIVERED}
    assert len({envelope.original_content for envelope in inbox.envelopes}) == 60
    assert len(set(inbox.peers)) <= 3


async def test_a_connection_carries_only_so_many_messages(connect: OPEN) -> None:
    inbox = Inbox()
    async with aiosmtpd_server(inbox) as port:
        transport = connect(port, connections=1, messages_per_connection=4)
        for number in range(10):
            assert await transport.send(composed(number)) == DELIVERED
        await transport.close()
    assert [inbox.peers.count(peer) for peer in dict.fromkeys(inbox.peers)] == [4, 4, 2]


async def test_idle_connections_are_closed(connect: OPEN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_module, "IDLE_S", 0.02)

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = connect(server.port)
        await transport.send(composed())
        await server.left.wait()
        assert transport.connections == 0
        assert server.heard[-1] == "QUIT"


async def test_a_refused_recipient_leaves_the_connection_fit(connect: OPEN) -> None:
    inbox = Inbox(refuse_rcpt={"gone@example.org": "550 5.1.1 <gone@example.org>: user unknown"},
                  refuse_data={"full@example.org": "452 4.2.2 mailbox full"})  # fmt: skip
    async with aiosmtpd_server(inbox) as port:
        transport = connect(port, connections=1)
        gone = await transport.send(composed(1, "gone@example.org"))
        full = await transport.send(composed(2, "full@example.org"))
        assert await transport.send(composed(3)) == DELIVERED
        await transport.close()
    assert (gone.outcome, gone.scope, gone.code) == (Outcome.FAILED, Scope.RECIPIENT, 550)
    assert gone.reason == "550 5.1.1 <…>: user unknown"
    assert (full.outcome, full.scope, full.counted) == (Outcome.RETRY, Scope.RECIPIENT, True)
    assert len(inbox.envelopes) == 1


async def test_an_address_outside_ascii_needs_smtputf8(connect: OPEN) -> None:
    inbox = Inbox()
    async with aiosmtpd_server(inbox, enable_SMTPUTF8=True) as port:
        assert await connect(port).send(composed(1, "añá@example.org")) == DELIVERED
    async with aiosmtpd_server(inbox, enable_SMTPUTF8=False) as port:
        refused = await connect(port).send(composed(1, "añá@example.org"))
    assert inbox.envelopes[0].rcpt_tos == ["añá@example.org"]
    assert (refused.outcome, refused.scope) == (Outcome.FAILED, Scope.RECIPIENT)


async def test_nobody_listens_there(connect: OPEN) -> None:
    transport = connect(free_port(), connections=5)
    assert transport.ready
    results = await asyncio.gather(*(transport.send(composed(number)) for number in range(20)))
    assert {(result.outcome, result.scope, result.counted) for result in results} == {
        (Outcome.RETRY, Scope.CONNECTION, False)
    }
    assert {result.reason for result in results} == {"cannot connect: connection refused"}
    assert not transport.ready


async def test_a_host_name_that_cannot_be(connect: OPEN) -> None:
    refused = await connect(25, host="a" * 70 + ".example", tls="starttls").send(composed())
    assert (refused.outcome, refused.counted) == (Outcome.RETRY, False)
    assert refused.reason == "cannot connect: host name not found"


async def test_a_server_that_is_down_is_probed_by_one_and_found_again(
    connect: OPEN, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_module, "BACKOFF_BASE_S", 0.02)
    port = free_port()
    transport = connect(port, connections=5)
    down = await transport.send(composed())
    assert down.outcome is Outcome.RETRY

    async def refuse(talk: Talk) -> None:
        raise Hangup

    async def accept(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.accept()
        await talk.rest()

    async with scripted(refuse, port=port) as server:
        await until_ready(transport)
        await asyncio.gather(*(transport.send(composed(number)) for number in range(20)))
    assert server.connections == 1
    async with scripted(accept, port=port):
        await until_ready(transport)
        assert await transport.send(composed()) == DELIVERED
        assert transport.ready
        await transport.close()


async def test_a_server_that_limits_connections_is_used_with_what_it_gives(connect: OPEN) -> None:
    async def script(talk: Talk) -> None:
        if talk.number > 2:
            talk.say("421 4.7.0 too many connections")
            return
        await talk.hello("PIPELINING")
        while True:
            await talk.accept()

    async with scripted(script) as server:
        transport = connect(server.port, connections=10)
        await transport.send(composed())
        results = await asyncio.gather(*(transport.send(composed(number)) for number in range(30)))
        assert set(results) == {DELIVERED}
        assert transport.connections <= 2
        await transport.close()


async def test_closing_releases_who_waits_and_interrupts_who_sends(connect: OPEN) -> None:
    reached = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope()
        await talk.body()
        reached.set()
        await talk.line()

    async with scripted(script) as server:
        transport = connect(server.port, connections=1)
        sending = asyncio.ensure_future(transport.send(composed(1)))
        await reached.wait()
        waiting = asyncio.ensure_future(transport.send(composed(2)))
        await asyncio.sleep(0)
        await transport.close()
        assert (await waiting).outcome is Outcome.RELEASE
        interrupted = await sending
        assert (interrupted.outcome, interrupted.scope) == (Outcome.RETRY, Scope.AMBIGUOUS)
        assert (await transport.send(composed(3))).outcome is Outcome.RELEASE
        assert transport.connections == 0


async def test_a_cancelled_send_gives_its_place_to_another(connect: OPEN) -> None:
    reached = asyncio.Event()

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        if talk.number == 1:
            await talk.envelope()
            reached.set()
            await talk.rest()
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = connect(server.port, connections=1)
        first = asyncio.ensure_future(transport.send(composed(1)))
        await reached.wait()
        gives_up = asyncio.ensure_future(transport.send(composed(2)))
        waiting = asyncio.ensure_future(transport.send(composed(3)))
        await asyncio.sleep(0)
        gives_up.cancel()
        first.cancel()
        assert await waiting == DELIVERED
        await asyncio.gather(first, gives_up, return_exceptions=True)
        assert first.cancelled() and gives_up.cancelled()
        await transport.close()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
async def test_login_with_the_right_and_the_wrong_password(connect: OPEN) -> None:
    inbox = Inbox()
    options = {"authenticator": login("shop", "s3cret"), "auth_required": True, "auth_require_tls": False}
    async with aiosmtpd_server(inbox, **options) as port:
        good, bad = connect(port, "s3cret", username="shop"), connect(port, "wrong", username="shop")
        assert await good.send(composed()) == DELIVERED
        refused = await bad.send(composed())
        await good.close()
    assert (refused.outcome, refused.scope, refused.counted, refused.code) == (
        Outcome.RETRY, Scope.ACCOUNT, False, 535)  # fmt: skip


async def test_login_falls_back_to_the_login_mechanism(connect: OPEN) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING", "AUTH LOGIN")
        assert await talk.line() == "AUTH LOGIN"
        talk.say("334 VXNlcm5hbWU6")
        assert await talk.line() == "c2hvcA=="
        talk.say("334 UGFzc3dvcmQ6")
        assert await talk.line() == "czNjcmV0"
        talk.say("235 2.7.0 welcome")
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = connect(server.port, "s3cret", username="shop")
        assert await transport.send(composed()) == DELIVERED
        await transport.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2",
                    "-keyout", folder / "cert.pem", "-out", folder / "public.pem"],
                   check=True, capture_output=True)  # fmt: skip
    pem = folder / "cert.pem"
    pem.write_text(pem.read_text() + (folder / "public.pem").read_text())
    return pem


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_starttls(
    connect: OPEN, certificate: Path, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    inbox = Inbox()
    async with aiosmtpd_server(inbox, tls_context=server_tls, require_starttls=True) as port:
        transport = connect(port, tls="starttls", host="localhost")
        assert await transport.send(composed()) == DELIVERED
        assert await transport.send(composed(2)) == DELIVERED
        await transport.close()
    assert inbox.tls == [True, True]


async def test_a_certificate_nobody_vouches_for_is_refused(connect: OPEN, server_tls: ssl.SSLContext) -> None:
    inbox = Inbox()
    async with aiosmtpd_server(inbox, tls_context=server_tls, require_starttls=True) as port:
        refused = await connect(port, tls="starttls").send(composed())
    assert (refused.outcome, refused.scope, refused.counted) == (Outcome.RETRY, Scope.CONNECTION, False)
    assert "certificate" in refused.reason
    assert not inbox.envelopes


async def test_implicit_tls(
    connect: OPEN, certificate: Path, server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.accept()
        await talk.rest()

    async with scripted(script, server_tls) as server:
        transport = connect(server.port, tls="implicit")
        assert await transport.send(composed()) == DELIVERED
        await transport.close()


async def test_a_server_without_starttls_gets_no_mail_in_clear(connect: OPEN) -> None:
    inbox = Inbox()
    async with aiosmtpd_server(inbox) as port:
        refused = await connect(port, tls="starttls").send(composed())
    assert refused.reason == "server does not offer STARTTLS"
    assert not inbox.envelopes


async def test_plain_text_smuggled_in_before_tls_is_refused(connect: OPEN) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("STARTTLS")
        await talk.line()
        talk.say("220 go", "250 injected")
        await talk.rest()

    async with scripted(script) as server:
        refused = await connect(server.port, tls="starttls").send(composed())
        await server.left.wait()
    assert refused.scope is Scope.CONNECTION
    assert "before TLS" in refused.reason
