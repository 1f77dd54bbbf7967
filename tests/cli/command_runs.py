"""What the tests of the command line share besides fixtures."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import queuectl

ROOT = Path(queuectl.__file__).parents[1]


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


Cli = Callable[..., Result]


def command_line(*argv: str | Path) -> list[str]:
    return [sys.executable, "-m", "queuectl", *map(str, argv)]


_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A command on a terminal of its own, on which Ctrl+C is a signal."""

    def __init__(self, environ: dict[str, str], *argv: str | Path) -> None:
        self._keyboard, screen = pty.openpty()
        line = [sys.executable, "-c", _TAKE_TERMINAL, *command_line(*argv)]
        self._child = subprocess.Popen(line, stdin=screen, stdout=screen, stderr=screen, env=environ,
                                       start_new_session=True)  # fmt: skip
        os.close(screen)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def see(self, text: str) -> None:
        """Wait until the text stands there, for the first time after what was seen before."""
        start = len(self.shown)
        while text not in self.shown[start:]:
            assert self._read(), f"{text!r} never came: {self.shown}"

    def end(self) -> int:
        """Wait until the command ends: its exit code."""
        while self._read():
            pass
        os.close(self._keyboard)
        return self._child.wait()

    def _read(self) -> bool:
        try:
            data = os.read(self._keyboard, 65536)
        except OSError:
            data = b""
        self.shown += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)
