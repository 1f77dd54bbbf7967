"""Samples kept for plots: a bounded number of points for any span, whole where it is short, merged where it is long."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import fields
from statistics import fmean
from typing import Any

from queuectl.model import FleetState, PoolSample, ProviderSample, QueueSample, Sample

SPANS_S = (300.0, 900.0, 3_600.0, 21_600.0, 86_400.0)
"""What plots can show."""
WHOLE_SPAN_S = 900.0
"""Every sample of so short a span is kept as it is."""
POINTS = 900
"""Points that a longer span is merged into: more than a terminal has dots across."""
_MEANS = frozenset({"in_per_s", "out_per_s", "used_per_s"})
"""Of rates the mean is kept, so that areas stay true; of everything else the worst, so that no spike is lost."""


def sample_of(fleet: FleetState) -> Sample:
    """The sample that a picture makes."""
    return Sample(
        fleet.taken_at_s,
        {
            queue.name: QueueSample(
                queue.depth, queue.backlog, queue.in_flight, _short(queue.in_per_s), _short(queue.out_per_s),
                _short(queue.oldest_s), _short(queue.wait_p95_s), queue.failed, queue.surge, queue.overflow,
                _short(queue.wait_p50_s), _short(queue.wait_p99_s),
            )
            for queue in fleet.queues
        },
        {pool.name: PoolSample(pool.actual, pool.busy, pool.slots) for pool in fleet.pools},
        {
            one.name: ProviderSample(round(one.used_per_s, 3), _short(one.allowed_per_s), one.connections)
            for one in fleet.providers
        },
    )  # fmt: skip


def _short(value: float | None) -> float | None:
    """Thousands of samples are stored: a millisecond is fine enough."""
    return None if value is None else round(value, 3)


def step_s(span_s: float) -> float:
    """Seconds that one point of a span stands for; 0: every sample is its own."""
    return 0.0 if span_s <= WHOLE_SPAN_S else span_s / POINTS


class History:
    """The samples of the last `span_s` seconds, added in order of time."""

    def __init__(self, span_s: float, samples: Iterable[Sample] = ()) -> None:
        self.span_s = span_s
        self._step_s = step_s(span_s)
        self._closed: deque[Sample] = deque()
        self._open: list[Sample] = []
        """What the newest point is merged from."""
        for sample in samples:
            self.add(sample)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first; the newest point grows until its time is over."""
        return (*self._closed, merged(self._open)) if self._open else tuple(self._closed)

    @property
    def newest_s(self) -> float | None:
        """When the newest sample was taken."""
        return self._open[-1].at_s if self._open else None

    def add(self, sample: Sample) -> None:
        """Samples that are not newer than the newest are left out."""
        newest_s = self.newest_s
        if newest_s is not None:
            if sample.at_s <= newest_s:
                return
            if self._bucket(sample.at_s) != self._bucket(newest_s):
                self._closed.append(merged(self._open))
                self._open.clear()
        self._open.append(sample)
        while self._closed and self._closed[0].at_s < sample.at_s - self.span_s:
            self._closed.popleft()

    def _bucket(self, at_s: float) -> float:
        return math.floor(at_s / self._step_s) if self._step_s else at_s


def merged(samples: Sequence[Sample]) -> Sample:
    """One point for several samples, at the time of the last one."""
    if len(samples) == 1:
        return samples[0]
    return Sample(
        samples[-1].at_s,
        _rows(QueueSample, [sample.queues for sample in samples]),
        _rows(PoolSample, [sample.pools for sample in samples]),
        _rows(ProviderSample, [sample.providers for sample in samples]),
    )


def _rows(kind: Any, tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for table in tables for name in table)
    return {name: _row(kind, [table[name] for table in tables if name in table]) for name in names}


def _row(kind: Any, rows: Sequence[Any]) -> Any:
    return kind(*(_value(field.name, [getattr(row, field.name) for row in rows]) for field in fields(kind)))


def _value(name: str, values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return fmean(known) if name in _MEANS else max(known)
