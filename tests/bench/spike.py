"""Ten million messages while the provider takes a hundred a second: through surge into overflow, and back again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from queuectl.model import QueueState, Switch
from tests.bench.own import worker
from tests.bench.queues import QUEUE, own_enqueue, own_enqueue_command
from tests.bench.sides import Bench, figures_of
from tests.bench.usage import longest_s, memory_peak, queue_state, residue, until, used_bytes
from tests.bench.world import SideError, World, children, last_line, module, run_json

JOBS, LEAD_IN = 10_000_000, 12_000
"""The lead-in makes automation open surge and overflow; the rest arrives when they are."""
PROCESSES, SLOTS = 2, 500
UNPACKED = 10_000
"""The primary, surge and what does not fill a segment hold no more, at these marks."""
LOOK_S = 0.1
MIB = 1 << 20
SETTINGS = """\
[queues.bench]
surge = "auto"
overflow = "auto"
{limit}
[providers.default]
transport = "null"

[automation]
surge_enter_for_s = 1
overflow_enter_work_s = 60
"""
LIMIT = "rate_per_s = 100"
FIGURES = ("admitted into overflow, jobs/s", "packed by the daemon, messages/s", "peak server memory, MiB",
           "of it not yet packed, most messages", "bytes a message packed", "server memory a waiting message, bytes",
           "drained by 2 workers, messages/s", "the ledger's residue in the end")  # fmt: skip


def surge(scale: float) -> Bench:
    """One run a round; every side but the first shows a figure of it."""
    jobs = max(5 * LEAD_IN, round(JOBS * scale))
    sides = figures_of(lambda world: _there_and_back(world, jobs), dict.fromkeys(FIGURES, ""))
    return Bench("surge", f"{jobs:,} messages at a provider that takes 100/s, then all", "see names", sides,
                 comparable=False)  # fmt: skip


def _there_and_back(world: World, jobs: int) -> dict[str, float]:
    settings = world.directory / "spike.toml"
    settings.write_text(SETTINGS.format(limit=LIMIT))
    with _daemon(world, settings) as (daemon, check), memory_peak(world) as peak:
        spike = Spike(world, jobs, check)
        slow = worker(world, settings, QUEUE, SLOTS, burst=False)
        with children(slow, log=world.directory / "slow.log") as (slow_worker,):
            own_enqueue(world, LEAD_IN)
            spike.until(lambda queue: queue.overflowing.value == Switch.ON)
            began_s = time.monotonic()
            admitted = run_json(own_enqueue_command(world, jobs - LEAD_IN), longest_s=longest_s(jobs))
            unpacked = queue_state(world).draining
            packed = spike.until(lambda queue: queue.backlog - queue.returning < UNPACKED)
            packed_s = time.monotonic() - began_s
            waiting_bytes = (used_bytes(world) - peak.before_bytes) / packed.backlog
            slow_worker.terminate()
            slow_worker.wait()
        settings.write_text(SETTINGS.format(limit=""))
        daemon.send_signal(signal.SIGHUP)
        drained_per_s = _drained_per_s(world, settings, spike)
    values = (admitted["jobs"] / admitted["seconds"], packed.returning / packed_s, peak.taken_bytes / MIB, unpacked,
              packed.overflow_bytes / packed.overflow, waiting_bytes, drained_per_s, residue(world, jobs))  # fmt: skip
    return dict(zip(FIGURES, values, strict=True))


def _drained_per_s(world: World, settings: Path, spike: Spike) -> float:
    """From the first claim of the two workers until nothing is left."""
    command = worker(world, settings, QUEUE, SLOTS, burst=False)
    with children(*[command] * PROCESSES, log=world.directory / "workers.log"):
        before = queue_state(world).ledger.delivered
        first = spike.until(lambda queue: queue.ledger.delivered > before + SLOTS).ledger.delivered
        began_s = time.monotonic()
        last = spike.until(lambda queue: not queue.backlog and not queue.in_flight)
        return (last.ledger.delivered - first) / (time.monotonic() - began_s)


class Spike:
    """The queue under observation."""

    def __init__(self, world: World, jobs: int, check: Callable[[], None]) -> None:
        self._world = world
        self._patience_s = longest_s(jobs)
        self._check = check

    def until(self, condition: Callable[[QueueState], bool]) -> QueueState:
        """The first picture of which the condition is true."""
        seen: list[QueueState] = []

        def look() -> bool:
            seen[:] = [queue_state(self._world)]
            return condition(seen[0])

        until(look, self._patience_s, self._check, poll_s=LOOK_S)
        return seen[0]


@contextmanager
def _daemon(world: World, settings: Path) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], None]]]:
    """A daemon, and what raises SideError when it has ended."""
    log = world.directory / "daemon.log"
    with children(module("queuectl", "--url", world.url, "--config", settings, "daemon"), log=log) as (daemon,):

        def check() -> None:
            if daemon.poll() is not None:
                raise SideError(f"the daemon ended: {last_line(log.read_text(errors='replace'))}")

        yield daemon, check
