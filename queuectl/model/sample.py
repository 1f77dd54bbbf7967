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
    surge: int = 0
    overflow: int = 0
    wait_p50_s: float | None = None
    wait_p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class PoolSample:
    """One pool's workers in one sample."""

    workers: int
    busy: int
    """Slots with a message in flight."""
    slots: int


@dataclass(frozen=True, slots=True)
class ProviderSample:
    """One provider in one sample, messages a second; `allowed_per_s` None: no limit."""

    used_per_s: float
    allowed_per_s: float | None = None
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at one moment (server time, epoch seconds)."""

    at_s: float
    queues: dict[str, QueueSample] = field(default_factory=dict)
    pools: dict[str, PoolSample] = field(default_factory=dict)
    providers: dict[str, ProviderSample] = field(default_factory=dict)
