"""Pooled SMTP to one provider: kept sessions, bounded in number and in messages each, opened as they are needed."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Protocol

from queuectl.mail.compose import Composed
from queuectl.mail.replies import Disposition, Outcome, Phase, Scope, unanswered
from queuectl.mail.smtp_opening import OpeningFailed, open_session
from queuectl.mail.smtp_session import QUIT_S, SmtpSession, StaleSession
from queuectl.mail.transport import CommitPoint
from queuectl.settings import ProviderSettings

IDLE_S = 30.0
"""A session unused for this long is closed."""
BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 15.0

_NONE_FREE = Disposition(Outcome.RELEASE, Scope.CONNECTION, False, "no connection to the provider is free")
_RELEASED = Disposition(Outcome.RELEASE, Scope.CONNECTION, False, "transport closing")


class ConnectionLeases(Protocol):
    """A provider's connections over all workers."""

    async def take(self) -> bool:
        """Ask for one more; False: they are all taken."""

    def give(self) -> None:
        """One of ours has closed."""


class SmtpTransport:
    """A Transport. A session in use is held by one `send`; the others idle, the last used on top.

    While no session could be opened, one `send` at a time probes after a growing back-off and all others are told the
    last cause at once. A server that refuses more sessions than it has given us already is simply used with those.
    """

    def __init__(self, provider: ProviderSettings, password: str | None,
                 leases: ConnectionLeases | None = None) -> None:  # fmt: skip
        self._provider = provider
        self._password = password
        self._leases = leases
        self._context: ssl.SSLContext | None = None
        self._sessions: set[SmtpSession] = set()
        self._leaving: set[SmtpSession] = set()
        self._idle: list[SmtpSession] = []
        self._opening = 0
        self._waiting: deque[asyncio.Future[SmtpSession | None]] = deque()
        self._failures = 0
        self._retry_at = 0.0
        self._last_failure = _RELEASED
        self._sweep: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def connections(self) -> int:
        return len(self._sessions)

    @property
    def ready(self) -> bool:
        return not self._failures or bool(self._sessions) or self._may_open()

    @property
    def doubtful(self) -> bool:
        return bool(self._failures) and not self._sessions

    async def send(self, composed: Composed, commit_point: CommitPoint | None = None) -> Disposition:
        while True:
            session = await self._acquire()
            if isinstance(session, Disposition):
                return session
            try:
                return await session.deliver(composed, commit_point)
            except StaleSession:
                continue
            finally:
                self._release(session)

    async def close(self) -> None:
        self._closing = True
        if self._sweep is not None:
            self._sweep.cancel()
        self._wake(len(self._waiting))
        for session in self._sessions - set(self._idle):
            session.abort("transport closed")
        for session in self._idle:
            session.quit()
        leaving = [asyncio.ensure_future(session.closed.wait()) for session in self._sessions | self._leaving]
        if leaving:
            await asyncio.wait(leaving, timeout=QUIT_S * 2)

    async def _acquire(self) -> SmtpSession | Disposition:
        while not self._closing:
            if self._idle:
                return self._idle.pop()
            if self._may_open():
                try:
                    return await self._open()
                except OpeningFailed as failed:
                    if not self._sessions:
                        return failed.disposition
                    if self._idle:
                        # It was given back while this one tried to open another: nobody will hand it over.
                        continue
            elif self._failures and not self._sessions:
                return self._last_failure
            session = await self._wait()
            if session is not None:
                return session
        return _RELEASED

    def _may_open(self) -> bool:
        if len(self._sessions) + self._opening >= self._provider.connections:
            return False
        return not self._failures or (not self._opening and asyncio.get_running_loop().time() >= self._retry_at)

    async def _open(self) -> SmtpSession:
        self._opening += 1
        try:
            session = await self._open_leased()
        except OpeningFailed as failed:
            self._note_failure(failed.disposition)
            raise
        except BaseException:
            self._wake(1)
            raise
        finally:
            self._opening -= 1
        self._failures = 0
        self._sessions.add(session)
        self._arm_sweep()
        return session

    async def _open_leased(self) -> SmtpSession:
        if self._leases is not None and not await self._leases.take():
            raise OpeningFailed(_NONE_FREE)
        try:
            session = await open_session(self._provider, self._password, self._tls_context(), self._closed)
            if session.closed.is_set():
                raise OpeningFailed(unanswered(Phase.CONNECT, "connection closed by server"))
        except BaseException:
            self._give_lease()
            raise
        return session

    def _give_lease(self) -> None:
        if self._leases is not None:
            self._leases.give()

    def _tls_context(self) -> ssl.SSLContext | None:
        if self._context is None and self._provider.tls != "none":
            self._context = ssl.create_default_context()
        return self._context

    def _note_failure(self, disposition: Disposition) -> None:
        """Failures of sessions that were being opened at the same time count as one."""
        now_s = asyncio.get_running_loop().time()
        self._last_failure = disposition
        if now_s >= self._retry_at:
            self._failures += 1
            self._retry_at = now_s + min(BACKOFF_CAP_S, BACKOFF_BASE_S * 2.0 ** min(self._failures - 1, 10))
        if not self._sessions:
            self._wake(len(self._waiting))

    async def _wait(self) -> SmtpSession | None:
        """A session handed over by whoever has finished with it, or None: look again."""
        waiter: asyncio.Future[SmtpSession | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            session = waiter.result() if waiter.done() and not waiter.cancelled() else None
            if session is not None:
                self._release(session)
            else:
                self._wake(1)
            raise

    def _wake(self, count: int) -> None:
        for _ in range(count):
            if (waiter := self._next_waiter()) is not None:
                waiter.set_result(None)

    def _next_waiter(self) -> asyncio.Future[SmtpSession | None] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    def _release(self, session: SmtpSession) -> None:
        if session not in self._sessions:
            return
        if self._closing or session.taken >= self._provider.messages_per_connection:
            session.quit()
        if not session.usable:
            self._leave(session)
        elif (waiter := self._next_waiter()) is not None:
            waiter.set_result(session)
        else:
            session.idle_since = asyncio.get_running_loop().time()
            self._idle.append(session)

    def _closed(self, session: SmtpSession) -> None:
        """The connection has gone; a `send` that holds the session learns it there."""
        self._leave(session)
        if session in self._leaving:
            self._leaving.remove(session)
            self._give_lease()

    def _leave(self, session: SmtpSession) -> None:
        """Take a session out of use; another may be opened in its place."""
        if session not in self._sessions:
            return
        self._sessions.remove(session)
        self._leaving.add(session)
        if session in self._idle:
            self._idle.remove(session)
        self._wake(len(self._waiting) if self._failures and not self._sessions else 1)

    def _arm_sweep(self) -> None:
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_S / 2, self._close_idle)

    def _close_idle(self) -> None:
        self._sweep = None
        limit_s = asyncio.get_running_loop().time() - IDLE_S
        for session in [session for session in self._idle if session.idle_since <= limit_s]:
            session.quit()
            self._leave(session)
        if self._sessions:
            self._arm_sweep()
