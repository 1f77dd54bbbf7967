"""The controller, live: one step a second over the picture, its decisions written with their reasons.

Redis holds the truth: which controls are on is read back from the picture, so a leader that dies between two writes,
or an operator between two seconds, leaves nothing that the next second does not see.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from queuectl.daemon.observations import halted, load_of, observe
from queuectl.model import Control, Direction, FleetState, QueueState, Switch
from queuectl.policy.controller import POLICIES, Latches, Observations, QueueObservation, States, step
from queuectl.policy.decision import ControlName, Decision, Latch
from queuectl.policy.pressure import pressure
from queuectl.policy.shedding import cutoff
from queuectl.policy.surge_overflow import arrivals_to, marks
from queuectl.settings import Settings
from queuectl.store import automatic, surge
from queuectl.store.automatic import Limit, Load, Memory
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.daemon")


class Automation:
    """The leader's automation. Made anew with each leadership, it goes on from what the last leader remembered."""

    def __init__(self, store: AsyncStore, fence: str) -> None:
        self._run = store.run
        self._fence = fence
        self._memory: Memory | None = None
        self._text = ""
        self._limited: frozenset[str] = frozenset()

    async def step(self, fleet: FleetState, settings: Settings) -> None:
        """One second. Raises LeaseLostError when another daemon leads."""
        if self._memory is None:
            self._memory = await self._run(automatic.recall())
        loads = {
            pool.name: load_of(pool, fleet, self._memory.loads.get(pool.name, Load()))
            for pool in fleet.pools
            if pool.scaling
        }
        before = agreeing(self._memory.states, fleet)
        observations = observe(fleet, settings, loads)
        after, decisions = step(before, observations, POLICIES, fleet.taken_at_s)
        for decision in decisions:
            if not await self._carry_out(decision, fleet):
                after = _taken_back(after, before, decision)
            elif decision.action is ControlName.SURGE and decision.value == Switch.ON:
                await self._begin_surge(decision.scope, observations, fleet)
        self._memory = Memory(after, loads)
        await self._keep(self._memory, list(limits(after, observations, fleet, settings)))

    async def _carry_out(self, decision: Decision, fleet: FleetState) -> int:
        queue, pool = fleet.queue(decision.scope), fleet.pool(decision.scope)
        version = str(queue.version) if queue and decision.action is not ControlName.SCALE else ""
        number = await self._run(
            automatic.decide(
                decision,
                before=str(pool.desired) if pool and decision.action is ControlName.SCALE else _before(queue, decision),
                version=version,
                fence=self._fence,
            )
        )
        if number:
            LOG.info("%s of %s: %s, %s", automatic.VERBS[decision.action], decision.scope, decision.value,
                     decision.reason)  # fmt: skip
        return number

    async def _begin_surge(self, name: str, observations: Observations, fleet: FleetState) -> None:
        """What waits already goes to surge before any arrival does: it is older."""
        seen = zip(observations.queues, fleet.queues, strict=True)
        signals, limits, queue = next(
            (one.signals, one.controls.tiers, queue) for one, queue in seen if queue.name == name
        )
        if queue.direction.value != Direction.LIFO:
            await self._run(surge.sweep(queue, marks(signals, limits).refill_most, fence=self._fence))

    async def _keep(self, memory: Memory, wanted: list[Limit]) -> None:
        """Renew the limits in force, lift those that were, and store the memory where it has changed."""
        text = automatic.encode(memory)
        names = frozenset(limit.queue for limit in wanted)
        lifted = [Limit(name) for name in sorted(self._limited - names)]
        if text != self._text or wanted or lifted:
            await self._run(automatic.remember(text, [*wanted, *lifted], fence=self._fence))
        self._text, self._limited = text, names


def agreeing(states: States, fleet: FleetState) -> States:
    """The states with every switch as Redis has it; what is not automation's is forgotten."""
    queues: dict[str, Latches] = {}
    for queue in fleet.queues:
        latches = states.queues.get(queue.name, {})
        queues[queue.name] = {
            **latches,
            **{name: _as_stored(latches.get(name, Latch()), control) if allowed else Latch()
               for name, (control, allowed) in _switches(queue).items()},
        }  # fmt: skip
    return States(queues, states.pools)


def _switches(queue: QueueState) -> Mapping[ControlName, tuple[Control, bool]]:
    """What automation switches, with whether it may."""
    policy = queue.policy
    return {
        ControlName.SURGE: (queue.surging, policy.surge),
        ControlName.OVERFLOW: (queue.overflowing, policy.overflow),
        ControlName.SHED: (queue.shed, policy.shed_auto),
        ControlName.DIRECTION: (queue.direction, policy.direction_auto),
    }


def _as_stored(latch: Latch, control: Control) -> Latch:
    on = control.value in (Switch.ON, Direction.LIFO)
    if control.overridden or latch.on is on:
        return latch
    return Latch(on, -math.inf if control.since_s is None else control.since_s)


def _before(queue: QueueState | None, decision: Decision) -> str:
    """The value that a switch had."""
    if queue is None or decision.action is ControlName.REFUSE:
        return ""
    return _switches(queue)[decision.action][0].value


def _taken_back(after: States, before: States, decision: Decision) -> States:
    """The states without a transition that could not be written: it is decided anew on the next picture."""
    latches = {
        **after.queues[decision.scope],
        decision.action: before.queues[decision.scope].get(decision.action, Latch()),
    }
    return replace(after, queues={**after.queues, decision.scope: latches})


def limits(states: States, observations: Observations, fleet: FleetState, settings: Settings) -> Iterator[Limit]:
    """What admission shall apply now, of every queue that has a limit."""
    for seen, queue in zip(observations.queues, fleet.queues, strict=True):
        latches = states.queues[queue.name]
        shedding = latches[ControlName.SHED].on and queue.policy.shed_auto and not halted(queue, fleet, settings)
        cutoff_now = _cutoff(seen) if shedding else None
        limit = Limit(queue.name, cutoff_now, latches[ControlName.REFUSE].on, _divert(latches, queue))
        if limit != Limit(queue.name):
            yield limit


def _divert(latches: Latches, queue: QueueState) -> str:
    """Where arrivals of a FIFO queue go; while surge holds something, admission goes there by itself."""
    surging, overflowing = latches[ControlName.SURGE].on, latches[ControlName.OVERFLOW].on
    return arrivals_to(surging=surging, overflowing=overflowing, packed=queue.returning)


def _cutoff(seen: QueueObservation) -> float:
    controls = seen.controls
    return cutoff(pressure(seen.signals, controls.policy, controls.wall.enter_memory_share), controls.shedding)
