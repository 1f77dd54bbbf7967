"""What a screen is painted from: the newest state of the fleet, its history, and how fresh both are."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.model import FleetState, Operation, QueueSample, QueueState, Sample


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

    @property
    def stale(self) -> bool:
        """Too old to be taken for the present: painted dimmed, with its age."""
        return bool(self.failure) or (
            not self.frozen and self.interval_s is not None and self.age_s > self.interval_s + 3
        )

    def operations_on(self, queue: str) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.operations if operation.queue == queue)


def sample_of(fleet: FleetState) -> Sample:
    """The sample that this picture adds to the history."""
    return Sample(fleet.taken_at_s, {queue.name: _queue_sample(queue) for queue in fleet.queues})


def _queue_sample(queue: QueueState) -> QueueSample:
    return QueueSample(queue.depth, queue.backlog, queue.in_flight, queue.in_per_s, queue.out_per_s, queue.oldest_s,
                       queue.wait_p95_s, queue.failed)  # fmt: skip
