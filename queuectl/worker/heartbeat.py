"""Keeps the server's picture of a worker true: registration, state, leases."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence

from queuectl.model import QueuectlError
from queuectl.store import claims, presence
from queuectl.store.client import Argument, AsyncStore
from queuectl.worker.loop import Worker

LOG = logging.getLogger("queuectl.worker")
BEAT_S = 5.0
SOON_S = 0.5
"""Shortest pause between two beats, however often the state changes."""


class Heartbeat:
    """Beats on behalf of one worker."""

    def __init__(self, store: AsyncStore, name: str, queues: Sequence[str], facts: Mapping[str, Argument],
                 lease_s: float) -> None:  # fmt: skip
        self._store = store
        self._name = name
        self._queues = tuple(queues)
        self._facts = facts
        self._lease_s = lease_s

    async def register(self) -> None:
        """Appear among RQ's workers. Raises ServerError."""
        await self._store.run(claims.register(self._name, self._queues, self._facts))

    async def unregister(self) -> None:
        """Leave, with nothing in flight."""
        await self._store.run(claims.unregister(self._name, self._queues))

    async def run(self, worker: Worker) -> None:
        """Beat forever; a server that is away is tried again at the next beat."""
        while True:
            try:
                await self._beat(worker)
            except QueuectlError as error:
                LOG.warning("no heartbeat: %s", error)
            await asyncio.sleep(SOON_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S - SOON_S):
                    await worker.state_changed.wait()
            worker.state_changed.clear()

    async def _beat(self, worker: Worker) -> None:
        if not await self._store.run(presence.is_registered(self._name)):
            LOG.warning("the server had forgotten this worker: registering again")
            await self.register()
        held = [flight.claim for flight in worker.flights]
        beat = await self._store.run(claims.heartbeat(self._name, worker.state, len(held), held, lease_s=self._lease_s))
        for member in beat.lost:
            worker.drop(member)
