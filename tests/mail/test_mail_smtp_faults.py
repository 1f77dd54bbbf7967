"""Everything that can go wrong in an SMTP session, against a scripted server on loopback."""

from __future__ import annotations

import asyncio

import pytest
from mail_servers import Hangup, Talk, composed, scripted

from queuectl.mail.replies import DELIVERED, Outcome, Scope
from queuectl.mail.smtp import SmtpTransport
from queuectl.settings import ProviderSettings


def transport_to(port: int, timeout_s: float = 20.0, **settings: object) -> SmtpTransport:
    return SmtpTransport(ProviderSettings.model_validate({"port": port, "timeout_s": timeout_s, "connections": 1,
                                                          **settings}), None)  # fmt: skip


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("verb", "reply", "outcome", "scope", "counted"),
    [
        ("MAIL", "550 5.1.8 sender rejected", Outcome.FAILED, Scope.SENDER, True),
        ("MAIL", "451 4.3.0 try later", Outcome.RETRY, Scope.PROVIDER, True),
        ("RCPT", "550 5.1.1 no such user", Outcome.FAILED, Scope.RECIPIENT, True),
        ("RCPT", "451 4.7.1 slow down", Outcome.RETRY, Scope.PROVIDER, False),
        ("DATA", "554 5.6.0 no", Outcome.FAILED, Scope.MESSAGE, True),
    ],
)
async def test_a_refusal_at_each_step_and_the_next_message_goes_through(
    pipelining: bool, verb: str, reply: str, outcome: Outcome, scope: Scope, counted: bool
) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello(*(["PIPELINING"] if pipelining else ["8BITMIME"]))
        refused = False
        while not refused:
            line = await talk.line()
            refused = line.startswith(verb)
            talk.say(reply if refused else "250 ok")
        while pipelining and not line.startswith("DATA"):
            line = await talk.line()
            talk.say("503 5.5.1 need RCPT")
        await talk.reset()
        for expected in ("MAIL", "RCPT", "DATA"):
            assert (await talk.line()).startswith(expected)
            talk.say("354 go" if expected == "DATA" else "250 ok")
        await talk.body()
        talk.say("250 kept")
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        refused = await transport.send(composed())
        assert (refused.outcome, refused.scope, refused.counted) == (outcome, scope, counted)
        assert await transport.send(composed()) == DELIVERED
        await transport.close()
    assert server.connections == 1


async def test_a_server_that_takes_data_without_a_recipient_gets_an_empty_message() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope(rcpt="550 5.1.1 no such user")
        assert await talk.line() == "."
        talk.say("554 5.5.1 no valid recipients")
        await talk.reset()
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        assert (await transport.send(composed())).code == 550
        assert await transport.send(composed()) == DELIVERED
        await transport.close()


@pytest.mark.parametrize("at_greeting", [True, False])
async def test_421_closes_the_session_and_costs_no_attempt(at_greeting: bool) -> None:
    async def script(talk: Talk) -> None:
        if talk.number == 1 and at_greeting:
            talk.say("421 4.3.2 shutting down")
            raise Hangup
        await talk.hello("PIPELINING")
        if talk.number == 1:
            await talk.line()
            talk.say("421 4.7.0 closing transmission channel")
            raise Hangup
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        first = await transport.send(composed())
        assert (first.outcome, first.scope, first.counted, first.code) == (
            Outcome.RETRY, Scope.PROVIDER, False, 421)  # fmt: skip
        while not transport.ready:
            await asyncio.sleep(0.01)
        assert await transport.send(composed()) == DELIVERED
        await transport.close()


async def test_421_to_the_final_dot() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope()
        await talk.body()
        talk.say("421 4.3.0 disk full")
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        assert (result.outcome, result.counted) == (Outcome.RETRY, False)
        assert transport.connections == 0
        await transport.close()


