"""What a second worker process brings, and what is full when it brings less than one."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.delivery import running_sink, sink_trouble
from tests.bench.own import null_settings, worker
from tests.bench.queues import QUEUE, own_enqueue
from tests.bench.scale import NULL_SLOTS, smtp_delivery
from tests.bench.sides import Bench, Side, figures_of
from tests.bench.usage import Delivery, deliver
from tests.bench.world import World

NOOP_JOBS, MAILS = 100_000, 20_000
PROCESSES = (1, 2)
RATIO = "2 workers over 1, percent"
TAKERS = ("server", "workers", "others", "idle")


def linear(scale: float) -> Bench:
    """One and two workers in one run; every side but the first of a kind of mail shows a figure of it."""
    jobs, mails = max(2_000, round(NOOP_JOBS * scale)), max(500, round(MAILS * scale))
    sides = (
        *_sides("no-op", TAKERS, lambda world, processes: _noop(world, jobs, processes)),
        *_sides("SMTP", (*TAKERS, "smtp-sink"), lambda world, processes: _smtp(world, mails, processes),
                sink_trouble()),
    )  # fmt: skip
    return Bench("linear", f"1 and 2 worker processes: {jobs:,} no-op jobs, {mails:,} mails of 9 kB; percent of a core",
                 "see names", sides, comparable=False)  # fmt: skip


def _sides(
    kind: str, takers: tuple[str, ...], measure: Callable[[World, int], Delivery], trouble: str = ""
) -> tuple[Side, ...]:
    names = {number: f"{kind}, {number} worker{'s' * (number > 1)}" for number in PROCESSES}

    def run(world: World) -> dict[str, float]:
        found: dict[str, float] = {}
        rates = []
        for number, name in names.items():
            with world.redis() as client:
                client.flushall()
            delivery = measure(world, number)
            rates.append(delivery.per_s)
            found[f"{name}, jobs/s"] = delivery.per_s
            found |= {f"{name}, {taker}, % of a core": delivery.cores[taker] for taker in takers}
        return found | {f"{kind}, {RATIO}": 100 * rates[1] / rates[0]}

    figures = [f"{name}, jobs/s" for name in names.values()] + [f"{kind}, {RATIO}"]
    figures += [f"{name}, {taker}, % of a core" for name in names.values() for taker in takers]
    return figures_of(run, dict.fromkeys(figures, trouble))


def _noop(world: World, jobs: int, processes: int) -> Delivery:
    own_enqueue(world, jobs)
    command = worker(world, null_settings(world), QUEUE, NULL_SLOTS, burst=False)
    return deliver(world, [command] * processes, jobs, beside={})


def _smtp(world: World, mails: int, processes: int) -> Delivery:
    with running_sink() as (port, sink):
        return smtp_delivery(world, port, sink, mails, processes)
