"""The leader's care for ordering keys, a bounded piece of it each second."""

from __future__ import annotations

import logging

from queuectl.model import QueueState
from queuectl.store import ordering
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.daemon")


class Ordering:
    """Goes round the ordering keys of every queue that holds messages back. Made anew with each leadership."""

    def __init__(self, store: AsyncStore, fence: str) -> None:
        self._run = store.run
        self._fence = fence
        self._cursors: dict[str, str] = {}

    async def step(self, queue: QueueState) -> None:
        """One second's part for one queue. Raises LeaseLostError when another daemon leads."""
        cursor = self._cursors.get(queue.name, ordering.START)
        if queue.deferred or cursor != ordering.START:
            cursor, released = await self._run(ordering.sweep(queue.name, cursor, fence=self._fence))
            self._cursors[queue.name] = cursor
            if released:
                LOG.warning("%s: %d ordering keys go on: their message was ended elsewhere or deleted", queue.name,
                            released)  # fmt: skip
        if queue.blocked_keys:
            ended = await self._run(ordering.end_blocking(queue, fence=self._fence))
            if ended:
                LOG.warning("%s: %d messages had blocked their ordering keys for too long", queue.name, ended)
