"""When an SMTP server has had its time: for the reply that is due, or to take more of a message.

RFC 5321 §4.5.3.2 gives each reply a time of its own. It begins when the reply before it has come, or when its command
has gone out, whichever is later; in a pipelined group too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from queuectl.mail.replies import Phase
from queuectl.settings import TimeoutSettings


class ReplyClock:
    """Of one connection. One lazy timer instead of one a reply: it runs on from reply to reply, and is set anew only
    where it would come too late."""

    def __init__(self, timeouts: TimeoutSettings, on_overdue: Callable[[str], None]) -> None:
        """`on_overdue` is told why, in stable words, while a reply is waited for."""
        self.unsent_bytes = 0
        """How much of what was written the system had not taken, when last looked at; 0: it has all."""
        self._on_overdue = on_overdue
        self._loop = asyncio.get_running_loop()
        self._block_s = timeouts.block_s
        self._limits_s = {
            Phase.CONNECT: timeouts.command_s,
            Phase.AUTH: timeouts.command_s,
            Phase.MAIL: timeouts.mail_s,
            Phase.RCPT: timeouts.rcpt_s,
            Phase.DATA: timeouts.data_s,
            Phase.BODY: timeouts.final_dot_s,
        }
        self._limit_s = timeouts.greeting_s
        self._since_s = self._loop.time()
        self._waiting = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, transport: asyncio.Transport) -> None:
        """Let the transport tell as soon as the system does not take all, and when it has."""
        self._transport = transport
        transport.set_write_buffer_limits(high=1, low=0)
        self.begin()

    def expect(self, phase: Phase) -> None:
        """The reply that is due now is one of this phase; CONNECT: any that has no phase of its own."""
        self._limit_s = self._limits_s[phase]

    def begin(self) -> None:
        """A command was written, or a reply has come: the next one's time begins."""
        self._since_s = self._loop.time()

    def wait(self) -> None:
        """A reply is waited for from now on."""
        self._waiting = True
        self._arm()

    def rest(self) -> None:
        """None is."""
        self._waiting = False

    def stop(self) -> None:
        """For good."""
        if self._timer is not None:
            self._timer.cancel()

    def held_up(self) -> None:
        """The system takes no more for now, since the server does not."""
        if self._transport is not None:
            self.unsent_bytes = max(1, self._transport.get_write_buffer_size())
        if self._waiting:
            self._arm()

    def all_sent(self) -> None:
        """The system has taken everything."""
        self.unsent_bytes = 0
        self.begin()

    def _arm(self) -> None:
        due_s = self._since_s + (self._block_s if self.unsent_bytes else self._limit_s)
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due_s, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._waiting:
            return
        now_s = self._loop.time()
        if self.unsent_bytes and self._transport is not None:
            unsent = self._transport.get_write_buffer_size()
            if unsent < self.unsent_bytes:
                self._since_s, self.unsent_bytes = now_s, unsent
            elif now_s >= self._since_s + self._block_s:
                self._on_overdue("server took no more of the message")
                return
        elif now_s >= self._since_s + self._limit_s:
            self._on_overdue("no reply in time")
            return
        self._arm()
