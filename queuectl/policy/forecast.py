"""What happens next if nothing, or one thing, is changed: the number behind every "before → after"."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Flow:
    """A queue's rates (messages a second) and what waits. `service_per_s`: what its workers can deliver."""

    backlog: int
    in_per_s: float
    service_per_s: float
    workers: int


def eta_s(flow: Flow) -> float:
    """Seconds until nothing waits: backlog / (service − arrivals); `inf` when arrivals win."""
    if flow.backlog <= 0:
        return 0.0
    spare_per_s = flow.service_per_s - flow.in_per_s
    return flow.backlog / spare_per_s if spare_per_s > 0 else math.inf


def with_workers(flow: Flow, workers: int) -> Flow:
    """Service grows in proportion to workers: an upper bound, since a provider's limit does not."""
    if flow.workers <= 0:
        return replace(flow, workers=workers)
    return replace(flow, workers=workers, service_per_s=flow.service_per_s * workers / flow.workers)


def without(flow: Flow, messages: int) -> Flow:
    """After `messages` left the backlog."""
    return replace(flow, backlog=max(0, flow.backlog - messages))


def added(flow: Flow, messages: int) -> Flow:
    """After `messages` came back."""
    return replace(flow, backlog=flow.backlog + messages)
