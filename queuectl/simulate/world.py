"""The simulated deployment: one tick a second of arrivals, tiers, workers and the controller."""

from __future__ import annotations

import math
from collections.abc import Mapping

from queuectl.policy.controller import POLICIES, Observations, PoolObservation, QueueObservation, States, step
from queuectl.policy.decision import ControlName, Decision
from queuectl.policy.forecast import HOT_BYTES, PACKED_BYTES
from queuectl.policy.pressure import Signals, pressure
from queuectl.policy.rates import Counters, Rates, update
from queuectl.policy.scaling import PoolSignals
from queuectl.policy.shedding import cutoff, sheds
from queuectl.policy.surge_overflow import Marks, arrivals_to, marks, refill_per_s
from queuectl.simulate.arrivals import Arrivals
from queuectl.simulate.line import Line
from queuectl.simulate.providers import Providers
from queuectl.simulate.scenario import Scenario
from queuectl.simulate.staff import Staff


class Queue:
    """One queue with what its automation sees and last decided."""

    def __init__(self, name: str, scenario: Scenario) -> None:
        self.name = name
        self.load = scenario.queues[name]
        self.controls = scenario.queue_controls(name)
        self.line = Line()
        self.rates = Rates()
        self.signals = Signals(name)
        self.on: frozenset[ControlName] = frozenset()
        self._arrivals = Arrivals(self.load)
        self._bands: list[int] = []
        self._counters = self._count(0.0)
        self._refill_due = 0.0

    @property
    def lifo(self) -> bool:
        return ControlName.DIRECTION in self.on

    def arrive(self, now_s: int) -> int:
        """Draw this second's arrivals; how many there are."""
        self._bands = self._arrivals.second(now_s)
        return sum(self._bands)

    def admit(self, now_s: int, room_share: float) -> None:
        """The second's arrivals: refused, shed by the curve, or into the tier that stands open. The server's memory
        has room for `room_share` of them."""
        tally, tier = self.line.tally, self._open_tier()
        limit = cutoff(self._pressure(), self.controls.shedding) if ControlName.SHED in self.on else math.inf
        accepted = 0
        for band, count in zip(self.load.mix, self._bands, strict=True):
            fits = 0 if ControlName.REFUSE in self.on else int(count * room_share)
            tally.arrived += count
            tally.refused += count - fits
            if sheds(band.priority, band.campaign, limit, protected=self.controls.policy.protected):
                tally.shed_curve += fits
            else:
                accepted += fits
        self.line.add(now_s, accepted, tier)

    def move(self, now_s: int) -> None:
        """Stale messages out; between the tiers what the policies say, in the order of the daemon's second."""
        line, limits = self.line, self.controls.tiers
        if ControlName.SHED in self.on:
            line.expire(now_s, self.controls.policy.max_age_s, lifo=self.lifo)
        overflowing = ControlName.OVERFLOW in self.on
        wanted = marks(self.signals, limits, overflowing=overflowing)
        if ControlName.SURGE in self.on:
            line.shift("primary", "surge", line.primary - (wanted.primary_most if self.lifo else wanted.refill_most))
        if line.surge or line.overflow:
            self._refill(wanted)
            line.shift("overflow", "surge", wanted.surge_least - line.surge)
        if wanted.surge_most is not None:
            line.shift("surge", "overflow", line.surge - wanted.surge_most)

    def _refill(self, wanted: Marks) -> None:
        line = self.line
        due = self._refill_due + refill_per_s(self.signals, self.controls.tiers)
        room = wanted.primary_most if self.signals.diverted else wanted.refill_most
        granted = max(0, min(int(due), room - line.primary))
        line.shift("surge", "primary", granted)
        self._refill_due = min(due - granted, 1.0)

    def observe(self, now_s: int, memory_share: float, overflow_share: float, token_wait_share: float) -> None:
        """Take the signals at the end of a second."""
        line, after = self.line, self._count(now_s + 1.0)
        self.rates, self._counters = update(self.rates, self._counters, after), after
        self.signals = Signals(
            self.name, line.primary, line.surge, line.overflow, line.oldest_s(now_s), self.rates.in_per_s or 0.0,
            self.rates.out_per_s or 0.0, self.rates.service_per_s, memory_share, overflow_share, token_wait_share,
            diverted=not self.lifo and line.surge + line.overflow > 0,
        )  # fmt: skip

    def _count(self, at_s: float) -> Counters:
        line, tally = self.line, self.line.tally
        return Counters(
            at_s=at_s,
            depth=line.primary,
            living=line.waiting,
            arrived=tally.accepted,
            left=tally.delivered,
            stock_done=0.0,
            counted=True,
        )

    def _pressure(self) -> float:
        return pressure(self.signals, self.controls.policy, self.controls.wall.enter_memory_share)

    def _open_tier(self) -> str:
        """Newest first needs the primary."""
        if self.lifo:
            return "primary"
        surging, overflowing = ControlName.SURGE in self.on, ControlName.OVERFLOW in self.on
        tier = arrivals_to(surging=surging, overflowing=overflowing, surge=self.line.surge, packed=self.line.overflow)
        return tier or "primary"


