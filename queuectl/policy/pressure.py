"""What a queue's automation sees each second, and the one number that says how near it is to its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from queuectl.model import Policy


@dataclass(frozen=True, slots=True)
class Signals:
    """One queue at one moment. Counts are messages, rates messages a second."""

    queue: str
    depth: int = 0
    """Waiting in the primary tier."""
    surge: int = 0
    overflow: int = 0
    """Waiting in overflow, with what is on the way there."""
    staleness_s: float = 0.0
    """Age of the oldest waiting first attempt; 0 when none waits."""
    arrivals_per_s: float = 0.0
    completions_per_s: float = 0.0
    service_per_s: float | None = None
    """Completions while backlogged; None until known."""
    memory_share: float = 0.0
    """Used over `maxmemory`; 0 when the server has no limit."""
    overflow_share: float = 0.0
    """Overflow over its own limit; 0 when it has none."""
    token_wait_share: float = 0.0
    """Part of the busy time spent waiting for the provider's tokens."""
    diverted: bool = False
    """Arrivals go to surge or overflow, so that the primary lives on refill alone."""

    @property
    def backlog(self) -> int:
        return self.depth + self.surge + self.overflow

    @property
    def wait_s(self) -> float:
        """Predicted wait W = D / U of all that waits, oldest first."""
        return self.work_s(self.backlog)

    def work_s(self, messages: float) -> float:
        """Seconds of work; nan while the service rate is unknown, so that every comparison with it fails."""
        if messages <= 0:
            return 0.0
        return messages / self.service_per_s if self.service_per_s else math.nan


def terms(signals: Signals, policy: Policy, memory_full_share: float) -> Mapping[str, float]:
    """The parts of the pressure by name; nan for what is unknown."""
    return {
        "wait over target": signals.wait_s / policy.target_wait_s,
        "staleness over max age": signals.staleness_s / policy.max_age_s,
        "depth over cap": signals.backlog / policy.cap,
        "memory over its limit": signals.memory_share / memory_full_share,
    }


def pressure(signals: Signals, policy: Policy, memory_full_share: float = 0.85) -> float:
    """P = max(W / target wait, A / max age, D / cap, M / full): 1 is the limit. Unknown parts do not count."""
    return max(part for part in terms(signals, policy, memory_full_share).values() if not math.isnan(part))


def strongest(signals: Signals, policy: Policy, memory_full_share: float = 0.85) -> str:
    """The name of the part that makes the pressure."""
    parts = terms(signals, policy, memory_full_share)
    return max(parts, key=lambda name: -1.0 if math.isnan(parts[name]) else parts[name])
