"""One tick of automation over all queues and pools: every policy in its order, overridden controls left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from queuectl.policy.decision import ControlName, Decision, Latch
from queuectl.policy.direction import direction
from queuectl.policy.pressure import Signals
from queuectl.policy.scaling import PoolSignals, ScalingState, scale
from queuectl.policy.shedding import refuse, shed
from queuectl.policy.surge_overflow import overflow, surge
from queuectl.policy.thresholds import QueueControls, ScalingThresholds

QueuePolicy = Callable[[Latch, Signals, QueueControls, float], tuple[Latch, Decision | None]]
PoolPolicy = Callable[[ScalingState, PoolSignals, ScalingThresholds, float], tuple[ScalingState, Decision | None]]
Latches = Mapping[ControlName, Latch]


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies in the order they are asked. One pool policy: two could not both set the number of workers."""

    queue: Mapping[ControlName, QueuePolicy]
    pool: PoolPolicy


POLICIES = Policies(
    queue={
        ControlName.SURGE: surge,
        ControlName.OVERFLOW: overflow,
        ControlName.REFUSE: refuse,
        ControlName.SHED: shed,
        ControlName.DIRECTION: direction,
    },
    pool=scale,
)


@dataclass(frozen=True, slots=True)
class QueueObservation:
    """A queue's signals, its settings, and the controls an operator holds at the moment."""

    signals: Signals
    controls: QueueControls = field(default_factory=QueueControls)
    overridden: frozenset[ControlName] = frozenset()


@dataclass(frozen=True, slots=True)
class PoolObservation:
    """A pool's signals, its thresholds, and whether automation may scale it."""

    signals: PoolSignals
    thresholds: ScalingThresholds = field(default_factory=ScalingThresholds)
    automatic: bool = True
    """False: an operator or the settings fix its number of workers."""


@dataclass(frozen=True, slots=True)
class Observations:
    queues: Sequence[QueueObservation] = ()
    pools: Sequence[PoolObservation] = ()


@dataclass(frozen=True, slots=True)
class States:
    """What automation remembers, by name of queue and pool. What was not observed is forgotten."""

    queues: Mapping[str, Latches] = field(default_factory=dict)
    pools: Mapping[str, ScalingState] = field(default_factory=dict)


def step(
    states: States, observations: Observations, policies: Policies, now_s: float
) -> tuple[States, tuple[Decision, ...]]:
    """Carry every state over one tick; the decisions are the transitions, in order of queues, pools and policies."""
    decisions: list[Decision] = []
    queues = {}
    for seen in observations.queues:
        latches = states.queues.get(seen.signals.queue, {})
        queues[seen.signals.queue] = dict(_queue_step(latches, seen, policies.queue, now_s, decisions))
    pools = {}
    for pool in observations.pools:
        before = states.pools.get(pool.signals.pool, ScalingState())
        pools[pool.signals.pool] = _pool_step(before, pool, policies.pool, now_s, decisions)
    return States(queues, pools), tuple(decisions)


def _queue_step(
    latches: Latches, seen: QueueObservation, policies: Mapping[ControlName, QueuePolicy], now_s: float,
    decisions: list[Decision],
) -> Iterator[tuple[ControlName, Latch]]:  # fmt: skip
    for name, policy in policies.items():
        latch = latches.get(name, Latch())
        if name in seen.overridden:
            yield name, latch.rested()
            continue
        after, decision = policy(latch, seen.signals, seen.controls, now_s)
        if decision:
            decisions.append(decision)
        yield name, after


def _pool_step(
    state: ScalingState, seen: PoolObservation, policy: PoolPolicy, now_s: float, decisions: list[Decision]
) -> ScalingState:
    if not seen.automatic:
        return ScalingState()
    after, decision = policy(state, seen.signals, seen.thresholds, now_s)
    if decision:
        decisions.append(decision)
    return after