class World:
    """All of it. `now_s` is the second that the next tick simulates."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.now_s = 0
        self.queues = {name: Queue(name, scenario) for name in scenario.queues}
        self.lines: Mapping[str, Line] = {name: queue.line for name, queue in self.queues.items()}
        self.pools = {name: Staff(pool, scenario) for name, pool in scenario.pools.items()}
        self._states = States()
        self._scaling = scenario.scaling()
        self._providers = Providers(scenario.providers)
        self._staff_of = {name: staff for staff in self.pools.values() for name in staff.pool.queues}

    @property
    def bytes(self) -> int:
        """Memory of everything that waits or is shed."""
        return sum(line.bytes for line in self.lines.values())

    def tick(self) -> tuple[Decision, ...]:
        """Simulate one second; the transitions at its end."""
        now_s = self.now_s
        arrived = sum(queue.arrive(now_s) for queue in self.queues.values())
        room_share = self._room_share(arrived)
        for queue in self.queues.values():
            queue.admit(now_s, room_share)
            queue.move(now_s)
        self._deliver(now_s)
        decisions = self._control(now_s)
        self.now_s += 1
        return decisions

    def _room_share(self, arrived: int) -> float:
        """The part of so many arrivals that the server's memory still takes, whatever their queue."""
        limit = self.scenario.memory_max_bytes
        if not limit or not arrived:
            return 1.0
        return min(1.0, max(0.0, limit - self.bytes) / (HOT_BYTES * arrived))

    def _deliver(self, now_s: int) -> None:
        newest = {name for name, queue in self.queues.items() if queue.lifo}
        for staff in self.pools.values():
            staff.arrive(now_s)
            staff.fill(self.lines)
        granted = self._providers.grant(staff.demand(self.lines) for staff in self.pools.values())
        for staff, tokens in zip(self.pools.values(), granted, strict=True):
            staff.work(self.lines, tokens, newest, now_s)
            self._providers.give_back(tokens)

    def _control(self, now_s: int) -> tuple[Decision, ...]:
        memory, overflow = self._shares()
        for name, queue in self.queues.items():
            queue.observe(now_s, memory, overflow, self._staff_of[name].token_wait_share)
        observations = Observations(
            [QueueObservation(queue.signals, queue.controls) for queue in self.queues.values()],
            [self._pool_observation(name) for name in self.pools],
        )
        self._states, decisions = step(self._states, observations, POLICIES, now_s + 1.0)
        for name, queue in self.queues.items():
            queue.on = frozenset(control for control, latch in self._states.queues[name].items() if latch.on)
        for decision in decisions:
            if decision.action is ControlName.SCALE:
                self.pools[decision.scope].ask(int(decision.value), now_s + 1)
        return decisions

    def _shares(self) -> tuple[float, float]:
        """Memory and overflow over their limits; 0 without one."""
        memory_max, overflow_max = self.scenario.memory_max_bytes, self.scenario.overflow_max_bytes
        packed = PACKED_BYTES * sum(line.overflow for line in self.lines.values())
        return (self.bytes / memory_max if memory_max else 0.0, packed / overflow_max if overflow_max else 0.0)

    def _pool_observation(self, name: str) -> PoolObservation:
        staff = self.pools[name]
        queues = [self.queues[queue] for queue in staff.pool.queues]
        rates = [(queue.rates.out_per_s or 0.0, staff.busy_s[queue.name]) for queue in queues]
        out = sum(rate for rate, _ in rates)
        providers = {queue.load.provider for queue in queues}
        limits = [self.scenario.providers[each].per_s if each else math.inf for each in providers]
        signals = PoolSignals(
            name, staff.desired, staff.pool.concurrency, sum(queue.signals.arrivals_per_s for queue in queues),
            sum(queue.line.waiting for queue in queues),
            sum(rate * busy_s for rate, busy_s in rates) / out if out else None,
            staff.token_wait_share, sum(limits), host_workers=staff.pool.capacity_workers,
        )  # fmt: skip
        return PoolObservation(signals, self._scaling, automatic=self.scenario.controls.scale == "auto")
