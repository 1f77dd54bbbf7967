"""One SMTP connection: a lean client on an asyncio protocol, with PIPELINING where the server offers it.

A message costs two writes: MAIL, RCPT and DATA as one group (RFC 2920), then the message with its final dot.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import cast

from queuectl.mail.compose import Composed
from queuectl.mail.replies import Disposition, Outcome, Phase, Reply, Scope, classify, unanswered

MAX_REPLY_BYTES = 64 * 1024
QUIT_S = 2.0
"""How long a leaving client waits for the answer to QUIT."""


class SessionLost(Exception):
    """No reply will come; the text says why in stable words."""

    def __init__(self, why: str, timed_out: bool = False) -> None:
        super().__init__(why)
        self.timed_out = timed_out


class StaleSession(Exception):
    """A kept connection turned out to be closed before it took anything: send the message on another one."""


class SmtpSession(asyncio.Protocol):
    """Carries one message at a time. `on_closed` is called once, when the connection has gone for any reason."""

    def __init__(self, timeout_s: float, on_closed: Callable[[SmtpSession], None]) -> None:
        self.extensions: dict[str, str] = {}
        """What EHLO offered: name in capitals -> parameters."""
        self.taken = 0
        """Messages begun on this connection."""
        self.idle_since = 0.0
        """Event loop time; the pool's."""
        self.transport: asyncio.Transport | None = None
        self.closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._on_closed = on_closed
        self._buffer = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._broken = ""
        self._busy = True
        self._phase = Phase.CONNECT

    @property
    def usable(self) -> bool:
        """Whether it can take another message."""
        return not self._broken

    async def deliver(self, composed: Composed) -> Disposition:
        """One mail transaction. Raises StaleSession when the server had left before it began."""
        self.taken += 1
        self._busy = True
        refusal: Disposition | None = None
        try:
            refusal = await self._envelope(composed)
            if refusal is None:
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
        self._phase = phase
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
        self.transport = await self._loop.start_tls(self.transport, self, context, server_hostname=server_name)

    def quit(self) -> None:
        """Leave politely, without waiting for it."""
        if self._broken:
            return
        self._broken = "left"
        self._write(b"QUIT\r\n")
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(QUIT_S, self._drop)

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
            self._phase = phase
            self._write(line)
            reply = await self.reply()
            if not _accepted(reply, phase):
                return classify(reply, phase)
        return None

    async def _grouped(self, steps: tuple[tuple[Phase, bytes], ...]) -> Disposition | None:
        """One reply a command, all sent already; the first refusal decides, and the rest of the group is read."""
        refusal: Disposition | None = None
        for phase, _ in steps:
            self._phase = phase
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
        self._phase = Phase.BODY
        self._write(stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"))
        return await self.reply()

    async def _recover(self, refusal: Disposition) -> None:
        """Make the connection fit for the next message, or drop it."""
        if refusal.code == 421:
            self.abort("server closing")
        elif (await self.command("RSET", self._phase)).code != 250:
            self.abort("RSET refused")

    async def _wait(self) -> None:
        if self._broken:
            raise SessionLost(self._broken)
        self._waiter = self._loop.create_future()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._check_time)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _write(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if self.transport is not None:
            self.transport.write(data)

    def _check_time(self) -> None:
        """One lazy timer a connection instead of one a reply: runs on while a reply is awaited and comes in time."""
        self._timer = None
        if self._waiter is None:
            return
        left_s = self._heard_at + self._timeout_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check_time)
        else:
            self._lose("no reply in time", timed_out=True)

    def _lose(self, why: str, timed_out: bool = False) -> None:
        self._broken = self._broken or why
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(SessionLost(self._broken, timed_out))
        self._drop()

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio.Transport, though they have its methods.
        self.transport = cast(asyncio.Transport, transport)
        self._heard_at = self._loop.time()

    def resume_writing(self) -> None:
        self._heard_at = self._loop.time()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
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
        self._replies.append(Reply.parse(int(line[:3]), "\n".join(texts)))

    def _reply_received(self) -> None:
        if self._broken:
            self._drop()
        elif not self._busy:
            self._lose("server closing")
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer.cancel()
        self._lose("connection closed by server")
        self.closed.set()
        self._on_closed(self)


def _accepted(reply: Reply, phase: Phase) -> bool:
    return reply.code == 354 if phase is Phase.DATA else 200 <= reply.code < 300
