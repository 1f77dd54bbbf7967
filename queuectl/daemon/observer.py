"""Watches a deployment without writing to it: one line of JSON a second on standard output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys

from queuectl.daemon.sampler import line_of, sample_of
from queuectl.daemon.ticks import Ticks
from queuectl.daemon.trouble import Trouble
from queuectl.model import QueuectlError
from queuectl.store.client import AsyncStore
from queuectl.store.reader import Reader

UNREAD_BYTES = 1_000_000
"""A reader that is this far behind (a frozen terminal) misses samples; the daemon never waits for it."""


class Lines(asyncio.Protocol):
    """Standard output, line by line, without ever blocking the event loop on a pipe."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()
        self._pipe: asyncio.WriteTransport | None = None

    async def open(self) -> None:
        mode = os.fstat(sys.stdout.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            self._pipe, _ = await asyncio.get_running_loop().connect_write_pipe(lambda: self, sys.stdout)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self.closed.set()

    def put(self, line: str) -> None:
        """Write a line; drop it while the reader does not read."""
        if self._pipe is None:
            with contextlib.suppress(BrokenPipeError):
                sys.stdout.write(line + "\n")
                sys.stdout.flush()
        elif not self._pipe.is_closing() and self._pipe.get_write_buffer_size() < UNREAD_BYTES:
            self._pipe.write(line.encode() + b"\n")


async def observe(store: AsyncStore, reader: Reader, lines: Lines, until: Ticks) -> None:
    """Sample until `until` ends. While the server is away, nothing is written to standard output."""
    trouble = Trouble()
    async for _ in until:
        try:
            fleet = await store.run(reader.fleet())
        except QueuectlError as error:
            trouble.met("observing", error)
            continue
        trouble.over("observing")
        lines.put(line_of(sample_of(fleet, reader.rates)))
