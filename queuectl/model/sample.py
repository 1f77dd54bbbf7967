"""Time series: one sample a second, drawn as history when a console attaches."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueueSample:
    """One queue in one sample. Rates are messages a second over the sample's interval; None is unknown."""

    depth: int
    backlog: int
    in_flight: int
    in_per_s: float | None
    out_per_s: float | None
    oldest_s: float | None
    wait_p95_s: float | None
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """All queues at one moment (server time, epoch seconds)."""

    at_s: float
    queues: dict[str, QueueSample] = field(default_factory=dict)
