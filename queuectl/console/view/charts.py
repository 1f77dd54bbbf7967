"""What the plots show: series over the samples, of the busiest queues or of one, of pools and providers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from queuectl.console.picture import Picture
from queuectl.console.view.look import Look
from queuectl.console.widgets import series as drawn
from queuectl.console.widgets.scale import SECONDS, SHARE
from queuectl.console.widgets.series import Mark, Series
from queuectl.model import AUTOMATION, FleetState, QueueSample, ReplyHistory, Sample
from queuectl.policy.history import SPANS_S, step_s

MOST_SERIES = 4
TONES = ("series-1", "series-2", "series-3", "series-4")
YOUNG_SPANS_S = (60.0, 120.0, 300.0, 600.0, *SPANS_S[1:])
"""A plot shows as little as holds all there is, so that a young history fills it, and the chosen range at most."""
LEAST_GAP_S = 25.0
"""Samples are stored every second or, long ago, every ten: only what is farther apart is a gap."""
MINUTE_S = 60.0
Reading = Callable[[QueueSample], float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot. `unit` as in `widgets.series.Picture`, and `stacked` and `most` too."""

    title: str
    unit: str
    series: tuple[Series, ...]
    stacked: bool = False
    most: float | None = None
    step_s: float = 0.0
    """Between two points; 0: as the samples are."""


Maker = Callable[[], Plot]
"""Makes a plot when it is to be drawn: over an hour of fifty queues that takes some milliseconds."""


def plots(picture: Picture, queue: str, look: Look) -> tuple[Maker, ...]:
    """Everything there is to plot, the most asked for first: of one queue, or (empty) of the whole fleet."""
    fleet, samples = picture.fleet, picture.samples
    if fleet is None:
        return ()
    return queue_plots(queue, fleet, samples) if queue else fleet_plots(fleet, samples, look)


def fleet_plots(fleet: FleetState, samples: Sequence[Sample], look: Look) -> tuple[Maker, ...]:
    """The busiest queues, and all mail together."""
    return (
        lambda: _busiest_plot("waiting", "", fleet, samples, look=look, reading=lambda one: one.backlog),
        lambda: Plot("all in / out per second", "/s", _in_and_out(samples, None)),
        lambda: _busiest_plot("oldest", SECONDS, fleet, samples, look=look, reading=lambda one: one.oldest_s),
        lambda: tiers_plot("all waiting by tier", samples, None),
        lambda: _busiest_plot("wait p95", SECONDS, fleet, samples, look=look, reading=lambda one: one.wait_p95_s),
        lambda: utilisation_plot([pool.name for pool in fleet.pools], samples),
        lambda: use_plot([provider.name for provider in fleet.providers], samples),
    )


def queue_plots(queue: str, fleet: FleetState, samples: Sequence[Sample]) -> tuple[Maker, ...]:
    """The same of one queue, with the pools and the provider that serve it."""
    return (
        lambda: tiers_plot(f"{queue}: waiting by tier", samples, queue),
        lambda: Plot(f"{queue}: in / out per second", "/s", _in_and_out(samples, queue)),
        lambda: Plot(f"{queue}: oldest, waits", SECONDS, _ages(queue, samples)),
        lambda: utilisation_plot([pool.name for pool in fleet.pools if queue in pool.queues], samples),
        lambda: use_plot(providers_of(queue, fleet)[:1], samples),
    )


def providers_of(queue: str, fleet: FleetState) -> tuple[str, ...]:
    """Names of the providers that deliver a queue, or (empty) all of them."""
    known = [one.name for one in fleet.providers]
    found = fleet.queue(queue)
    if not queue or found is None:
        return tuple(known)
    return tuple(name for name in known if name == found.policy.provider) or ("default",)


def _busiest_plot(
    what: str, unit: str, fleet: FleetState, samples: Sequence[Sample], *, look: Look, reading: Reading
) -> Plot:
    """A curve for each of the queues that stand highest now, in alphabetical order so that colours stay put."""
    now = samples[-1].queues if samples else {}
    names = busiest({queue.name: reading(now[queue.name]) if queue.name in now else None for queue in fleet.queues})
    known = len(fleet.queues)
    title = f"{what}{look.dot}busiest {len(names)} of {known}" if known > len(names) else what
    return Plot(title, unit, tuple(_sums(name, index, samples, name, reading) for index, name in enumerate(names)))


def tiers_plot(title: str, samples: Sequence[Sample], queue: str | None) -> Plot:
    """Depth by tier, one upon the other; None: of all queues together."""
    tiers: tuple[tuple[str, Reading], ...] = (
        ("primary", lambda one: max(0, one.backlog - one.surge - one.overflow)),
        ("surge", lambda one: one.surge),
        ("overflow", lambda one: one.overflow),
    )
    return Plot(title, "", tuple(_sums(name, index, samples, queue, reading)
                                 for index, (name, reading) in enumerate(tiers)), stacked=True)  # fmt: skip


