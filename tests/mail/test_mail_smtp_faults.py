"""Everything that can go wrong in an SMTP session, against a scripted server on loopback."""

from __future__ import annotations

import asyncio
import itertools
import socket

import pytest
from mail_servers import Hangup, Talk, composed, scripted

from queuectl.mail.replies import DELIVERED, Disposition, Outcome, Scope
from queuectl.mail.rules import rules_for
from queuectl.mail.smtp import SmtpTransport
from queuectl.model import ServerError
from queuectl.settings import ProviderSettings


def transport_to(port: int, **settings: object) -> SmtpTransport:
    return SmtpTransport(ProviderSettings.model_validate({"port": port, "connections": 1, **settings}), None)


def judged(found: Disposition) -> Disposition:
    """What the generic rules make of it, as a worker has it."""
    return rules_for(ProviderSettings()).judge(found)


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
        refused = judged(await transport.send(composed()))
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


@pytest.mark.parametrize(
    ("verb", "reply", "outcome"),
    [
        ("MAIL", "452 4.3.1 insufficient system storage", Outcome.RETRY),
        ("RCPT", "452 4.2.2 mailbox full", Outcome.RETRY),
        ("DATA", "452 4.3.1 no space left", Outcome.RETRY),
        ("body", "452 4.3.1 no space left", Outcome.RETRY),
        ("RCPT", "552 5.2.2 mailbox full", Outcome.FAILED),
        ("body", "552 5.2.2 over quota", Outcome.FAILED),
        ("body", "552 5.3.4 message too big", Outcome.FAILED),
    ],
)
async def test_a_receiver_whose_disk_is_full(verb: str, reply: str, outcome: Outcome) -> None:
    """Temporary or permanent as the server says; the address stays good in either case."""

    async def script(talk: Talk) -> None:
        await talk.hello()
        for command, answer in (("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go")):
            assert (await talk.line()).startswith(command)
            talk.say(reply if command == verb else answer)
            if command == verb:
                break
        else:
            await talk.body()
            talk.say(reply)
        await talk.reset()
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(composed())
        assert transport.connections == 1
        await transport.close()
    assert (result.outcome, result.code, result.bounce) == (outcome, int(reply[:3]), False)
    assert result.reason == reply


async def test_a_storm_of_4xx_costs_no_connection_and_no_message() -> None:
    """Every second recipient is refused for now, on four connections at once: the rest goes through."""
    numbers = itertools.count()

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        while True:
            busy = next(numbers) % 2 == 1
            if not busy:
                await talk.accept()
                continue
            await talk.envelope(rcpt="450 4.2.1 busy", data="503 5.5.1 no recipient")
            await talk.reset()

    async with scripted(script) as server:
        transport = transport_to(server.port, connections=4)
        results = await asyncio.gather(*(transport.send(composed(number)) for number in range(200)))
        assert transport.connections == server.connections == 4
        await transport.close()
    assert len(server.bodies) == results.count(DELIVERED)
    assert {result.reason for result in results} == {"", "450 4.2.1 busy"}
    assert 90 <= len(server.bodies) <= 110


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
        first = judged(await transport.send(composed()))
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
        result = judged(await transport.send(composed()))
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


SHORT = {"greeting": "greeting_s", "ehlo": "command_s", "mail": "mail_s", "rcpt": "rcpt_s", "data": "data_s",
         "final dot": "final_dot_s"}  # fmt: skip


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("step", SHORT)
async def test_a_server_that_stalls_is_left_when_that_steps_time_is_over(step: str, pipelining: bool) -> None:
    async def script(talk: Talk) -> None:
        if step == "greeting":
            await talk.rest()
        talk.say("220 test.invalid")
        await talk.line()
        if step == "ehlo":
            await talk.rest()
        talk.say("250-test.invalid", f"250 {'PIPELINING' if pipelining else '8BITMIME'}")
        for verb, answer in (("mail", "250 ok"), ("rcpt", "250 ok"), ("data", "354 go")):
            await talk.line()
            if step == verb:
                await talk.rest()
            talk.say(answer)
        await talk.body()
        await talk.rest()

    async with scripted(script) as server:
        # Every other step would wait for minutes: only the one under test can end this.
        transport = transport_to(server.port, timeouts={SHORT[step]: 0.05})
        result = await transport.send(composed())
        assert transport.connections == 0
        await transport.close()
    scope = Scope.AMBIGUOUS if step == "final dot" else Scope.CONNECTION
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, scope, step == "final dot")
    assert result.reason.startswith("no reply in time")


