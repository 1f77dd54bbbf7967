"""Scaling: how many workers a pool should have: up at once, down with care, not at all against a provider's limit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from queuectl.policy.decision import ControlName, Decision, Latch, Mode, advance
from queuectl.policy.thresholds import ScalingThresholds

Timed = tuple[tuple[float, int], ...]
"""(server time in seconds, workers), oldest first."""


@dataclass(frozen=True, slots=True)
class PoolSignals:
    """One pool at one moment, over all its queues. Caps are `inf` where there is none."""

    pool: str
    desired: int
    """Workers asked for now."""
    concurrency: int
    """Slots a worker."""
    arrivals_per_s: float
    backlog: int
    busy_s_per_message: float | None
    """Slot seconds a message costs, without the wait for tokens; None until known."""
    token_wait_share: float = 0.0
    """Part of the busy time spent waiting for the provider's tokens."""
    provider_per_s: float = math.inf
    connections: float = math.inf
    """Connections, and so slots, that the providers allow."""
    host_workers: float = math.inf
    """Workers that the live hosts can hold."""
    most_workers: float = math.inf
    """Most workers that the settings allow."""


@dataclass(frozen=True, slots=True)
class ScalingState:
    """`changes`: desired before each change; `wanted`: recommendations that no later one exceeds; `watched_since_s`:
    since when recommendations were made without a break."""

    changes: Timed = ()
    wanted: Timed = ()
    watched_since_s: float | None = None
    bound: Latch = field(default_factory=Latch)


@dataclass(frozen=True, slots=True)
class _Advice:
    workers: int
    reason: str


def scale(
    state: ScalingState, signals: PoolSignals, limits: ScalingThresholds, now_s: float
) -> tuple[ScalingState, Decision | None]:
    """One step of a pool that nobody scales by hand."""
    share = signals.token_wait_share
    bound = advance(state.bound, Mode.AUTO, enter=share > limits.bound_enter_share,
                    leave=share < limits.bound_leave_share, dwell=limits.bound_dwell, now_s=now_s)  # fmt: skip
    decision = _bound_decision(signals, state.bound, bound)
    if bound.on or decision or signals.busy_s_per_message is None:
        return ScalingState(changes=state.changes, bound=bound), decision
    state = replace(state, bound=bound)
    advice = recommend(signals, limits)
    state = _remember(state, advice.workers, limits, now_s)
    target = _reachable(state, signals.desired, advice.workers, limits, now_s)
    if target == signals.desired:
        return state, None
    changes = (*state.changes, (now_s, signals.desired))
    return replace(state, changes=changes), _decision(signals, target, advice, limits)


def slots_needed(arrivals_per_s: float, backlog: int, busy_s: float, limits: ScalingThresholds) -> float:
    """Square-root staffing K = a + 2 sqrt(a), and enough to clear the backlog in time: K >= (L + B / T) s."""
    load = arrivals_per_s * busy_s
    return max(load + limits.headroom_factor * math.sqrt(load),
               (arrivals_per_s + backlog / limits.clear_within_s) * busy_s)  # fmt: skip


def recommend(signals: PoolSignals, limits: ScalingThresholds) -> _Advice:
    """Workers this pool could use now, and what limits them."""
    busy_s = signals.busy_s_per_message or 0.0
    needed = slots_needed(signals.arrivals_per_s, signals.backlog, busy_s, limits)
    caps = {
        "the provider's rate": slots_needed(signals.provider_per_s, 0, busy_s, limits) if busy_s else math.inf,
        "the provider's connections": signals.connections,
        "the hosts' capacity": signals.host_workers * signals.concurrency,
        "the settings' max": signals.most_workers * signals.concurrency,
    }
    name = min(caps, key=lambda cap: caps[cap])
    reason = (f"{signals.arrivals_per_s:,.0f}/s arrive, {signals.backlog:,} wait, {busy_s:.3g} s a message: "
              f"{needed:.0f} slots")  # fmt: skip
    if caps[name] < needed:
        reason += f", limited to {caps[name]:.0f} by {name}"
    workers = max(math.ceil(min(needed, caps[name]) / signals.concurrency - 1e-9), limits.least_workers)
    return _Advice(int(min(workers, max(signals.host_workers, limits.least_workers), signals.most_workers)), reason)


def _remember(state: ScalingState, wanted: int, limits: ScalingThresholds, now_s: float) -> ScalingState:
    """Keep what later steps look back on: a falling run of recommendations, and the changes of the last minute."""
    kept = tuple(entry for entry in state.wanted if entry[0] > now_s - limits.settle_s and entry[1] > wanted)
    longest_s = max(limits.up_window_s, limits.down_window_s)
    changes = tuple(entry for entry in state.changes if entry[0] > now_s - longest_s)
    since_s = now_s if state.watched_since_s is None else state.watched_since_s
    return replace(state, wanted=(*kept, (now_s, wanted)), changes=changes, watched_since_s=since_s)


def _reachable(state: ScalingState, desired: int, wanted: int, limits: ScalingThresholds, now_s: float) -> int:
    """The step towards `wanted` that the limits of speed allow."""
    if wanted > desired:
        low = min(_lately(state.changes, desired, limits.up_window_s, now_s))
        most = max(1, math.floor(limits.up_factor * low))
        return max(desired, min(wanted, most))
    settled = max(workers for _, workers in state.wanted)
    watched_s = now_s - (now_s if state.watched_since_s is None else state.watched_since_s)
    if settled >= desired or watched_s < limits.settle_s:
        return desired
    high = max(_lately(state.changes, desired, limits.down_window_s, now_s))
    least = high - max(1, math.floor(limits.down_share * high))
    return min(desired, max(settled, least))


def _lately(changes: Timed, desired: int, window_s: float, now_s: float) -> list[int]:
    """Every number that was desired within the window."""
    return [desired, *(before for at_s, before in changes if at_s > now_s - window_s)]


def _decision(signals: PoolSignals, target: int, advice: _Advice, limits: ScalingThresholds) -> Decision:
    if target > signals.desired:
        step = "" if target == advice.workers else f"; at most x{limits.up_factor:g} in {limits.up_window_s:g} s"
    else:
        step = f"; no more was needed for {limits.settle_s:g} s, at most {limits.down_share:.0%} less in " \
               f"{limits.down_window_s:g} s"  # fmt: skip
    return Decision(signals.pool, ControlName.SCALE, str(target), advice.reason + step, _inputs(signals))


def _bound_decision(signals: PoolSignals, before: Latch, after: Latch) -> Decision | None:
    """Say that the provider is the limit, once, and that it no longer is."""
    if before.on is after.on:
        return None
    share = f"{signals.token_wait_share:.0%} of the busy time waits for the provider's tokens"
    reason = f"provider-bound: {share}; more workers cannot help" if after.on else f"no longer provider-bound: {share}"
    return Decision(signals.pool, ControlName.SCALE, str(signals.desired), reason, _inputs(signals))


def _inputs(signals: PoolSignals) -> dict[str, float]:
    numbers = {
        "desired": signals.desired,
        "arrivals_per_s": signals.arrivals_per_s,
        "backlog": signals.backlog,
        "busy_s_per_message": signals.busy_s_per_message or 0.0,
        "token_wait_share": signals.token_wait_share,
        "provider_per_s": signals.provider_per_s,
        "host_workers": signals.host_workers,
    }
    return {name: float(number) for name, number in numbers.items() if math.isfinite(number)}
