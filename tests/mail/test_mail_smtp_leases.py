"""Connections that have to be asked for: nobody waits for one that was given back in the meantime."""

from __future__ import annotations

import asyncio

from mail_servers import Inbox, aiosmtpd_server

from queuectl.mail.compose import compose
from queuectl.mail.replies import DELIVERED
from queuectl.mail.smtp import SmtpTransport
from queuectl.model import MailMessage
from queuectl.settings import DeliverySettings, ProviderSettings


class OneLease:
    """Grants one connection, and refuses the second once it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.refuse = asyncio.Event()
        self.waiting = asyncio.Event()

    async def take(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            return True
        self.waiting.set()
        await self.refuse.wait()
        return False

    def give(self) -> None:
        return None


async def test_a_refused_one_takes_the_session_that_became_free_while_it_asked() -> None:
    message = MailMessage(to="ana@example.org", subject="s", text="x")
    composed = compose(message, job_id="j", renderer=None, delivery=DeliverySettings())
    inbox, leases = Inbox(), OneLease()
    async with aiosmtpd_server(inbox) as port:
        transport = SmtpTransport(ProviderSettings(port=port, connections=4), None, leases)
        first = asyncio.create_task(transport.send(composed))
        assert await first == DELIVERED
        held = await transport._acquire()
        second = asyncio.create_task(transport.send(composed))
        await leases.waiting.wait()
        transport._release(held)
        leases.refuse.set()
        async with asyncio.timeout(30):
            assert await second == DELIVERED
        await transport.close()
    assert len(inbox.envelopes) == 2
