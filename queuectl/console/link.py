"""Everything the console needs from the world. It never talks to Redis itself and decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

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
    ReplyHistory,
    Sample,
)


class Link(Protocol):
    """One deployment, as the console reads and steers it.

    Every method raises ServerError while the server is away; each answers or fails within the settings' time-out.
    """

    @property
    def address(self) -> str:
        """The server's address with the password masked."""

    @property
    def daemon(self) -> str:
        """`child` (this console started one), `remote`, `observing` (nothing is written), or `none`."""

    async def fleet(self) -> FleetState:
        """One consistent picture, in one round trip."""

    async def history(self, span_s: float) -> Sequence[Sample]:
        """Samples of the last `span_s` seconds, oldest first; empty where nobody sampled."""

    async def preview(self, action: Action) -> Preview:
        """What the action would do, counted now; changes nothing."""

    async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
        """Carry out what was shown. RefusedError says why not, or what changed since."""

    async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
        """A page of jobs; for `queued`, offset 0 is the job claimed next, whatever the direction."""

    async def job(self, job_id: str, queue: str, state: str) -> JobDetail:
        """Everything about one job, as `jobs` listed it. UsageError when there is no such job any more."""

    async def reveal(self, job_id: str, queue: str, state: str) -> str:
        """A mail's address, unmasked; the audit log names who looked. RefusedError; UsageError: there is none."""

    async def samples(self, queue: str) -> QueueSamples:
        """A look into a queue's jobs: some that wait, and why others failed."""

    async def replies(self, provider: str, span_s: float) -> ReplyHistory:
        """How tries through a provider ended in the last `span_s` seconds, a number a minute."""

    async def operations(self) -> tuple[Operation, ...]:
        """Drains and refills under way."""

    async def stop_operation(self, op_id: str) -> None:
        """Stop one; what it moved stays moved. RefusedError when it may not be stopped."""

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        """Newest first."""

    async def close(self) -> None:
        """Let go of connections, and of the daemon if this console started it."""
