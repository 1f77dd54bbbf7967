"""The daemon that a console starts where nobody leads: a process of its own, never on the loop that draws.

It holds the other end of its standard input: however the console ends, the child sees it and leaves in order.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from queuectl.model import Sample
from queuectl.store.series import sample_from

LOG = logging.getLogger(__name__)
KEPT_SAMPLES = 3600
READ_BYTES = 1 << 16


class DaemonChild:
    """At most one child daemon, observing or leading."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self._environ = {**environ, "QUEUECTL_URL": url}
        self._log = _log_path(environ)
        self._process: subprocess.Popen[bytes] | None = None
        self._samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        self._unread = b""
        self._observing = False

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def observing(self) -> bool:
        return self.alive and self._observing

    def start(self, *, observing: bool) -> None:
        """Start it; what goes wrong in it is in its log file, and shows as `none` in the header."""
        mode = ["--observe"] if observing else []
        try:
            with _opened(self._log) as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "queuectl", "daemon", "--child", *mode],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE if observing else log,
                    stderr=log,
                    env=dict(self._environ),
                    start_new_session=True,
                )
        except OSError as error:
            LOG.error("the daemon could not be started: %s", error)
            return
        self._observing, self._unread = observing, b""
        if self._process.stdout:
            os.set_blocking(self._process.stdout.fileno(), False)

    def lead(self) -> None:
        """Turn the observing child into the daemon."""
        if self.observing and self._process and self._process.stdin:
            self.listen()
            with suppress(BrokenPipeError):
                self._process.stdin.write(b"lead\n")
                self._process.stdin.flush()
                self._observing = False

    def samples(self) -> list[Sample]:
        """What an observing child has sampled so far; empty for a leading one, which stores its samples."""
        if not self.observing:
            return []
        self.listen()
        return list(self._samples)

    def leave(self) -> None:
        """Close its standard input: it gives the lease up, its workers finish what they hold, and it ends by itself."""
        if self._process:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()
            threading.Thread(target=self._process.wait, name="reaper", daemon=True).start()
            self._process = None

    def listen(self) -> None:
        """Take in what an observing child has printed; call it now and then, or it drops what nobody reads."""
        if not self._process or not self._process.stdout:
            return
        with suppress(BlockingIOError):
            while received := os.read(self._process.stdout.fileno(), READ_BYTES):
                self._unread += received
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            record = json.loads(line)
            if "queues" in record:
                self._samples.append(sample_from([record[name] for name in ("at_s", "queues", "pools", "providers")]))


def _log_path(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return home / "queuectl" / "daemon.log"


def _opened(path: Path) -> IO[bytes]:
    """The log, or nowhere when it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")
