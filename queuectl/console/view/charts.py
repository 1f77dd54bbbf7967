"""What the plots show: series over the samples, of the busiest queues or of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queuectl.console.view.look import Look
from queuectl.console.widgets.chart import Series
from queuectl.model import AuditEntry, FleetState, QueueSample, QueueState, Sample

MOST_SERIES = 4
TONES = ("series-1", "series-2", "series-3", "series-4")
SPANS_S = (60.0, 120.0, 300.0, 600.0)
"""What a plot shows at most: as little as holds all there is, so that a young history fills it."""
Reading = Callable[[QueueSample], float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot, ready for the chart widget."""

    title: str
    unit: str
    series: tuple[Series, ...]


def fleet_plots(fleet: FleetState, samples: Sequence[Sample], selected: str, look: Look) -> tuple[Plot, Plot, Plot]:
    """Depth, throughput and staleness. `selected` empty: the busiest queues, and all mail in and out."""
    if selected:
        return queue_plots(selected, samples)
    deep = busiest(fleet.queues, lambda queue: float(queue.backlog))
    old = busiest(fleet.queues, lambda queue: queue.oldest_s or 0.0)
    return (
        Plot(
            _title("waiting", len(deep), len(fleet.queues), look), "", _by_queue(deep, samples, lambda one: one.backlog)
        ),
        Plot("all in / out per second", "/s", _in_and_out(samples, None)),
        Plot(
            _title("oldest", len(old), len(fleet.queues), look), "s", _by_queue(old, samples, lambda one: one.oldest_s)
        ),
    )


def queue_plots(queue: str, samples: Sequence[Sample]) -> tuple[Plot, Plot, Plot]:
    """The same three for one queue."""
    return (
        Plot(f"{queue}: waiting", "", (_series("waiting", 0, queue, samples, lambda one: one.backlog),)),
        Plot(f"{queue}: in / out per second", "/s", _in_and_out(samples, queue)),
        Plot(f"{queue}: oldest, wait p95", "s", (
            _series("oldest", 2, queue, samples, lambda one: one.oldest_s),
            _series("wait p95", 3, queue, samples, lambda one: one.wait_p95_s),
        )),
    )  # fmt: skip


def markers(events: Sequence[AuditEntry], queue: str) -> list[tuple[float, str]]:
    """Operators' acts on a queue (empty: on any), drawn across the plots; the name stands in the event tail."""
    return [(entry.at_s, entry.action) for entry in events if entry.who != "auto" and queue in ("", entry.scope)]


def span_s(series: Sequence[Series], end_s: float) -> float:
    """Seconds across, for curves that end at `end_s`."""
    first = min((at_s for one in series for at_s, value in one.points if value is not None), default=end_s)
    return next((span for span in SPANS_S if end_s - first <= span), SPANS_S[-1])


def busiest(queues: Sequence[QueueState], reading: Callable[[QueueState], float]) -> tuple[str, ...]:
    """Names of the queues with the highest reading, in alphabetical order so that colours stay put."""
    ranked = sorted(queues, key=lambda queue: (-reading(queue), queue.name))[:MOST_SERIES]
    return tuple(sorted(queue.name for queue in ranked))


def _title(what: str, shown: int, known: int, look: Look) -> str:
    return f"{what}{look.dot}busiest {shown} of {known}" if known > shown else what


def _by_queue(names: Sequence[str], samples: Sequence[Sample], reading: Reading) -> tuple[Series, ...]:
    return tuple(_series(name, index, name, samples, reading) for index, name in enumerate(names))


def _series(name: str, tone: int, queue: str, samples: Sequence[Sample], reading: Reading) -> Series:
    points = [(sample.at_s, _read(sample.queues.get(queue), reading)) for sample in samples]
    return Series(name, TONES[tone], points)


def _in_and_out(samples: Sequence[Sample], queue: str | None) -> tuple[Series, ...]:
    return (
        Series("in", TONES[0], [(sample.at_s, _sum(sample, queue, lambda one: one.in_per_s)) for sample in samples]),
        Series("out", TONES[1], [(sample.at_s, _sum(sample, queue, lambda one: one.out_per_s)) for sample in samples]),
    )


def _sum(sample: Sample, queue: str | None, reading: Reading) -> float | None:
    """One queue's value, or all known ones together; None when none is known."""
    if queue is not None:
        return _read(sample.queues.get(queue), reading)
    known = [value for one in sample.queues.values() if (value := reading(one)) is not None]
    return sum(known) if known else None


def _read(sample: QueueSample | None, reading: Reading) -> float | None:
    return None if sample is None else reading(sample)
