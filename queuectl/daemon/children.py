"""Worker processes that this daemon started: spawn, signal, reap."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from queuectl.model import PoolState

LEASH = Path(__file__).with_name("leash.py")
Command = Callable[[PoolState], Sequence[str]]


def worker_command(pool: PoolState) -> Sequence[str]:
    """How a worker of this pool is started. The URL goes through the environment: it may hold a password."""
    return (sys.executable, "-m", "queuectl", "worker", *pool.queues, "--concurrency", str(pool.concurrency),
            "--pool", pool.name)  # fmt: skip


@dataclass(slots=True)
class Child:
    """One process of ours."""

    process: subprocess.Popen[bytes]
    pool: str
    command: tuple[str, ...]
    started_s: float
    draining: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def drain(self) -> None:
        """Ask it to finish what is in flight and leave."""
        self.draining = True
        terminate(self.pid)


def spawn(pool: str, command: Sequence[str], environ: Mapping[str, str], now_s: float) -> Child:
    """Start a worker in a session of its own: Ctrl+C in the daemon's terminal is for the daemon alone."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command],
        stdin=subprocess.DEVNULL,
        stdout=2,
        env=environ,
        start_new_session=True,
    )
    return Child(process, pool, tuple(command), now_s)


def terminate(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
