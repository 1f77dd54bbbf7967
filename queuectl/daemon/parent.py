"""The console that started this daemon: it holds the other end of standard input for as long as it lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys


class Parent:
    """`over` is set when standard input ends, however the parent died; `lead` when it says so in a line."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.lead = asyncio.Event()
        self._descriptor = -1
        self._unread = b""

    def watch(self) -> None:
        """Call it inside the event loop. A file or /dev/null as standard input cannot be watched and says nothing."""
        self._descriptor = sys.stdin.fileno()
        with contextlib.suppress(PermissionError):
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def _read(self) -> None:
        received = os.read(self._descriptor, 4096)
        if not received:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self.over.set()
            return
        *lines, self._unread = (self._unread + received).split(b"\n")
        if b"lead" in [line.strip() for line in lines]:
            self.lead.set()
