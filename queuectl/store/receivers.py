"""What receiving domains take, shared by all workers: asked once the recipients of a claim are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from queuectl.settings.limits import ReceiverSettings
from queuectl.store.client import Argument, Steps, ask, script
from queuectl.store.scripts import load

GRANT = load("grant_receivers")
LONGEST_S = 3600.0
"""Nothing is sent back for longer: by then rates and backlog are others."""


@dataclass(frozen=True, slots=True)
class Grant:
    """So many messages may go now; the others come back after `first_s`, one every `step_s`."""

    granted: int
    first_s: float
    step_s: float

    def delay_s(self, number: int) -> float:
        """Of the `number`-th message that asked, from 0; 0.0: it may go now."""
        return 0.0 if number < self.granted else self.first_s + (number - self.granted) * self.step_s


def grant(receivers: Mapping[str, ReceiverSettings], wanted: Sequence[tuple[str, int]]) -> Steps[dict[str, Grant]]:
    """`wanted`: receiver and number of messages for it; one call, however many domains the messages go to."""
    arguments: list[Argument] = [LONGEST_S]
    for name, number in wanted:
        arguments += (name, receivers[name].rate_per_s, receivers[name].burst, number)
    rows = yield from ask(script(GRANT, (), arguments))
    return {name: Grant(int(row[0]), float(row[1]), float(row[2])) for (name, _), row in zip(wanted, rows, strict=True)}
