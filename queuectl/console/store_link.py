"""The console's link on a real deployment: the store, and a daemon of its own where nobody else leads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from queuectl.console.child import DaemonChild
from queuectl.console.rendering import rendered_text
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
    Tier,
)
from queuectl.policy.history import WHOLE_SPAN_S
from queuectl.settings import Settings, mask_url
from queuectl.store import admission, audit, identity, jobs, operations, reply_counts, samples, series
from queuectl.store.client import AsyncStore
from queuectl.store.connect import open_async_store
from queuectl.store.gate import Gate, operator_name
from queuectl.store.reader import Reader

SPARK_POINTS = 60
TRIPS = 3
"""The quickest of so many pictures tells how slow the server is: a single slow one is no news."""
LEADERLESS_PICTURES = 8
"""Pictures in a row without a leader before this console starts a daemon: a failover takes a few seconds."""


class StoreLink:
    """See `console.link.Link`. Connects on first use, so that a console can start while the server is away."""

    def __init__(self, url: str, settings: Settings, environ: Mapping[str, str]) -> None:
        self.address = mask_url(url)
        self._url = url
        self._settings = settings
        self._gate = Gate(settings, operator_name(environ))
        self._reader = Reader(settings, address=self.address)
        self._child = DaemonChild(url, environ)
        self._opened: AsyncStore | None = None
        self._last: FleetState | None = None
        self._leaderless = 0
        self._trips_s: deque[float] = deque(maxlen=TRIPS)
        self._depths: dict[str, deque[int]] = {}

    @property
    def daemon(self) -> str:
        if self._child.alive:
            return "observing" if self._child.observing else "child"
        return "remote" if self._last and self._last.leader else "none"

    async def fleet(self) -> FleetState:
        store = await self._store()
        first, asked_s = self._last is None, time.monotonic()
        fleet = await store.run(self._reader.fleet())
        self._trips_s.append(time.monotonic() - asked_s)
        server = replace(fleet.server, round_trip_s=min(self._trips_s), clock_ahead_s=time.time() - fleet.taken_at_s)
        self._last = replace(fleet, server=server)
        self._see_to_a_daemon(self._last, first=first)
        if self._child.observing:
            self._child.listen()
        return replace(self._last, queues=tuple(replace(q, depth_history=self._depth(q.name, q.depth))
                                                for q in self._last.queues))  # fmt: skip

    def _see_to_a_daemon(self, fleet: FleetState, *, first: bool) -> None:
        """Start a child where nobody leads: at once when attaching, later only when no standby took over. An observing
        one leaves when somebody leads, and leads itself when whoever did is gone."""
        self._leaderless = 0 if fleet.leader else self._leaderless + 1
        patient = self._leaderless >= LEADERLESS_PICTURES
        may_lead = fleet.managed and not self._settings.environment.read_only
        if self._child.observing and fleet.leader:
            self._child.leave()
        elif self._child.observing and patient and may_lead:
            self._child.lead()
        elif not self._child.alive and (patient or (first and not fleet.leader)):
            self._leaderless = 0
            self._child.start(observing=not may_lead)

    def _depth(self, queue: str, depth: int) -> tuple[int, ...]:
        seen = self._depths.setdefault(queue, deque(maxlen=SPARK_POINTS))
        seen.append(depth)
        return tuple(seen)

    async def history(self, span_s: float) -> Sequence[Sample]:
        store = await self._store()
        samples: Sequence[Sample] = self._child.samples() or await store.run(series.history(span_s))
        if span_s <= WHOLE_SPAN_S:
            self._depths.clear()
            for sample in samples[-SPARK_POINTS:]:
                for queue, found in sample.queues.items():
                    self._depth(queue, found.depth)
        return samples

    async def preview(self, action: Action) -> Preview:
        """With the identity of the server that it was counted on."""
        store = await self._store()
        server = await store.run(identity.run_id())
        return replace(await store.run(self._gate.preview(action)), server=server)

    async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
        """The first confirmed action on a deployment we only observed makes our child its daemon."""
        store = await self._store()
        if await store.run(identity.run_id()) != preview.server:
            raise RefusedError("another server answers here than the one that was shown (restart or failover)")
        outcome = await store.run(self._gate.commit(preview, reason=reason, typed=typed))
        if self._child.observing:
            self._child.lead()
        return outcome

    async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
        found = self._last.queue(queue) if self._last else None
        newest_first = found is not None and found.direction.value == "lifo" and not found.stock_workers
        return await (await self._store()).run(jobs.page(queue, state, offset, limit, newest_first=newest_first))

    async def job(self, job_id: str, queue: str, state: str) -> JobDetail:
        tier = Tier(state) if state in set(Tier) else None
        store = await self._store()
        found = await store.run(jobs.detail(job_id, queue=queue, tier=tier))
        message = None if found.text else await store.run(jobs.message(job_id, queue=queue, tier=tier))
        if not message or not message.get("template"):
            return found
        blob = await store.run(admission.get_template(str(message["template"])))
        return replace(found, text=rendered_text(message, blob)) if blob else found

    async def reveal(self, job_id: str, queue: str, state: str) -> str:
        tier = Tier(state) if state in set(Tier) else None
        return await (await self._store()).run(self._gate.reveal(job_id, queue=queue, tier=tier))

    async def samples(self, queue: str) -> QueueSamples:
        return await (await self._store()).run(samples.of_queue(queue))

    async def replies(self, provider: str, span_s: float) -> ReplyHistory:
        return await (await self._store()).run(reply_counts.replies(provider, span_s))

    async def operations(self) -> tuple[Operation, ...]:
        return await (await self._store()).run(operations.running())

    async def stop_operation(self, op_id: str) -> None:
        await (await self._store()).run(self._gate.stop_operation(op_id))

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        return await (await self._store()).run(audit.recent(limit))

    async def close(self) -> None:
        self._child.leave()
        if self._opened:
            await self._opened.close()

    async def _store(self) -> AsyncStore:
        if self._opened is None:
            server = self._settings.server
            self._opened = await open_async_store(
                self._url, timeout_s=server.timeout_s, check=False, overflow_url=server.overflow_url
            )
        return self._opened


def open_link(url: str, settings: Settings, environ: Mapping[str, str]) -> StoreLink:
    """A link to the server at `url`; nothing is connected or started yet."""
    return StoreLink(url, settings, environ)
