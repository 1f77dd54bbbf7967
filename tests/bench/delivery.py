"""Mail of 9 kB, composed from a template and delivered over SMTP on loopback."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.own import smtp_settings, worker
from tests.bench.queues import QUEUE, SCRIPTS, check_delivered, rq_drain, rq_enqueue_command, rq_worker
from tests.bench.sides import Bench, Side
from tests.bench.world import ROOT, SideError, World, module, run_json

PROCESSES = 2
SLOW_MS = 50


def smtp_sink(scale: float) -> Bench:
    ours, theirs, source = (round(jobs * scale) for jobs in (10_000, 300, 10_000))

    def side(name: str, measure: Callable[[World, int], float]) -> Side:
        return Side(name, lambda world: _with_sink(world, measure), sink_trouble())

    return Bench("smtp", "9 kB mails composed and delivered to smtp-sink at 0 ms", "mails/s", (
        side("queuectl, 2 workers × 50 slots", lambda world, port: _own(world, port, ours, 50)),
        side("rq SimpleWorker + smtplib, 1 process", lambda world, port: _rq(world, port, theirs, 1)),
        side("rq SimpleWorker + smtplib, 2 processes", lambda world, port: _rq(world, port, theirs, 2)),
        side("smtp-source, 10 kept connections, no composing", lambda _, port: _source(port, source)),
    ))  # fmt: skip


def slow(scale: float) -> Bench:
    ours, theirs = (round(jobs * scale) for jobs in (10_000, 60))

    def side(name: str, jobs: int, measure: Callable[[World, int], float]) -> Side:
        return Side(name, lambda world: _with_slow(world, jobs, measure))

    return Bench("slow", f"9 kB mails composed and delivered to a server that takes {SLOW_MS} ms", "mails/s", (
        side("queuectl, 2 workers × 200 slots", ours, lambda world, port: _own(world, port, ours, 200)),
        side("rq SimpleWorker + smtplib, 1 process", theirs, lambda world, port: _rq(world, port, theirs, 1)),
        side("rq SimpleWorker + smtplib, 2 processes", theirs, lambda world, port: _rq(world, port, theirs, 2)),
    ))  # fmt: skip


def sink_trouble() -> str:
    """Why nothing can be delivered to smtp-sink here; empty when it can."""
    return "" if _tool("smtp-sink") else "skipped: smtp-sink (Debian: postfix, needed for its tools only) is not there"


def _own(world: World, port: int, jobs: int, slots: int) -> float:
    run_json(module(f"{SCRIPTS}.queuectl_enqueue_template", world.url, QUEUE, jobs))
    settings = smtp_settings(world, port, slots)
    rate = rq_drain(world, jobs, [worker(world, settings, QUEUE, slots)] * PROCESSES)
    check_delivered(world, jobs)
    return rate


def _rq(world: World, port: int, jobs: int, processes: int) -> float:
    run_json(rq_enqueue_command(world, jobs, "json", "mail", port))
    return rq_drain(world, jobs, [rq_worker(world)] * processes)


def _source(port: int, jobs: int) -> float:
    command = [_tool("smtp-source"), "-d", "-s", "10", "-m", str(jobs), "-l", "9000", f"127.0.0.1:{port}"]
    start_s = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode:
        raise SideError(result.stderr.strip())
    return jobs / (time.monotonic() - start_s)


def _with_sink(world: World, measure: Callable[[World, int], float]) -> float:
    with running_sink() as (port, _):
        return measure(world, port)


def _with_slow(world: World, jobs: int, measure: Callable[[World, int], float]) -> float:
    """The server's own count must be the number of jobs."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.slow_sink", str(SLOW_MS)], cwd=ROOT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert process.stdout
        rate = measure(world, int(process.stdout.readline()))
        taken = int(process.communicate(timeout=30)[0])
    finally:
        process.kill()
        process.communicate()
    if taken != jobs:
        raise SideError(f"{jobs} messages, but the SMTP server took {taken}")
    return rate


@contextmanager
def running_sink(counts: Path | None = None) -> Iterator[tuple[int, int]]:
    """Postfix's smtp-sink on a free port: port and process id. It keeps count in the file, see `taken`."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    count = ["-c"] if counts else []
    with (counts or Path(os.devnull)).open("wb") as output:
        process = subprocess.Popen([_tool("smtp-sink"), *count, *user, f"127.0.0.1:{port}", "1024"], text=True,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE)  # fmt: skip
    try:
        _await_port(port, process)
        yield port, process.pid
    finally:
        process.kill()
        process.communicate()


def taken(counts: Path) -> int:
    """Messages that the sink has counted until now."""
    found = re.findall(rb"mesg=(\d+)", counts.read_bytes()[-200:])
    return int(found[-1]) if found else 0


def _await_port(port: int, process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    process.kill()
    raise SideError(f"smtp-sink did not start: {process.communicate()[1].strip()}")


def _tool(name: str) -> str:
    """A Postfix tool; Debian puts it where a user's PATH does not look."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/libexec/postfix:/usr/local/sbin") or ""
