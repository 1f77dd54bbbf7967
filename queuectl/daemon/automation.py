"""The controller, live: one step a second over the picture, its decisions written with their reasons.

Redis holds the truth: which controls are on is read back from the picture, so a leader that dies between two writes,
or an operator between two seconds, leaves nothing that the next second does not see.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import replace

from queuectl.daemon.observations import halted, load_of, observe
from queuectl.model import Direction, FleetState, QueueState, Switch
from queuectl.policy.controller import POLICIES, Latches, Observations, Policies, QueueObservation, States, step
from queuectl.policy.decision import ControlName, Decision, Latch
from queuectl.policy.pressure import pressure
from queuectl.policy.shedding import cutoff
from queuectl.settings import Settings
from queuectl.store import automatic
from queuectl.store.automatic import Limit, Load, Memory
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.daemon")
LIVE = Policies(
    {name: POLICIES.queue[name] for name in (ControlName.REFUSE, ControlName.SHED, ControlName.DIRECTION)},
    POLICIES.pool,
)
"""What the leader decides by itself; draining to overflow and refilling are an operator's."""


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
        after, decisions = step(before, observations, LIVE, fleet.taken_at_s)
        for decision in decisions:
            if not await self._carry_out(decision, fleet):
                after = _taken_back(after, before, decision)
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
        shed, direction = (latches.get(name, Latch()) for name in (ControlName.SHED, ControlName.DIRECTION))
        if not queue.shed.overridden:
            shed = _as_stored(shed, queue.shed.value == Switch.ON, queue.shed.since_s)
        if not queue.direction.overridden:
            direction = _as_stored(direction, queue.direction.value == Direction.LIFO, queue.direction.since_s)
        queues[queue.name] = {
            **latches,
            ControlName.SHED: shed if queue.policy.shed_auto else Latch(),
            ControlName.DIRECTION: direction if queue.policy.direction_auto else Latch(),
        }
    return States(queues, states.pools)


def _as_stored(latch: Latch, on: bool, since_s: float | None) -> Latch:
    return latch if latch.on is on else Latch(on, -math.inf if since_s is None else since_s)


def _before(queue: QueueState | None, decision: Decision) -> str:
    """The value that a switch had."""
    if queue is None or decision.action is ControlName.REFUSE:
        return ""
    return queue.shed.value if decision.action is ControlName.SHED else queue.direction.value


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
        limit = Limit(queue.name, _cutoff(seen) if shedding else None, latches[ControlName.REFUSE].on)
        if limit != Limit(queue.name):
            yield limit


def _cutoff(seen: QueueObservation) -> float:
    controls = seen.controls
    return cutoff(pressure(seen.signals, controls.policy, controls.wall.enter_memory_share), controls.shedding)
