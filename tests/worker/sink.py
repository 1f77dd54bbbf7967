"""A real SMTP server (aiosmtpd) in a thread of the test, slow or refusing as the test wants."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Sink:
    """Keeps what it took, counted by recipient. While `gate` is closed, messages wait before their final reply."""

    port: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    answer: Callable[[str], str] = lambda address: ""
    """The reply to a recipient; empty: 250."""
    waiting: int = 0
    peers: set[object] = field(default_factory=set)
    """Connections that brought a message."""
    on_taken: Callable[[], None] = lambda: None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(init=False)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: E501  # fmt: skip
        if address in self.refuse:
            return self.refuse[address]
        if reply := self.answer(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.waiting += 1
        self.peers.add(session.peer)
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1
        self.taken[envelope.rcpt_tos[0]] += 1
        self.on_taken()
        self.texts.append(envelope.content.decode())
        return "250 2.0.0 kept"

    def open(self) -> None:
        self.loop.call_soon_threadsafe(self.gate.set)

    def shut(self) -> None:
        self.loop.call_soon_threadsafe(self.gate.clear)


@contextmanager
def smtp_sink(*, shut: bool = False) -> Iterator[Sink]:
    """Serve on a free port of loopback."""
    sink = Sink()
    if not shut:
        sink.gate.set()
    listening = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        sink.loop = asyncio.get_running_loop()
        server = await sink.loop.create_server(lambda: SMTP(sink, hostname="test.invalid"), "127.0.0.1", 0, backlog=512)
        sink.port = server.sockets[0].getsockname()[1]
        listening.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert listening.wait(10)
    try:
        yield sink
    finally:
        sink.loop.call_soon_threadsafe(stop.set)
        thread.join()
