"""What a screen is painted from: the newest state of the fleet, its history, and how fresh both are."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.model import AuditEntry, FleetState, Operation, Sample


@dataclass(frozen=True, slots=True)
class Picture:
    """One moment as the console knows it. Ages in seconds on the console's own clock."""

    fleet: FleetState | None = None
    """None until the first answer."""
    samples: tuple[Sample, ...] = ()
    """Oldest first."""
    operations: tuple[Operation, ...] = ()
    failure: str = ""
    """Why the last poll failed; empty: it did not."""
    age_s: float = 0.0
    """Since the server last answered."""
    interval_s: float | None = 1.0
    """Refresh interval; None: off."""
    frozen: bool = False
    lagging: bool = False
    """The terminal takes output too slowly; pictures are being left out."""
    span_s: float = 900.0
    """What the plots show at most."""
    events: tuple[AuditEntry, ...] = ()
    """What happened in that time, newest first, as far as it is known."""
    history: int = 0
    """Grows when the samples were read anew, so that plots are redrawn at once."""

    @property
    def stale(self) -> bool:
        """Too old to be taken for the present: painted dimmed, with its age."""
        return bool(self.failure) or (
            not self.frozen and self.interval_s is not None and self.age_s > self.interval_s + 3
        )

    def operations_on(self, queue: str) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.operations if operation.queue == queue)
