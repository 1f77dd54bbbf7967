"""What watching costs: the console, `rq info` and rq-dashboard on one large, busy deployment.

CPU is the process's own, as the system counts it; what Redis was asked is what the server counts for their connections
(a script is one command). All are asked for a picture a second.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import socket
import struct
import subprocess
import termios
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from redis import Redis

from queuectl.store import keys
from tests.bench.crowd import BEATS, populate, settings_text, worker_name
from tests.bench.queues import SCRIPTS
from tests.bench.sides import Bench, Side
from tests.bench.usage import cpu_s
from tests.bench.world import LONGEST_S, ROOT, SideError, World, children, module

QUEUES, WORKERS, JOBS = 50, 200, 1_000_000
ROWS, COLUMNS = 40, 120
WARM_UP_S, WINDOW_S = 12.0, 20.0
SETTLE_S = 3.0
"""For the daemon to have opened all its connections."""
KEYS = 20
QUIET_S = 0.15
"""A key is pressed when nothing has been written for so long."""
FIRST_DATA = re.compile(rb"mail-\d\d")
DASHBOARD = shutil.which("rq-dashboard")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one second."""

    cpu_ms: float
    written_bytes: float
    """To the terminal, or to the browser."""
    commands: float
    redis_bytes: float


def console(scale: float) -> Bench:
    """One deployment a round, watched in three ways; every side but the first shows a figure of the same run."""
    jobs = max(5_000, round(JOBS * scale))
    seconds = max(4.0, WINDOW_S * min(1.0, scale))
    seen: dict[str, float] = {}

    def first(world: World) -> float:
        seen.clear()
        with _deployment(world, jobs):
            seen.update(_console(world, seconds))
            seen.update(_rq_info(world, seconds))
            if DASHBOARD:
                seen.update(_rq_dashboard(world, seconds))
        return seen["console, CPU ms"]

    def side(name: str) -> Side:
        skip = "skipped: rq-dashboard is not on PATH" if name.startswith("rq-dashboard") and not DASHBOARD else ""
        return Side(name, lambda _: _of_run(seen, name), skip)

    names = [f"{who}, {what}" for who in ("console", "rq info", "rq-dashboard") for what in FIGURES]
    asked = ("console, first data ms", "console, key to paint, median ms", "console, key to paint, worst ms")
    return Bench("console", f"watching {QUEUES} queues, {WORKERS} workers, {jobs:,} waiting, each second", "a second", (
        Side(names[0], first), *(side(name) for name in (*names[1:4], *asked, *names[4:])),
    ), comparable=False)  # fmt: skip


FIGURES = ("CPU ms", "bytes to the screen", "Redis commands", "Redis bytes")


def _named(who: str, cost: Cost) -> dict[str, float]:
    values = (cost.cpu_ms, cost.written_bytes, cost.commands, cost.redis_bytes)
    return {f"{who}, {what}": value for what, value in zip(FIGURES, values, strict=True)}


def _of_run(seen: dict[str, float], name: str) -> float:
    if name not in seen:
        raise SideError("the run failed")
    return seen[name]


@contextmanager
def _deployment(world: World, jobs: int) -> Iterator[None]:
    """Full queues, workers' heartbeats, depths that change, a daemon that leads."""
    populate(world.url, QUEUES, WORKERS, jobs)
    _settings(world).write_text(settings_text(QUEUES))
    churn = module(f"{SCRIPTS}.churn", world.url, QUEUES, WORKERS)
    daemon = module("queuectl", "--url", world.url, "--config", _settings(world), "daemon")
    with children(churn, daemon, log=world.directory / "deployment.log"), world.redis() as client:
        _until(lambda: client.exists(keys.LATEST))
        _until(
            lambda: all(client.hget(keys.worker(worker_name(number)), "state") == b"busy" for number in range(BEATS))
        )
        time.sleep(SETTLE_S)
        yield


def _settings(world: World) -> Path:
    return world.directory / "crowd.toml"


def _until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SideError(f"took longer than {LONGEST_S:g} s")
        time.sleep(0.05)


