"""What happened in a span of time, worked out of samples, audit entries and pictures: the facts of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from queuectl.model import AuditEntry, FleetState, LedgerState, QueueSample, QueueState, Sample
from queuectl.policy.diagnosis import diagnose
from queuectl.policy.findings import Finding
from queuectl.record.wording import age, count

LASTING_S = 30.0
"""A state that lasts less is not worth a line."""
STILL_PER_S = 0.01
MOST_GAP_S = 60.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a report is made of. Times in epoch seconds of the server."""

    source: str
    """Where it comes from: the server's address, or the recording's name."""
    from_s: float
    to_s: float
    samples: tuple[Sample, ...]
    """Oldest first."""
    events: tuple[AuditEntry, ...]
    """Oldest first."""
    last: FleetState
    first: FleetState | None = None
    """The picture at the start; a live server no longer has it, and what needs it is then estimated."""
    notes: tuple[str, ...] = ()
    """What the reader must know about gaps in it."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest value of a curve, and when."""

    value: float
    at_s: float


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One queue's numbers over the span. None is unknown."""

    queue: QueueState
    """As it stood at the end."""
    came: float | None
    delivered: float | None
    estimated: bool
    """`came` and `delivered` were summed up from rates, not counted."""
    shed: int | None
    """More in the shed store than at the start; None without a picture of the start."""
    failed: int
    """More in the failed registry than at the start."""
    backlog: Peak | None
    staleness: Peak | None


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline."""

    at_s: float
    who: str
    """An operator, `auto`, or empty for what was only seen in the curves."""
    what: str
    why: str = ""
    number: int = 0
    """The audit number, or 0."""
    undone_by: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """All facts, in the order in which they are told."""

    evidence: Evidence
    queues: tuple[QueueFigures, ...]
    """Worst backlog first."""
    timeline: tuple[Happening, ...]
    findings: tuple[Finding, ...]
    """What is wrong at the end, worst first."""

    @property
    def by_operators(self) -> int:
        return sum(happening.who not in ("", "auto") for happening in self.timeline)

    @property
    def by_automation(self) -> int:
        return sum(happening.who == "auto" for happening in self.timeline)


def incident(evidence: Evidence) -> Incident:
    """Work the facts out."""
    queues = sorted((_figures(queue, evidence) for queue in evidence.last.queues), key=_badness)
    seen = [happening for queue in evidence.last.queues for happening in _seen(queue, evidence.samples)]
    timeline = sorted([*map(_acted, evidence.events), *seen], key=lambda happening: (happening.at_s, happening.number))
    return Incident(evidence, tuple(queues), tuple(timeline), diagnose(evidence.last))


def _badness(figures: QueueFigures) -> tuple[float, str]:
    return (-figures.backlog.value if figures.backlog else 0.0, figures.queue.name)


# Numbers.


def _figures(queue: QueueState, evidence: Evidence) -> QueueFigures:
    before = evidence.first.queue(queue.name) if evidence.first else None
    counted = before is not None and queue.ledger.state is not LedgerState.UNKNOWN
    samples, name = evidence.samples, queue.name
    if counted and before:
        came: float | None = _came(queue) - _came(before)
        delivered: float | None = queue.ledger.delivered - before.ledger.delivered
    else:
        came = _summed(samples, name, lambda one: one.in_per_s)
        delivered = _summed(samples, name, lambda one: one.out_per_s)
    failed_before = next((sample.queues[name].failed for sample in samples if name in sample.queues), queue.failed)
    return QueueFigures(
        queue,
        came,
        delivered,
        estimated=not counted,
        shed=queue.shed_stored - before.shed_stored if before else None,
        failed=queue.failed - failed_before,
        backlog=_peak(samples, name, lambda one: float(one.backlog)),
        staleness=_peak(samples, name, lambda one: one.oldest_s),
    )


def _came(queue: QueueState) -> int:
    return queue.ledger.accepted + queue.ledger.adopted + queue.ledger.moved_in


def _readings(
    samples: Sequence[Sample], name: str, reading: Callable[[QueueSample], float | None]
) -> Iterator[tuple[float, float]]:
    """(time, value) wherever the value is known."""
    for sample in samples:
        one = sample.queues.get(name)
        value = reading(one) if one else None
        if value is not None:
            yield sample.at_s, value


def _summed(samples: Sequence[Sample], name: str, rate: Callable[[QueueSample], float | None]) -> float | None:
    """Messages: each rate holds until the next sample, but not over a gap in which nobody sampled."""
    readings = list(_readings(samples, name, rate))
    if len(readings) < 2:
        return None
    total = 0.0
    for (at_s, value), (next_s, _) in pairwise(readings):
        total += value * min(next_s - at_s, MOST_GAP_S)
    return total


def _peak(samples: Sequence[Sample], name: str, reading: Callable[[QueueSample], float | None]) -> Peak | None:
    highest = max(_readings(samples, name, reading), key=lambda found: found[1], default=None)
    return Peak(highest[1], highest[0]) if highest and highest[1] > 0 else None


def longest_gap_s(samples: Sequence[Sample]) -> float:
    """Seconds between two samples beyond which a curve is broken: well above the usual distance."""
    distances = [after.at_s - before.at_s for before, after in pairwise(samples)]
    return max(3 * max(median(distances), 10.0), 5.0) if distances else MOST_GAP_S


# The timeline.


def _acted(entry: AuditEntry) -> Happening:
    change = f"{entry.before} → {entry.after}" if entry.before else entry.after
    return Happening(entry.at_s, entry.who, f"{entry.action} {entry.scope}: {change}".rstrip(": "), entry.reason,
                     entry.number, entry.undone_by)  # fmt: skip


def _seen(queue: QueueState, samples: Sequence[Sample]) -> Iterator[Happening]:
    """What the curves tell by themselves: waits beyond the target and the peak then, staleness, standstill."""
    name, policy = queue.name, queue.policy
    began = f"{name}: waits longer than its target of {age(policy.target_wait_s)}"
    late = list(_episode(samples, name, lambda one: (one.oldest_s or 0.0) > policy.target_wait_s,
                         began, f"{name}: back within its target wait"))  # fmt: skip
    yield from late
    peak = _peak(samples, name, lambda one: float(one.backlog))
    if late and peak:
        yield Happening(peak.at_s, "", f"{name}: most messages waiting, {count(peak.value)}")
    stale = f"{name}: oldest message past its max age of {age(policy.max_age_s)}"
    yield from _episode(samples, name, lambda one: (one.oldest_s or 0.0) > policy.max_age_s,
                        stale, f"{name}: nothing is past its max age any more")  # fmt: skip
    yield from _episode(samples, name, _stands_still, f"{name}: nothing goes out though mail waits",
                        f"{name}: mail goes out again")  # fmt: skip


def _stands_still(one: QueueSample) -> bool:
    return one.backlog > 0 and one.out_per_s is not None and one.out_per_s < STILL_PER_S


def _episode(samples: Sequence[Sample], name: str, holds: Callable[[QueueSample], bool], began: str,
             ended: str) -> Iterator[Happening]:  # fmt: skip
    """Beginning and end of each time in which `holds` was true for LASTING_S; shorter breaks are bridged."""
    start_s: float | None = None
    last_s = 0.0
    for sample in samples:
        one = sample.queues.get(name)
        if one is None:
            continue
        if holds(one):
            start_s, last_s = (sample.at_s if start_s is None else start_s), sample.at_s
        elif start_s is not None and sample.at_s - last_s >= LASTING_S:
            if last_s - start_s >= LASTING_S:
                yield Happening(start_s, "", began)
                yield Happening(last_s, "", ended)
            start_s = None
    if start_s is not None and last_s - start_s >= LASTING_S:
        yield Happening(start_s, "", began)
