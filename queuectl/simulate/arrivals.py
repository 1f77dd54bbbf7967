"""Arrivals: a queue's phases and mix as whole messages a second, the same in every run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from queuectl.simulate.scenario import Load, Phase, Scenario


def rate_per_s(phases: Sequence[Phase], at_s: float) -> float:
    """The rate in force at a moment; 0 after the last phase."""
    ends = accumulate(phase.for_s or float("inf") for phase in phases)
    return next((phase.per_s for phase, end in zip(phases, ends, strict=True) if at_s < end), 0.0)


def end_of_spikes_s(scenario: Scenario) -> float | None:
    """When the last of the queues' busiest phases ends; None when every queue's lasts to the end."""
    ends = [end for end in (_busiest_end_s(load.phases) for load in scenario.queues.values()) if end < scenario.for_s]
    return max(ends, default=None)


def _busiest_end_s(phases: Sequence[Phase]) -> float:
    ends = list(accumulate(phase.for_s or float("inf") for phase in phases))
    return ends[max(range(len(phases)), key=lambda number: phases[number].per_s)]


class Arrivals:
    """A queue's arrivals, second by second: fractions of messages are kept until they make a whole one."""

    def __init__(self, load: Load) -> None:
        self._phases = load.phases
        self._edges = [*accumulate(band.share for band in load.mix)][:-1]
        self._due = 0.0
        self._given = 0
        self._bands = [0] * len(load.mix)

    def second(self, now_s: int) -> list[int]:
        """Messages of each band of the mix that arrive in [now, now + 1)."""
        self._due += rate_per_s(self._phases, now_s)
        self._given = int(self._due + 1e-6)
        upto = [int(self._given * edge + 1e-6) for edge in self._edges]
        bands = [high - low for low, high in zip([0, *upto], [*upto, self._given], strict=True)]
        new = [total - before for total, before in zip(bands, self._bands, strict=True)]
        self._bands = bands
        return new
