"""Real SMTP servers on loopback for the mail tests: aiosmtpd for what is right, a scripted one for what goes wrong."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from queuectl.mail.compose import Composed


def composed(number: int = 0, recipient: str = "ana@example.org", payload: bytes = b"") -> Composed:
    return Composed("shop@example.com", recipient, payload or b"Subject: %d\r\n\r\nhello\r\n" % number)


@dataclass
class Inbox:
    """aiosmtpd handler that keeps what it took; `refuse_rcpt` maps a recipient to the reply it gets."""

    envelopes: list[Envelope] = field(default_factory=list)
    peers: list[Any] = field(default_factory=list)
    tls: list[bool] = field(default_factory=list)
    refuse_rcpt: dict[str, str] = field(default_factory=dict)
    refuse_data: dict[str, str] = field(default_factory=dict)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: E501  # fmt: skip
        if address in self.refuse_rcpt:
            return self.refuse_rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if envelope.rcpt_tos[0] in self.refuse_data:
            return self.refuse_data[envelope.rcpt_tos[0]]
        self.envelopes.append(envelope)
        self.peers.append(session.peer)
        self.tls.append(session.ssl is not None)
        return "250 2.0.0 kept"


@asynccontextmanager
async def aiosmtpd_server(inbox: Inbox, **options: Any) -> AsyncIterator[int]:
    """An aiosmtpd server on a free port of loopback; yields the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="test.invalid", **options), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def login(username: str, password: str) -> Callable[..., AuthResult]:
    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword) -> AuthResult:  # noqa: E501  # fmt: skip
        good = data.login == username.encode() and data.password == password.encode()
        return AuthResult(success=good, handled=good)

    return authenticate


class Hangup(Exception):
    """The scripted server drops the connection now."""


Script = Callable[["Talk"], Awaitable[None]]


@dataclass
class Talk:
    """One connection of the scripted server; `number` counts connections from 1."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: ScriptedServer

    async def line(self) -> str:
        line = await self.reader.readline()
        if not line:
            raise Hangup
        text = line.decode().rstrip("\r\n")
        self.server.heard.append(text)
        return text

    def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def hello(self, *extensions: str) -> None:
        self.say("220 test.invalid")
        assert (await self.line()).startswith("EHLO ")
        names = ["test.invalid", *extensions]
        self.say(*(f"250{'-' if name is not names[-1] else ' '}{name}" for name in names))

    async def body(self) -> bytes:
        data = await self.reader.readuntil(b"\r\n.\r\n")
        self.server.bodies.append(data)
        return data

    async def envelope(self, mail: str = "250 ok", rcpt: str = "250 ok", data: str = "354 go") -> None:
        """Read MAIL, RCPT and DATA as a group and answer it at once, as a pipelining server does."""
        for verb in ("MAIL", "RCPT", "DATA"):
            line = await self.line()
            if line == "QUIT":
                raise Hangup
            assert line.startswith(verb)
        self.say(mail, rcpt, data)

    async def accept(self) -> None:
        await self.envelope()
        await self.body()
        self.say("250 2.0.0 kept")

    async def reset(self) -> None:
        assert await self.line() == "RSET"
        self.say("250 ok")

    async def rest(self) -> None:
        """Stay until the client leaves."""
        while True:
            if await self.line() == "QUIT":
                self.say("221 bye")
                raise Hangup


@dataclass
class ScriptedServer:
    """Runs `script` for every connection and keeps what it heard."""

    script: Script
    port: int = 0
    connections: int = 0
    heard: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.tasks.add(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.script(Talk(self.connections, reader, writer, self))
        except (Hangup, ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            writer.close()
            self.left.set()


@asynccontextmanager
async def scripted(script: Script, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[ScriptedServer]:
    """The scripted server on loopback; fails the test at the end if its script failed."""
    state = ScriptedServer(script)
    server = await asyncio.start_server(state.accept, "127.0.0.1", port, ssl=tls)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in state.tasks:
            task.cancel()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()
    assert not state.errors, state.errors
