"""What the demo's child processes share: they speak JSON lines, and end with their parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any


def say(values: Mapping[str, Any]) -> None:
    """Tell the parent, in one line of JSON; a parent that has left is no error."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


def watch_parent() -> asyncio.Event:
    """An event that is set on SIGTERM, or when standard input ends: its other end is the parent's, however it dies.

    Standard input from a file, such as /dev/null, cannot be watched: then only SIGTERM counts. SIGINT is left to the
    parent, since a terminal sends it to both.
    """
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not os.read(descriptor, 4096):
            loop.remove_reader(descriptor)
            over.set()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop.add_signal_handler(signal.SIGTERM, over.set)
    with contextlib.suppress(PermissionError):
        loop.add_reader(descriptor, read)
    return over
