"""One SMTP connection: a lean client on an asyncio protocol, with PIPELINING where the server offers it.

A message costs two writes: MAIL, RCPT and DATA as one group (RFC 2920), then the message with its final dot.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from queuectl.mail.compose import Composed
from queuectl.mail.replies import Disposition, Outcome, Phase, Reply, Scope, classify, unanswered
from queuectl.mail.smtp_clock import ReplyClock
from queuectl.mail.transport import CommitPoint
from queuectl.settings import TimeoutSettings

MAX_REPLY_BYTES = 64 * 1024
QUIT_S = 2.0
"""How long a leaving client waits for the answer to QUIT."""
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 45_000),
)
"""A peer that is gone without a word (power, a firewall's memory) is noticed in 45 s, idle or not; the times for
replies are for servers that live and are slow."""


class SessionLost(Exception):
    """No reply will come; the text says why in stable words."""

    def __init__(self, why: str, timed_out: bool = False) -> None:
        super().__init__(why)
        self.timed_out = timed_out


class StaleSession(Exception):
    """A kept connection turned out to be closed before it took anything: send the message on another one."""


class SmtpSession(asyncio.Protocol):
    """Carries one message at a time. `on_closed` is called once, when the connection has gone for any reason."""

    def __init__(self, timeouts: TimeoutSettings, on_closed: Callable[[SmtpSession], None]) -> None:
        self.extensions: dict[str, str] = {}
        """What EHLO offered: name in capitals -> parameters."""
        self.taken = 0
        """Messages begun on this connection."""
        self.idle_since = 0.0
        """Event loop time; the pool's."""
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._clock = ReplyClock(timeouts, self._overdue)
        self._on_closed = on_closed
        self._buffer = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._quitting: asyncio.TimerHandle | None = None
        self._broken = ""
        self._busy = True
        self._phase = Phase.CONNECT

    @property
    def usable(self) -> bool:
        """Whether it can take another message."""
        return not self._broken

    async def deliver(self, composed: Composed, commit_point: CommitPoint | None = None) -> Disposition:
        """One mail transaction. Raises StaleSession when the server had left before it began."""
        self.taken += 1
        self._busy = True
        refusal: Disposition | None = None
        try:
            refusal = await self._envelope(composed)
            if refusal is None:
                if commit_point is not None:
                    await commit_point()
                final = classify(await self._body(composed.payload), Phase.BODY)
                if final.outcome is Outcome.DELIVERED:
                    return final
                refusal = final
            await self._recover(refusal)
            return refusal
        except SessionLost as lost:
            if refusal is None and self._phase is Phase.MAIL and self.taken > 1 and not lost.timed_out:
                raise StaleSession from lost
            return refusal or unanswered(self._phase, str(lost))
        except BaseException:
            self.abort("cancelled")
            raise
        finally:
            self._busy = False
            if self._replies:
                self._lose("server closing")

    async def command(self, line: str, phase: Phase) -> Reply:
        """Send one command and wait for its reply. Raises SessionLost."""
        self._expect(phase)
        self._clock.expect(Phase.CONNECT)
        self._write(f"{line}\r\n".encode())
        return await self.reply()

    async def reply(self) -> Reply:
        """The next reply. Raises SessionLost."""
        if not self._replies:
            await self._wait()
        return self._replies.popleft()

    def opened(self) -> None:
        """Greeting, TLS and login are done: what the server now says unasked, it says to end the session."""
        self._busy = False

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Go on over TLS. Raises SessionLost, or OSError when the handshake fails."""
        if self._buffer or self._replies or self.transport is None:
            raise SessionLost("reply before TLS began")
        secure = await self._loop.start_tls(self.transport, self, context, server_hostname=server_name)
        if secure is None:
            raise SessionLost("connection closed by server")
        self.transport = secure
        self._clock.watch(secure)

    def quit(self) -> None:
        """Leave politely, without waiting for it."""
        if self._broken:
            return
        self._broken = "left"
        self._write(b"QUIT\r\n")
        self._quitting = self._loop.call_later(QUIT_S, self._drop)

    def abort(self, why: str) -> None:
        """Drop the connection now."""
        self._broken = self._broken or why
        self._drop()

    async def _envelope(self, composed: Composed) -> Disposition | None:
        """MAIL, RCPT, DATA; None when the server now waits for the message."""
        if not composed.recipient.isascii() and "SMTPUTF8" not in self.extensions:
            return Disposition(Outcome.FAILED, Scope.RECIPIENT, True, "server takes ASCII addresses only (no SMTPUTF8)")
        steps = self._steps(composed)
        if "PIPELINING" not in self.extensions:
            return await self._one_by_one(steps)
        self._write(b"".join(line for _, line in steps))
        return await self._grouped(steps)

    def _steps(self, composed: Composed) -> tuple[tuple[Phase, bytes], ...]:
        options = "" if composed.recipient.isascii() else " BODY=8BITMIME SMTPUTF8"
        if "SIZE" in self.extensions:
            options += f" SIZE={len(composed.payload)}"
        return (
            (Phase.MAIL, f"MAIL FROM:<{composed.envelope_from}>{options}\r\n".encode()),
            (Phase.RCPT, f"RCPT TO:<{composed.recipient}>\r\n".encode()),
            (Phase.DATA, b"DATA\r\n"),
        )

    async def _one_by_one(self, steps: tuple[tuple[Phase, bytes], ...]) -> Disposition | None:
        for phase, line in steps:
            self._expect(phase)
            self._write(line)
            reply = await self.reply()
            if not _accepted(reply, phase):
                return classify(reply, phase)
        return None

    async def _grouped(self, steps: tuple[tuple[Phase, bytes], ...]) -> Disposition | None:
        """One reply a command, all sent already; the first refusal decides, and the rest of the group is read."""
        refusal: Disposition | None = None
        for phase, _ in steps:
            self._expect(phase)
            try:
                reply = await self.reply()
                if refusal is not None and reply.code == 354:
                    await self._send_nothing()
            except SessionLost:
                if refusal is None:
                    raise
                return refusal
            if refusal is None and not _accepted(reply, phase):
                refusal = classify(reply, phase)
                if reply.code == 421:
                    return refusal
        return refusal

    async def _send_nothing(self) -> None:
        """The server refused the only recipient, yet waits for a message: give it an empty one, which it refuses."""
        self._write(b".\r\n")
        await self.reply()

    async def _body(self, payload: bytes) -> Reply:
        stuffed = payload.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self._expect(Phase.BODY)
        self._write(stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"))
        return await self.reply()

    async def _recover(self, refusal: Disposition) -> None:
        """Make the connection fit for the next message, or drop it."""
        if refusal.code == 421:
            self.abort("server closing")
        elif (await self.command("RSET", self._phase)).code != 250:
            self.abort("RSET refused")

    def _expect(self, phase: Phase) -> None:
        self._phase = phase
        self._clock.expect(phase)

    async def _wait(self) -> None:
        if self._broken:
            raise SessionLost(self._broken)
        self._waiter = self._loop.create_future()
        self._clock.wait()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._clock.rest()

    def _write(self, data: bytes) -> None:
        self._clock.begin()
        if self.transport is not None:
            self.transport.write(data)

    def _overdue(self, why: str) -> None:
        self._lose(why, timed_out=True)

    def _lose(self, why: str, timed_out: bool = False) -> None:
        self._broken = self._broken or why
        if self._clock.unsent_bytes and self._phase is Phase.BODY:
            # The final dot never left: nobody can have taken the message.
            self._phase = Phase.DATA
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(SessionLost(self._broken, timed_out))
        self._drop()

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio.Transport, though they have its methods.
        self.transport = cast(asyncio.Transport, transport)
        self._clock.watch(self.transport)
        _notice_silence(self.transport.get_extra_info("socket"))

    def pause_writing(self) -> None:
        self._clock.held_up()

    def resume_writing(self) -> None:
        self._clock.all_sent()

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._line_received(line.rstrip(b"\r").decode("utf-8", "replace"))
        if len(self._buffer) > MAX_REPLY_BYTES or len(self._lines) > 1000:
            self._lose("reply without end")
        elif self._replies:
            self._reply_received()

    def _line_received(self, line: str) -> None:
        self._lines.append(line[4:])
        if line[3:4] == "-":
            return
        if not line[:3].isdecimal():
            self._lose("server does not speak SMTP")
            return
        texts, self._lines = self._lines, []
        self._clock.begin()
        self._replies.append(Reply.parse(int(line[:3]), "\n".join(texts)))

    def _reply_received(self) -> None:
        if self._broken:
            self._drop()
        elif not self._busy:
            self._lose("server closing")
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clock.stop()
        if self._quitting is not None:
            self._quitting.cancel()
        gone = isinstance(exc, TimeoutError)
        self._lose("server is gone without a word" if gone else "connection closed by server")
        self.closed.set()
        self._on_closed(self)


def _accepted(reply: Reply, phase: Phase) -> bool:
    return reply.code == 354 if phase is Phase.DATA else 200 <= reply.code < 300


def _notice_silence(connected: socket.socket) -> None:
    """Set what this system has of the options."""
    for level, name, value in _SOCKET_OPTIONS:
        with contextlib.suppress(OSError, AttributeError):
            connected.setsockopt(level, getattr(socket, name), value)
