"""One million real messages: admitted, delivered to nowhere by two workers, and a tenth as many over SMTP."""

from __future__ import annotations

from tests.bench.delivery import running_sink, sink_trouble, taken
from tests.bench.own import null_settings, smtp_settings, worker
from tests.bench.queues import QUEUE, SCRIPTS, WARM_UP, own_enqueue_command
from tests.bench.sides import Bench, figures_of
from tests.bench.usage import Delivery, deliver, longest_s, memory_peak, residue, used_bytes
from tests.bench.world import SideError, World, module, run_json

JOBS, MAILS = 1_000_000, 100_000
PROCESSES, NULL_SLOTS, SMTP_SLOTS = 2, 500, 50
MIB = 1 << 20
FIGURES = ("admitted by one process, jobs/s", "peak server memory, MiB", "server memory a waiting job, bytes",
           "delivered to nowhere by 2 workers, jobs/s", "its ledger's residue")  # fmt: skip
SMTP_FIGURES = ("9 kB mails delivered to smtp-sink, mails/s", "smtp-sink's own count of them",
                "the ledger's residue in the end")  # fmt: skip


def scale(scale: float) -> Bench:
    """One run a round; every side but the first shows a figure of it."""
    jobs, mails = max(2_000, round(JOBS * scale)), max(500, round(MAILS * scale))
    trouble = sink_trouble()

    def run(world: World) -> dict[str, float]:
        return _to_nowhere(world, jobs) | ({} if trouble else _over_smtp(world, jobs, mails))

    sides = figures_of(run, dict.fromkeys(FIGURES, "") | dict.fromkeys(SMTP_FIGURES, trouble))
    return Bench("scale", f"{jobs:,} real 300-byte jobs, then {mails:,} mails of 9 kB", "see names", sides,
                 comparable=False)  # fmt: skip


def _to_nowhere(world: World, jobs: int) -> dict[str, float]:
    with memory_peak(world) as peak:
        admitted = run_json(own_enqueue_command(world, jobs), longest_s=longest_s(jobs))
        a_job = (used_bytes(world) - peak.before_bytes) / (jobs + WARM_UP)
        commands = [worker(world, null_settings(world), QUEUE, NULL_SLOTS, burst=False)] * PROCESSES
        delivery = deliver(world, commands, jobs, beside={})
    values = (jobs / admitted["seconds"], peak.taken_bytes / MIB, a_job, delivery.per_s, residue(world, jobs))
    return dict(zip(FIGURES, values, strict=True))


def _over_smtp(world: World, before: int, mails: int) -> dict[str, float]:
    """Through the same queue, whose ledger counts on."""
    counts = world.directory / "smtp-sink.txt"
    with running_sink(counts) as (port, sink):
        delivery = smtp_delivery(world, port, sink, mails, PROCESSES)
        received = taken(counts)
    if received != mails:
        raise SideError(f"{mails:,} messages, but smtp-sink took {received:,}")
    return dict(zip(SMTP_FIGURES, (delivery.per_s, received, residue(world, before + mails)), strict=True))


def smtp_delivery(world: World, port: int, sink: int, mails: int, processes: int) -> Delivery:
    """Admit mails of 9 kB and deliver them to the sink."""
    run_json(module(f"{SCRIPTS}.queuectl_enqueue_template", world.url, QUEUE, mails), longest_s=longest_s(mails))
    command = worker(world, smtp_settings(world, port, SMTP_SLOTS), QUEUE, SMTP_SLOTS, burst=False)
    return deliver(world, [command] * processes, mails, beside={"smtp-sink": sink})