@pytest.mark.parametrize("step", ["greeting", "ehlo", "mail", "data"])
async def test_a_connection_dropped_before_the_final_dot_is_no_attempt(step: str) -> None:
    async def script(talk: Talk) -> None:
        if step == "greeting":
            raise Hangup
        talk.say("220 hello")
        await talk.line()
        if step == "ehlo":
            raise Hangup
        talk.say("250-test.invalid", "250 PIPELINING")
        await talk.line()
        if step == "data":
            talk.say("250 ok", "250 ok")
        raise Hangup

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        await transport.close()
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.CONNECTION, False)
    assert result.code == 0


async def test_a_connection_dropped_after_the_final_dot_is_ambiguous() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope()
        await talk.body()
        raise Hangup

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        await transport.close()
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.AMBIGUOUS, True)
    assert result.reason == "connection closed by server after the final dot"


@pytest.mark.parametrize(("step", "scope"), [("mail", Scope.CONNECTION), ("body", Scope.AMBIGUOUS)])
async def test_a_server_that_stalls_is_left_when_the_reply_is_due(step: str, scope: Scope) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        if step == "body":
            await talk.envelope()
            await talk.body()
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port, timeout_s=0.1)
        result = await transport.send(composed())
        assert (result.outcome, result.scope) == (Outcome.RETRY, scope)
        assert result.reason.startswith("no reply in time")
        assert transport.connections == 0
        await transport.close()


async def test_slow_but_steady_replies_are_waited_for() -> None:
    """The limit is for one reply, not for the session: three replies at 60 % of it each."""

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        for _ in ("MAIL", "RCPT"):
            await talk.line()
            await asyncio.sleep(0.3)
            talk.say("250 ok")
        await talk.line()
        await asyncio.sleep(0.3)
        talk.say("354 go")
        await talk.body()
        talk.say("250 kept")
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port, timeout_s=0.5)
        assert await transport.send(composed()) == DELIVERED
        await transport.close()


@pytest.mark.parametrize("farewell", [[], ["421 4.4.2 idle too long"]])
async def test_a_kept_connection_closed_by_the_server_costs_the_next_message_nothing(farewell: list[str]) -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.accept()
        if talk.number == 1:
            talk.say(*farewell)
            raise Hangup
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        assert await transport.send(composed(1)) == DELIVERED
        while transport.connections:
            await asyncio.sleep(0)
        assert await transport.send(composed(2)) == DELIVERED
        await transport.close()
    assert server.connections == 2


async def test_a_kept_connection_that_closes_on_the_next_message_is_replaced() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.accept()
        if talk.number == 1:
            await talk.line()
            raise Hangup
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        assert await transport.send(composed(1)) == DELIVERED
        assert await transport.send(composed(2)) == DELIVERED
        await transport.close()
    assert server.connections == 2


async def test_replies_that_arrive_in_pieces_or_over_many_lines() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        for _ in range(3):
            await talk.line()
        for piece in (b"2", b"50 o", b"k\r", b"\n250-5.1.1 a\r\n250 2.1.5 b\r\n35", b"4 go\r\n"):
            talk.writer.write(piece)
            await talk.writer.drain()
            await asyncio.sleep(0)
        await talk.body()
        talk.say("550-5.7.1 blocked", "550 5.7.1 see <https://example.org/1>")
        await talk.reset()
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        await transport.close()
    assert result.reason == "550 5.7.1 blocked see <…>"
    assert (result.outcome, result.scope) == (Outcome.FAILED, Scope.SENDER)


@pytest.mark.parametrize("greeting", ["HTTP/1.1 400 Bad Request\r\n", "x" * 200_000, "220-\r\n" * 2000])
async def test_what_is_no_smtp_server_is_left(greeting: str) -> None:
    async def script(talk: Talk) -> None:
        talk.writer.write(greeting.encode())
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        await transport.close()
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.CONNECTION, False)


async def test_a_server_that_refuses_us_at_the_greeting_fails_no_recipient() -> None:
    async def script(talk: Talk) -> None:
        talk.say("554 5.7.1 your address is on a block list")
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        await transport.close()
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.SENDER, False)
