"""How fast shed mail comes back when nobody names a rate: what the workers have to spare, so that it floods nothing."""

from __future__ import annotations

from queuectl.policy.thresholds import TierThresholds

BLIND_PER_S = 50.0
"""While nobody has measured the service rate."""


def replay_per_s(
    service_per_s: float | None, arrivals_per_s: float | None, limits: TierThresholds | None = None
) -> float:
    """Messages a second: what arrivals leave of 90 % of the service rate, between 5 % and 50 % of it."""
    bounds = limits or TierThresholds()
    if not service_per_s:
        return BLIND_PER_S
    spare = bounds.refill_service_share * service_per_s - (arrivals_per_s or 0.0)
    return min(max(spare, bounds.refill_least_share * service_per_s), bounds.refill_most_share * service_per_s)


def rate_words(rate_per_s: float) -> str:
    """A number of messages a second as people read it."""
    return f"{rate_per_s:,.0f}" if rate_per_s >= 10 else f"{rate_per_s:.2g}"
