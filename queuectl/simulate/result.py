"""What a simulation comes to: figures a queue, transitions, and the backlog over time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from queuectl.policy.decision import Decision
from queuectl.simulate.arrivals import end_of_spikes_s, rate_per_s
from queuectl.simulate.scenario import Scenario
from queuectl.simulate.world import Queue, World

PLOT_POINTS = 600


@dataclass(frozen=True, slots=True)
class QueueResult:
    """One queue. Shares are of what arrived; waits are of what was delivered, in whole seconds, None without any."""

    name: str
    target_wait_s: float
    max_age_s: float
    arrived: int
    delivered: int
    shed_curve: int
    shed_stale: int
    refused: int
    waiting: int
    """Left at the end."""
    on_time: float
    """Share delivered within the target wait."""
    in_age: float
    """Share delivered within the max age."""
    wait_p50_s: int | None
    wait_p95_s: int | None
    wait_p99_s: int | None
    peak_depth: int
    peak_bytes: int
    clear_s: float | None
    """From the end of the spike until no more waits than arrives in a second; `inf`: not within the time; None: there
    is no spike."""

    @property
    def shed(self) -> int:
        return self.shed_curve + self.shed_stale


@dataclass(frozen=True, slots=True)
class Moment:
    """All queues at one second, by tier; `shed` counts up."""

    at_s: int
    primary: int
    surge: int
    overflow: int
    shed: int


@dataclass(frozen=True, slots=True)
class Transition:
    """A decision with the simulated second at which it was taken."""

    at_s: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class Result:
    """A whole simulation."""

    summary: str
    for_s: int
    queues: tuple[QueueResult, ...]
    peak_bytes: int
    transitions: tuple[Transition, ...]
    history: tuple[Moment, ...]

    def queue(self, name: str) -> QueueResult:
        return next(queue for queue in self.queues if queue.name == name)


class Recorder:
    """Peaks and ends of one queue, second by second."""

    def __init__(self, queue: Queue, spike_end_s: float | None) -> None:
        self._queue = queue
        self._spike_end_s = spike_end_s
        self._peak_depth = self._peak_bytes = 0
        self._clear_s = None if spike_end_s is None else math.inf

    def look(self, now_s: int) -> None:
        """Take note of the state at the end of a second."""
        line = self._queue.line
        self._peak_depth = max(self._peak_depth, line.waiting)
        self._peak_bytes = max(self._peak_bytes, line.bytes)
        if self._spike_end_s is None or now_s < self._spike_end_s or self._clear_s != math.inf:
            return
        if line.waiting <= max(1.0, rate_per_s(self._queue.load.phases, now_s)):
            self._clear_s = now_s - self._spike_end_s

    def result(self) -> QueueResult:
        queue, tally = self._queue, self._queue.line.tally
        load = queue.load
        return QueueResult(
            queue.name, load.target_wait_s, load.max_age_s, tally.arrived, tally.delivered, tally.shed_curve,
            tally.shed_stale, tally.refused, queue.line.waiting, within(tally.waits, load.target_wait_s, tally.arrived),
            within(tally.waits, load.max_age_s, tally.arrived), quantile(tally.waits, 0.5), quantile(tally.waits, 0.95),
            quantile(tally.waits, 0.99), self._peak_depth, self._peak_bytes, self._clear_s,
        )  # fmt: skip


def simulate(scenario: Scenario) -> Result:
    """Run a scenario to its end. The same scenario always comes to the same result."""
    world = World(scenario)
    spike_end_s = end_of_spikes_s(scenario)
    recorders = [Recorder(queue, spike_end_s) for queue in world.queues.values()]
    transitions: list[Transition] = []
    history = []
    every_s = max(1, scenario.for_s // PLOT_POINTS)
    peak_bytes = 0
    for now_s in range(scenario.for_s):
        transitions.extend(Transition(now_s, decision) for decision in world.tick())
        for recorder in recorders:
            recorder.look(now_s)
        peak_bytes = max(peak_bytes, world.bytes)
        if now_s % every_s == 0:
            history.append(_moment(world, now_s))
    queues = tuple(recorder.result() for recorder in recorders)
    return Result(scenario.summary, scenario.for_s, queues, peak_bytes, tuple(transitions), tuple(history))


def within(waits: Mapping[int, int], limit_s: float, arrived: int) -> float:
    """The share of what arrived that was delivered within a wait; 1 when nothing arrived."""
    return sum(count for wait_s, count in waits.items() if wait_s <= limit_s) / arrived if arrived else 1.0


def quantile(waits: Mapping[int, int], share: float) -> int | None:
    """The wait (s) that a share of the messages did not exceed."""
    needed, seen = share * sum(waits.values()), 0
    for wait_s in sorted(waits):
        seen += waits[wait_s]
        if seen >= needed:
            return wait_s
    return None


def _moment(world: World, now_s: int) -> Moment:
    lines = world.lines.values()
    return Moment(
        now_s,
        sum(line.primary for line in lines),
        sum(line.surge for line in lines),
        sum(line.overflow for line in lines),
        sum(line.tally.shed for line in lines),
    )
