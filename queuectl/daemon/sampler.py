"""Makes the sample of a picture, with this process's own rates, and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from queuectl.model import FleetState, Sample
from queuectl.policy import history
from queuectl.policy.rates import Rates
from queuectl.store import series
from queuectl.store.client import Steps

COARSE_S = 10


def sample_of(fleet: FleetState, rates: Mapping[str, Rates]) -> Sample:
    """`rates` replace the picture's, which are the leader's last published ones where there are any."""
    queues = tuple(series.with_rates(queue, rates.get(queue.name, Rates())) for queue in fleet.queues)
    return history.sample_of(replace(fleet, queues=queues))


def line_of(sample: Sample) -> str:
    """One line of JSON: {"at_s": …, "queues": {name: [fields of QueueSample]}, "pools": …, "providers": …}."""
    names = ("at_s", "queues", "pools", "providers")
    return json.dumps(dict(zip(names, series.tree_of(sample), strict=True)), separators=(",", ":"))


class Sampler:
    """Writes one sample a second, and every ten seconds of server time into the coarse series too."""

    def __init__(self) -> None:
        self._written_at_s = 0.0

    def write(self, fleet: FleetState, rates: Mapping[str, Rates], *, fence: str) -> Steps[None]:
        """Raises LeaseLostError when another daemon leads."""
        at_s = fleet.taken_at_s
        coarse = at_s // COARSE_S != self._written_at_s // COARSE_S
        yield from series.write(sample_of(fleet, rates), rates, fence=fence, coarse=coarse)
        self._written_at_s = at_s