async def test_a_server_that_accepts_connections_and_no_tls_is_left() -> None:
    async def script(talk: Talk) -> None:
        await talk.reader.read()

    async with scripted(script) as server:
        transport = transport_to(server.port, tls="implicit", host="localhost", timeouts={"connect_s": 0.1})
        result = await transport.send(composed())
        await transport.close()
    assert result.reason == "cannot connect: timed out"


async def test_each_reply_has_its_own_time() -> None:
    """Three replies at 60 % of the limit each: the times of a group do not add up."""

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        for reply in ("250 ok", "250 ok", "354 go"):
            await talk.line()
            await asyncio.sleep(0.3)
            talk.say(reply)
        await talk.body()
        talk.say("250 kept")
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port, timeouts={"mail_s": 0.5, "rcpt_s": 0.5, "data_s": 0.5})
        assert await transport.send(composed()) == DELIVERED
        await transport.close()


async def test_a_reply_that_drips_is_not_waited_for_any_longer() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        while True:
            talk.writer.write(b"2")
            await talk.writer.drain()
            await asyncio.sleep(0.02)

    async with scripted(script) as server:
        transport = transport_to(server.port, timeouts={"mail_s": 0.2})
        result = await transport.send(composed())
        await transport.close()
    assert result.reason == "no reply in time at mail"


LARGE = composed(payload=b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 300_000)
"""22 MB: more than the system's socket buffers hold."""


async def test_a_server_that_stops_reading_cannot_have_taken_the_message() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope()
        talk.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await talk.server.left.wait()

    async with scripted(script) as server:
        transport = transport_to(server.port, timeouts={"block_s": 0.1})
        result = await transport.send(LARGE)
        assert transport.connections == 0
        await transport.close()
        server.left.set()
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.CONNECTION, False)
    assert result.reason == "server took no more of the message at data"


async def test_a_large_message_may_take_longer_than_one_block() -> None:
    """The server reads slowly but steadily; then its own time for the final answer begins."""

    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope()
        while not (await talk.reader.read(1 << 20)).endswith(b"\r\n.\r\n"):
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        talk.say("250 kept")
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port, timeouts={"block_s": 0.15, "final_dot_s": 5})
        assert await transport.send(LARGE) == DELIVERED
        await transport.close()


async def test_a_connection_dropped_in_the_middle_of_a_message_is_not_ambiguous() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.envelope()
        await talk.reader.read(1000)
        raise Hangup

    async with scripted(script) as server:
        transport = transport_to(server.port)
        result = await transport.send(LARGE)
        await transport.close()
    assert (result.outcome, result.scope, result.counted) == (Outcome.RETRY, Scope.CONNECTION, False)
    assert result.reason.endswith("at data")


async def test_a_peer_that_is_gone_without_a_word_is_noticed_by_tcp() -> None:
    async def script(talk: Talk) -> None:
        await talk.hello("PIPELINING")
        await talk.accept()
        await talk.rest()

    async with scripted(script) as server:
        transport = transport_to(server.port)
        assert await transport.send(composed()) == DELIVERED
        (session,) = transport._sessions
        assert session.transport is not None
        used = session.transport.get_extra_info("socket")
        assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert used.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 45_000
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


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_message_stopped_at_its_commit_point_is_not_sent(pipelining: bool) -> None:
    """The point comes after the server has asked for the message, and before any of it goes out."""
    heard_at_point: list[list[str]] = []

    async def script(talk: Talk) -> None:
        await talk.hello(*(["PIPELINING"] if pipelining else []))
        for reply in ("250 ok", "250 ok", "354 go"):
            await talk.line()
            talk.say(reply)
        await talk.rest()

    async def stop() -> None:
        heard_at_point.append([line.partition(" ")[0] for line in server.heard])
        raise ServerError("away")

    async with scripted(script) as server:
        transport = transport_to(server.port)
        with pytest.raises(ServerError):
            await transport.send(composed(), stop)
        assert transport.connections == 0
        await transport.close()
    assert heard_at_point == [["EHLO", "MAIL", "RCPT", "DATA"]]
    assert not server.bodies
