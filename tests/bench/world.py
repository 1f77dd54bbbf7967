"""What a bench runs on: a server of its own, child processes that never outlive it, an observer of queues."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from queuectl import embedded

ROOT = Path(__file__).parents[2]
LONGEST_S = 300.0
"""A side that takes longer has failed."""
POLL_S = 0.004


class SideError(Exception):
    """One side could not be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class World:
    """A server and a directory that belong to one bench."""

    url: str
    directory: Path
    server: str
    """Name, version and append-only state, for the report."""

    @property
    def socket(self) -> str:
        return self.url.removeprefix("unix://")

    def redis(self) -> Redis:
        return Redis.from_url(self.url)


@contextmanager
def open_world(*, redis_server: bool, aof: bool) -> Iterator[World]:
    """A server in a temporary directory, ended and removed afterwards."""
    binary = shutil.which("redis-server") if redis_server else None
    if redis_server and not binary:
        raise SideError("there is no redis-server on PATH")
    directory = Path(tempfile.mkdtemp(prefix="queuectl-bench-"))
    server = embedded.start(directory / "data", binary=Path(binary) if binary else None)
    try:
        with Redis.from_url(server.url) as client:
            client.config_set("appendonly", "yes" if aof else "no")
            facts = client.info("server")
        name = f"Valkey {facts['valkey_version']}" if "valkey_version" in facts else f"Redis {facts['redis_version']}"
        yield World(server.url, directory, f"{name}, AOF {'everysec' if aof else 'off'}")
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def children(*commands: Sequence[str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are killed at the end, whatever happens; what they print goes to `log`."""
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        processes = []
        for command in commands:
            process = subprocess.Popen(command, cwd=ROOT, env=_environ(), stdin=subprocess.PIPE, stdout=output,
                                       stderr=subprocess.STDOUT)  # fmt: skip
            stack.callback(_end, process)
            processes.append(process)
        yield processes


def module(name: str, *arguments: object) -> list[str]:
    """The command that runs a Python module."""
    return [sys.executable, "-m", name, *map(str, arguments)]


def run_json(command: Sequence[str], *, longest_s: float = LONGEST_S) -> dict[str, Any]:
    """Run a process to its end; its last line is its result. Raises SideError with what it said instead."""
    try:
        result = subprocess.run(command, cwd=ROOT, env=_environ(), stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=longest_s, check=False)  # fmt: skip
        values: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise SideError(f"took longer than {longest_s:g} s") from error
    except (IndexError, ValueError) as error:
        raise SideError(last_line(result.stderr or result.stdout)) from error
    return values


def drain_rate(
    world: World, commands: Sequence[Sequence[str]], jobs: int, waiting: str, running: Sequence[str]
) -> float:
    """Start workers and time the queue: jobs a second from the first claim until nothing waits or runs.

    `waiting` is a list; `running` are lists or sorted sets. Start-up is not counted.
    """
    log = world.directory / "workers.log"
    with children(*commands, log=log) as processes, world.redis() as client:
        started_s = None
        deadline_s = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline_s:
            ended = all(process.poll() is not None for process in processes)
            left, busy, now_s = client.llen(waiting), sum(_size(client, key) for key in running), time.monotonic()
            if started_s is None and left < jobs:
                started_s = now_s
            if started_s is not None and not left and not busy:
                if started_s == now_s:
                    raise SideError(f"{jobs} jobs are too few to time")
                return jobs / (now_s - started_s)
            if ended:
                said = last_line(log.read_text(errors="replace"))
                raise SideError(f"workers ended with {left} jobs waiting and {busy} in work: {said}")
            time.sleep(POLL_S)
    raise SideError(f"took longer than {LONGEST_S:g} s")


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def _size(client: Redis, key: str) -> int:
    """Members of a list or sorted set; a key that is not there has none."""
    kind = client.type(key)
    if kind == b"none":
        return 0
    return int(client.zcard(key) if kind == b"zset" else client.llen(key))


def _environ() -> dict[str, str]:
    """Ours, without what would point queuectl or rq somewhere else."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("QUEUECTL_", "REDIS_URL", "RQ_"))}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