class Screen:
    """A program on a pseudo-terminal that is always read."""

    def __init__(self, command: Sequence[str], home: Path) -> None:
        self.fd, other = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        env = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.began_s = time.monotonic()
        self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=other, stdout=other, stderr=other,
                                        start_new_session=True)  # fmt: skip
        os.close(other)

    def read(self, patience_s: float) -> bytes:
        """What was written meanwhile; nothing when the patience ends first."""
        if not select.select([self.fd], [], [], max(0.0, patience_s))[0]:
            return b""
        try:
            return os.read(self.fd, 1 << 20)
        except OSError as error:
            raise SideError("the program left its terminal") from error

    def during(self, seconds: float) -> int:
        """Bytes written in that time."""
        end_s, written = time.monotonic() + seconds, 0
        while (left_s := end_s - time.monotonic()) > 0:
            written += len(self.read(left_s))
        return written

    def until(self, pattern: re.Pattern[bytes]) -> float:
        """Seconds from the start until this was written."""
        seen = b""
        while not pattern.search(seen):
            if time.monotonic() - self.began_s > LONGEST_S:
                raise SideError(f"never showed {pattern.pattern!r}; the end was {seen[-200:]!r}")
            seen += self.read(1.0)
        return time.monotonic() - self.began_s

    def answer_s(self, key: bytes) -> float:
        """Seconds from a key until something is written because of it."""
        while self.read(QUIET_S):
            pass
        pressed_s = time.monotonic()
        os.write(self.fd, key)
        if not self.read(5.0):
            raise SideError(f"the key {key!r} changed nothing")
        return time.monotonic() - pressed_s

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


@contextmanager
def _screen(world: World, command: Sequence[str]) -> Iterator[Screen]:
    screen = Screen(command, world.directory)
    try:
        yield screen
    finally:
        screen.close()


def _console(world: World, seconds: float) -> dict[str, float]:
    command = module("queuectl", "--url", world.url, "--config", _settings(world))
    with _asked(world) as asked, _screen(world, command) as screen:
        first_s = screen.until(FIRST_DATA)
        screen.during(WARM_UP_S)
        cost = _cost(screen.process.pid, asked, seconds, screen.during)
        answers = [1000 * screen.answer_s(b"j" if number % 10 < 5 else b"k") for number in range(KEYS)]
    return _named("console", cost) | {
        "console, first data ms": 1000 * first_s,
        "console, key to paint, median ms": median(answers),
        "console, key to paint, worst ms": max(answers),
    }


def _rq_info(world: World, seconds: float) -> dict[str, float]:
    command = module("rq.cli", "info", "--interval", 1, "--url", world.url)
    with _asked(world) as asked, _screen(world, command) as screen:
        screen.until(FIRST_DATA)
        screen.during(2.0)
        return _named("rq info", _cost(screen.process.pid, asked, seconds, screen.during))


def _rq_dashboard(world: World, seconds: float) -> dict[str, float]:
    """What its page asks for, a second: queues and workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(DASHBOARD), "--bind", "127.0.0.1", "--port", str(port), "--redis-url", world.url]
    with _asked(world) as asked, children(command, log=world.directory / "dashboard.log") as (process,):
        _until(lambda: process.poll() is not None or _fetch(port, "queues"))
        return _named("rq-dashboard", _cost(process.pid, asked, seconds, lambda time_s: _poll(port, time_s)))


def _poll(port: int, seconds: float) -> int:
    end_s, got = time.monotonic() + seconds, 0
    while time.monotonic() < end_s:
        next_s = time.monotonic() + 1.0
        got += _fetch(port, "queues") + _fetch(port, "workers")
        time.sleep(max(0.0, min(next_s, end_s) - time.monotonic()))
    return got


def _fetch(port: int, what: str) -> int:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/0/data/{what}.json", timeout=60) as reply:
        return len(reply.read())
    return 0


@contextmanager
def _asked(world: World) -> Iterator[Callable[[], tuple[int, int]]]:
    """Commands and bytes, both ways, of connections that are opened inside, those that were closed again too."""
    with world.redis() as client:
        known = {row["id"] for row in client.client_list()}
        yield lambda: _counted(client, known)


def _counted(client: Redis, known: set[str]) -> tuple[int, int]:
    """What the server counts in all, less what the connections did that were there before."""
    with client.pipeline(transaction=True) as pipe:
        stats, clients = pipe.info("stats").client_list().execute()
    others = [row for row in clients if row["id"] in known]
    if any("tot-cmds" not in row for row in others):
        raise SideError("this server does not count commands a connection")
    octets = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
    return (stats["total_commands_processed"] - sum(int(row["tot-cmds"]) for row in others),
            octets - sum(int(row["tot-net-in"]) + int(row["tot-net-out"]) for row in others))  # fmt: skip


def _cost(pid: int, asked: Callable[[], tuple[int, int]], seconds: float, watch: Callable[[float], int]) -> Cost:
    began_s, used_s, (commands, octets) = time.monotonic(), cpu_s(pid), asked()
    written = watch(seconds)
    took_s = time.monotonic() - began_s
    now_commands, now_octets = asked()
    return Cost(1000 * (cpu_s(pid) - used_s) / took_s, written / took_s, (now_commands - commands) / took_s,
                (now_octets - octets) / took_s)  # fmt: skip
