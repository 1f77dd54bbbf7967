"""What processes take of the cores and the server of memory, while workers empty a queue."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from queuectl.model import LedgerState, QueueState
from queuectl.settings import Settings
from queuectl.store import keys
from queuectl.store.connect import open_store
from queuectl.store.reader import Reader
from tests.bench.queues import QUEUE
from tests.bench.world import LONGEST_S, POLL_S, SideError, World, children, last_line

SAMPLE_S = 0.05
SLOWEST_PER_S = 1000
"""A run that is slower than this has failed."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a queue was emptied."""

    per_s: float
    cores: Mapping[str, float]
    """Percent of one core, by who took it; `idle` is what all cores together had left, `others` what is not ours."""


@dataclass(slots=True)
class Peak:
    """The most memory that the server used."""

    before_bytes: int
    most_bytes: int
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def taken_bytes(self) -> int:
        return self.most_bytes - self.before_bytes


def longest_s(jobs: int) -> float:
    return LONGEST_S + jobs / SLOWEST_PER_S


def used_bytes(world: World) -> int:
    with world.redis() as client:
        return int(client.info("memory")["used_memory"])


@contextmanager
def memory_peak(world: World) -> Iterator[Peak]:
    """Looked for every 50 ms until the end of the block."""
    now = used_bytes(world)
    peak = Peak(now, now)

    def sample() -> None:
        with world.redis() as client:
            while not peak.over.wait(SAMPLE_S):
                peak.most_bytes = max(peak.most_bytes, int(client.info("memory")["used_memory"]))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        peak.over.set()
        thread.join()


def deliver(world: World, commands: Sequence[Sequence[str]], jobs: int, *, beside: Mapping[str, int]) -> Delivery:
    """Let workers that do not end by themselves empty the queue: all are there before the first claim, and the clock
    starts with it. `beside`: name and process id of what else takes part."""
    log = world.directory / "workers.log"
    with children(*commands, log=log) as workers, world.redis() as client:

        def check() -> None:
            if any(worker.poll() is not None for worker in workers):
                raise SideError(f"a worker ended: {last_line(log.read_text(errors='replace'))}")

        client.set(keys.SUSPENDED, 1)
        until(lambda: client.scard(keys.WORKERS) == len(commands), longest_s(jobs), check)
        client.delete(keys.SUSPENDED)
        pids = {"server": [int(client.info("server")["process_id"])], "workers": [worker.pid for worker in workers],
                **{name: [pid] for name, pid in beside.items()}}  # fmt: skip
        waiting, running = keys.queue(QUEUE), keys.registry("wip", QUEUE)
        until(lambda: client.llen(waiting) < jobs, longest_s(jobs), check)
        began_s, before = time.monotonic(), _cpu(pids)
        until(lambda: not client.llen(waiting) and not client.zcard(running), longest_s(jobs), check)
        took_s, after = time.monotonic() - began_s, _cpu(pids)
    cores = {name: 100 * (after[name] - before[name]) / took_s for name in after}
    others = max(0.0, 100 * (os.cpu_count() or 1) - sum(cores.values()))
    return Delivery(jobs / took_s, cores | {"others": others})


def until(
    condition: Callable[[], object], patience_s: float, check: Callable[[], None], poll_s: float = POLL_S
) -> None:
    """Wait; `check` raises when there is no more hope. Raises SideError when the patience ends first."""
    deadline_s = time.monotonic() + patience_s
    while not condition():
        check()
        if time.monotonic() > deadline_s:
            raise SideError(f"took longer than {patience_s:g} s")
        time.sleep(poll_s)


def residue(world: World, jobs: int) -> int:
    """What the ledger misses: 0. Raises SideError unless every message was accepted and delivered, and none is left."""
    queue = queue_state(world)
    counted = (queue.ledger.accepted, queue.ledger.delivered, queue.backlog + queue.in_flight + queue.scheduled)
    if counted != (jobs, jobs, 0) or queue.ledger.state is not LedgerState.BALANCED:
        raise SideError(f"of {jobs:,} messages {counted[0]:,} accepted, {counted[1]:,} delivered, {counted[2]:,} left, "
                        f"residue {queue.ledger.residue}")  # fmt: skip
    return queue.ledger.residue


def queue_state(world: World) -> QueueState:
    with open_store(world.url) as store:
        fleet = store.run(Reader(Settings()).fleet())
    return next(queue for queue in fleet.queues if queue.name == QUEUE)


def cpu_s(pid: int) -> float:
    """User and system time of a process, all its threads."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError as error:
        raise SideError("it ended before it was measured") from error
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cpu(pids: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Seconds by name, and those in which cores had nothing to do."""
    idle = Path("/proc/stat").read_text().split("\n", 1)[0].split()[4]
    seconds = {name: sum(map(cpu_s, processes)) for name, processes in pids.items()}
    return seconds | {"idle": int(idle) / os.sysconf("SC_CLK_TCK")}