def utilisation_plot(pools: Sequence[str], samples: Sequence[Sample]) -> Plot:
    """Busy slots of all slots, a curve a pool."""
    curves = tuple(
        Series(pool, TONES[index], [
            (sample.at_s, row.busy / row.slots if (row := sample.pools.get(pool)) and row.slots else None)
            for sample in samples
        ])
        for index, pool in enumerate(pools[:MOST_SERIES])
    )  # fmt: skip
    return Plot("slots busy", SHARE, curves, most=1.0)


def use_plot(providers: Sequence[str], samples: Sequence[Sample]) -> Plot:
    """What goes out through each provider; of one alone also what it allows."""
    names = providers[:MOST_SERIES]

    def curve(name: str, index: int, provider: str, field: str) -> Series:
        points = [(one.at_s, getattr(row, field) if (row := one.providers.get(provider)) else None) for one in samples]
        return Series(name, TONES[index], points)

    if len(names) == 1:
        title, only = f"{names[0]}: used / allowed per second", names[0]
        return Plot(title, "/s", (curve("used", 0, only, "used_per_s"), curve("allowed", 1, only, "allowed_per_s")))
    return Plot("providers: used per second", "/s",
                tuple(curve(name, index, name, "used_per_s") for index, name in enumerate(names)))  # fmt: skip


def replies_plot(provider: str, replies: ReplyHistory) -> Plot:
    """Replies a minute by class, one upon the other; classes beyond the fourth together as the rest."""
    title = f"{provider}: replies a minute by class"
    ranked = sorted(replies.counts, key=lambda kind: (kind != "delivered", -sum(replies.counts[kind]), kind))
    shown, rest = (ranked, []) if len(ranked) <= MOST_SERIES else (ranked[: MOST_SERIES - 1], ranked[MOST_SERIES - 1 :])
    columns = [(kind, replies.counts[kind]) for kind in shown]
    if rest:
        columns.append(
            (f"{len(rest)} others", tuple(map(sum, zip(*(replies.counts[one] for one in rest), strict=True))))
        )
    return Plot(title, "/min", tuple(
        Series(kind, TONES[index], [
            (replies.start_s + MINUTE_S * (place + 1), float(number)) for place, number in enumerate(numbers[:-1])
        ])
        for index, (kind, numbers) in enumerate(columns)
    ), stacked=True, step_s=MINUTE_S)  # fmt: skip


def drawing(plot: Plot, picture: Picture, queue: str) -> drawn.Picture:
    """The plot as the chart widget takes it: the range, the gaps, what happened to the queue (empty: to any)."""
    end_s = picture.fleet.taken_at_s if picture.fleet else 0.0
    shown_s = span_s(plot.series, end_s, picture.span_s)
    gap_s = max(LEAST_GAP_S, 2.5 * max(plot.step_s, step_s(picture.span_s)))
    return drawn.Picture(plot.series, marks(picture, queue, end_s - shown_s), end_s, shown_s, plot.unit, plot.stacked,
                         plot.most, gap_s)  # fmt: skip


def marks(picture: Picture, queue: str, since_s: float) -> tuple[Mark, ...]:
    """Acts and transitions on a queue (empty: on any): operators' across the plot, automation's as ticks."""
    return tuple(
        Mark(entry.at_s, entry.action, entry.who != AUTOMATION)
        for entry in picture.events
        if entry.at_s >= since_s and queue in ("", entry.scope)
    )


def span_s(series: Sequence[Series], end_s: float, most_s: float) -> float:
    """Seconds across, for curves that end at `end_s`."""
    first = min((at_s for one in series for at_s, value in one.points if value is not None), default=end_s)
    return next((span for span in YOUNG_SPANS_S if end_s - first <= span <= most_s), most_s)


def busiest(readings: Mapping[str, float | None]) -> tuple[str, ...]:
    """The four names with the highest values, in alphabetical order."""
    ranked = sorted(readings, key=lambda name: (-(readings[name] or 0.0), name))[:MOST_SERIES]
    return tuple(sorted(ranked))


def _ages(queue: str, samples: Sequence[Sample]) -> tuple[Series, ...]:
    readings: Mapping[str, Reading] = {
        "oldest": lambda one: one.oldest_s,
        "wait p50": lambda one: one.wait_p50_s,
        "p95": lambda one: one.wait_p95_s,
        "p99": lambda one: one.wait_p99_s,
    }
    return tuple(_sums(name, index, samples, queue, reading) for index, (name, reading) in enumerate(readings.items()))


def _in_and_out(samples: Sequence[Sample], queue: str | None) -> tuple[Series, ...]:
    return (
        _sums("in", 0, samples, queue, lambda one: one.in_per_s),
        _sums("out", 1, samples, queue, lambda one: one.out_per_s),
    )


def _sums(name: str, tone: int, samples: Sequence[Sample], queue: str | None, reading: Reading) -> Series:
    return Series(name, TONES[tone], [(sample.at_s, _sum(sample, queue, reading)) for sample in samples])


def _sum(sample: Sample, queue: str | None, reading: Reading) -> float | None:
    """One queue's value, or all known ones together; None when none is known."""
    if queue is not None:
        row = sample.queues.get(queue)
        return None if row is None else reading(row)
    known = [value for one in sample.queues.values() if (value := reading(one)) is not None]
    return sum(known) if known else None
