"""Run commands in this process, as processes of their own, or on a pseudo-terminal."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from command_runs import ROOT, Cli, Result, Terminal
from redis import Redis

from queuectl import MailMessage, Outbox, embedded
from queuectl.cli.main import run


@pytest.fixture
def environ(tmp_path: Path, redis_url: str) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path),
            "QUEUECTL_URL": redis_url}  # fmt: skip


@pytest.fixture
def cli(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Cli:
    """`cli("status", "--json", QUEUECTL_URL="…")` in this process."""

    def call(*argv: str | Path, **extra: str) -> Result:
        capsys.readouterr()
        code = run([str(part) for part in argv], environ | extra)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Result(code, said.out, said.err)

    return call


@pytest.fixture
def process_environ(environ: dict[str, str]) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TERM": "xterm", **environ}


@pytest.fixture
def terminal(process_environ: dict[str, str]) -> Callable[..., Terminal]:
    """Start a command on a terminal of its own."""
    return lambda *argv: Terminal(process_environ, *argv)


@pytest.fixture
def on_terminal(terminal: Callable[..., Terminal]) -> Callable[..., tuple[int, str]]:
    """Run a command on a terminal with `typed` as its input: (exit code, everything shown)."""

    def call(*argv: str | Path, typed: str = "") -> tuple[int, str]:
        started = terminal(*argv)
        started.type(typed)
        return started.end(), started.shown

    return call


@pytest.fixture
def fill(redis_url: str) -> Callable[[str, int], list[str]]:
    """Put mail into a queue; returns the job ids."""

    def put(queue: str, number: int) -> list[str]:
        mails = [
            MailMessage(to=f"user{index}@example.org", subject=f"Hello {index}", text="Hi") for index in range(number)
        ]
        with Outbox(redis_url) as outbox:
            return [verdict.job_id for verdict in outbox.enqueue_many(queue, mails)]

    return put


@pytest.fixture
def tcp_server(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start servers on a TCP port: `tcp_server("--requirepass", "secret")` returns host:port."""
    children: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> str:
        port = free_port()
        binary = embedded.find_binary()
        argv = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
        children.append(subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE))
        for line in children[-1].stdout or ():
            if b"eady to accept" in line:
                return f"127.0.0.1:{port}"
        raise AssertionError("the server did not start")

    yield start
    for child in children:
        child.kill()
        child.communicate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def failed_jobs(redis: Redis, redis_url: str) -> Callable[[str, int], Sequence[str]]:
    """Let stock RQ fail jobs: their ids."""
    from rq import Queue, SimpleWorker
    from rq.serializers import JSONSerializer

    def make(queue: str, number: int) -> Sequence[str]:
        target = Queue(queue, connection=redis, serializer=JSONSerializer)
        ids = [target.enqueue("os.stat", f"/nowhere/{index}").id for index in range(number)]
        SimpleWorker([target], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="ERROR")
        return ids

    return make
