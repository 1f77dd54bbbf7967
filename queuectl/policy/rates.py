"""Rates out of counters: exponentially weighted, from pairs of observations, for one queue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW_S = 10.0
"""Time constant of the average: a step shows 63 % after this."""
WAIT_BASE = 1.5
WAIT_UNIT_S = 0.001
"""Wait histogram: bucket k holds waits up to 0.001 s x 1.5^k (the claim script counts them)."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What a queue had counted at one moment. `stock_done`: its share of what stock workers report as done."""

    at_s: float
    depth: int
    """What workers can claim: primary and surge."""
    living: int
    """In any place but failed: what moves between tiers did not arrive anew."""
    arrived: int
    """Accepted + moved in (messages counted at admission)."""
    left: int
    """Delivered + failed, by our workers."""
    stock_done: float
    counted: bool
    """Arrivals are counted by us; else they are estimated from what lives here and departures."""
    waits: Mapping[int, int] = field(default_factory=dict)
    retried: int = 0
    shut: bool = False
    """Its provider takes nothing for now: what ends says nothing of what the workers can do."""
    served: bool = True
    """Workers live and may claim; where none does and nothing ends, nothing is learned of the service rate."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Messages a second; None until two observations are known. Waits in seconds over the last interval with claims."""

    in_per_s: float | None = None
    out_per_s: float | None = None
    service_per_s: float | None = None
    wait_p50_s: float | None = None
    wait_p95_s: float | None = None
    wait_p99_s: float | None = None
    retry_per_s: float | None = None


def update(rates: Rates, before: Counters, after: Counters) -> Rates:
    """Fold one more interval in. An interval in which time or a counter ran backwards is skipped."""
    interval_s = after.at_s - before.at_s
    left = after.left - before.left + after.stock_done - before.stock_done
    arrived = float(after.arrived - before.arrived)
    if interval_s <= 0 or left < 0 or arrived < 0:
        return rates
    if not after.counted:
        arrived = max(0.0, after.living - before.living + left)
    weight = 1 - math.exp(-interval_s / WINDOW_S)
    out_per_s = _average(rates.out_per_s, left / interval_s, weight)
    served = left > 0 or (after.served and before.served)
    backlogged = after.depth > 0 and before.depth > 0 and served and not (before.shut or after.shut)
    known = rates.service_per_s
    # Whoever does more than we believed can do that much, backlog or not: refill goes by this rate, and workers that
    # finish each refill before the next picture would else be held at what they did when they were slow.
    faster = known is not None and left / interval_s > known
    service = _average(known, left / interval_s, weight) if backlogged or faster else known
    in_per_s = _average(rates.in_per_s, arrived / interval_s, weight)
    retry_per_s = _average(rates.retry_per_s, max(0, after.retried - before.retried) / interval_s, weight)
    return Rates(in_per_s, out_per_s, service, *_waits(rates, before, after), retry_per_s)


def _average(old: float | None, new: float, weight: float) -> float:
    if old is None:
        return new
    value = old + weight * (new - old)
    return 0.0 if value < 0.005 and new == 0 else value


def _waits(rates: Rates, before: Counters, after: Counters) -> tuple[float | None, float | None, float | None]:
    """Median, 95th and 99th percentile of what was claimed in between; the last known ones where nothing was."""
    fresh = {bucket: number - before.waits.get(bucket, 0) for bucket, number in after.waits.items()}
    fresh = {bucket: number for bucket, number in fresh.items() if number > 0}
    if not fresh:
        return rates.wait_p50_s, rates.wait_p95_s, rates.wait_p99_s
    return quantile(fresh, 0.5), quantile(fresh, 0.95), quantile(fresh, 0.99)


def quantile(buckets: Mapping[int, int], share: float) -> float:
    """The upper edge (s) of the bucket in which `share` of all waits is reached."""
    total = sum(buckets.values())
    seen = 0
    for bucket in sorted(buckets):
        seen += buckets[bucket]
        if seen >= share * total:
            return WAIT_UNIT_S * WAIT_BASE**bucket
    return 0.0
