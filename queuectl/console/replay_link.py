"""The console's link on a recording: a clock of its own, that can be held, sped up and set, decides what is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from queuectl.model import (
    Action,
    AuditEntry,
    FleetState,
    JobDetail,
    JobView,
    Operation,
    Outcome,
    Preview,
    QueueSamples,
    RefusedError,
    ReplyHistory,
    Sample,
)
from queuectl.record.player import Recording

SPEEDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
SPARK_POINTS = 60
REFUSAL = "this is a recording"


class ReplayLink:
    """See `console.link.Link`. It never raises ServerError; every change is refused.

    `position_s` is the time shown, epoch seconds of the recorded server; it runs with the wall clock times `speed`
    from the recording's start to its end, and stops there.
    """

    daemon = "recording"

    def __init__(self, recording: Recording, monotonic: Callable[[], float]) -> None:
        self.recording = recording
        self.speed = 1.0
        self.playing = True
        self._monotonic = monotonic
        self._set_at_s = monotonic()
        self._set_to_s = recording.start_s

    @property
    def address(self) -> str:
        return f"recording://{self.recording.path.name}"

    # The time line.

    @property
    def position_s(self) -> float:
        run_s = (self._monotonic() - self._set_at_s) * self.speed if self.playing else 0.0
        return min(self._set_to_s + run_s, self.recording.end_s)

    @property
    def at_end(self) -> bool:
        return self.position_s >= self.recording.end_s

    def seek(self, position_s: float) -> None:
        """Show this time next; the ends of the recording bound it."""
        self._set_to_s = min(max(position_s, self.recording.start_s), self.recording.end_s)
        self._set_at_s = self._monotonic()

    def toggle_playing(self) -> None:
        """Hold or go on; at the end, begin anew."""
        restart = self.at_end
        self.seek(self.recording.start_s if restart else self.position_s)
        self.playing = restart or not self.playing

    def step(self, frames: int) -> None:
        """Hold, that many pictures further on, or back when negative."""
        position_s = self.recording.step(self.position_s, frames)
        self.playing = False
        self.seek(position_s)

    def skip(self, seconds: float) -> None:
        self.seek(self.position_s + seconds)

    def jump(self, direction: int) -> bool:
        """To the first picture after the next event, or after the one before (-1). False: there is none."""
        event_s = self._event(direction)
        if event_s is None:
            return False
        self.seek(self.recording.shows_from(event_s))
        return True

    def _event(self, direction: int) -> float | None:
        if direction > 0:
            return self.recording.event_after(self.position_s)
        return self.recording.event_until(self.recording.step(self.position_s, -1))

    def change_speed(self, direction: int) -> None:
        """The next faster (+1) or slower (-1) of SPEEDS."""
        self.seek(self.position_s)
        place = SPEEDS.index(self.speed) + direction
        self.speed = SPEEDS[min(max(place, 0), len(SPEEDS) - 1)]

    # The link.

    async def fleet(self) -> FleetState:
        shown = self.recording.frame_at(self.position_s)
        depths = self._depths(shown.taken_at_s)
        return replace(shown, queues=tuple(replace(queue, depth_history=depths.get(queue.name, ()))
                                           for queue in shown.queues))  # fmt: skip

    def _depths(self, at_s: float) -> dict[str, tuple[int, ...]]:
        depths: dict[str, list[int]] = {}
        for sample in self.recording.samples(at_s - SPARK_POINTS, at_s):
            for name, queue in sample.queues.items():
                depths.setdefault(name, []).append(queue.depth)
        return {name: tuple(found) for name, found in depths.items()}

    async def history(self, span_s: float) -> list[Sample]:
        now_s = self.position_s
        return self.recording.samples(now_s - span_s, now_s)

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        known = self.recording.events(0.0, self.position_s)
        return tuple(reversed(known))[:limit]

    async def operations(self) -> tuple[Operation, ...]:
        return ()

    async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:  # noqa: ARG002
        """A recording holds no jobs."""
        return []

    async def job(self, job_id: str, queue: str, state: str) -> JobDetail:  # noqa: ARG002
        _refuse()

    async def reveal(self, job_id: str, queue: str, state: str) -> str:  # noqa: ARG002
        _refuse()

    async def samples(self, queue: str) -> QueueSamples:  # noqa: ARG002
        """A recording holds no jobs."""
        return QueueSamples()

    async def replies(self, provider: str, span_s: float) -> ReplyHistory:  # noqa: ARG002
        """A recording holds no replies."""
        return ReplyHistory(self.position_s)

    async def preview(self, action: Action) -> Preview:  # noqa: ARG002
        _refuse()

    async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:  # noqa: ARG002
        _refuse()

    async def stop_operation(self, op_id: str) -> None:  # noqa: ARG002
        _refuse()

    async def close(self) -> None:
        self.recording.close()


def _refuse() -> NoReturn:
    raise RefusedError(REFUSAL)
