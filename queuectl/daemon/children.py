"""Worker processes that this daemon started: spawn, signal, reap."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from queuectl.model import PoolState
from queuectl.settings.commands import filled
from queuectl.store.decode import NAME_SEPARATOR

LEASH = Path(__file__).with_name("leash.py")
BIN = Path(sys.executable).parent
PROC = Path("/proc")
Command = Callable[[PoolState, Sequence[str], str], Sequence[str]]
"""(pool, its own command or nothing, the worker's name) -> arguments."""


def worker_command(pool: PoolState, own: Sequence[str], name: str) -> Sequence[str]:
    """How a worker of this pool is started. The URL goes through the environment: it may hold a password."""
    if own:
        return filled(own, name=name, pool=pool.name, queues=pool.queues, concurrency=pool.concurrency)
    return (sys.executable, "-m", "queuectl", "worker", *pool.queues, "--concurrency", str(pool.concurrency),
            "--pool", pool.name)  # fmt: skip


def new_name(pool: str, host: str) -> str:
    """By this a stock worker is known to be the pool's, also by the daemon that comes after us."""
    return NAME_SEPARATOR.join((pool, host, secrets.token_hex(3)))


@dataclass(slots=True)
class Child:
    """One process of ours."""

    process: subprocess.Popen[bytes]
    pool: str
    command: tuple[str, ...]
    """What it was started with, but for its name."""
    started_s: float
    leashed: bool = True
    """Ends with this daemon, whatever ends it. A stock worker does not: a second SIGTERM would kill its job."""
    draining: bool = False

    @property
    def pid(self) -> int:
        return self.process.pid

    def drain(self) -> None:
        """Ask it, once, to finish what is in flight and leave."""
        if not self.draining:
            self.draining = True
            terminate(self.pid)


def spawn(arguments: Sequence[str], environ: Mapping[str, str], *, leashed: bool) -> subprocess.Popen[bytes]:
    """Start a worker in a session of its own: Ctrl+C in the daemon's terminal is for the daemon alone."""
    parent = os.getpid() if leashed else 0
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(LEASH), str(parent), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=2,
        env={**environ, "PATH": f"{BIN}{os.pathsep}{environ.get('PATH', os.defpath)}"},
        start_new_session=True,
    )


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


def bears_name(pid: int, name: str) -> bool:
    """Whether this process still is the worker of that name: its number may have been given to another since."""
    if (PROC / "self" / "cmdline").exists():
        try:
            return name.encode() in (PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return False
    listed = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return name in listed.stdout
