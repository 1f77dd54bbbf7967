"""The leader's care for the shed store: what has been kept for long enough goes, a bounded piece of it a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

from queuectl.model import QueueState
from queuectl.store import expiry, notes
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.daemon")


class Expiry:
    """Goes round the shed store of every queue. Made anew with each leadership."""

    def __init__(self, store: AsyncStore, fence: str) -> None:
        self._run = store.run
        self._fence = fence
        self._cursors: dict[str, str] = {}

    async def step(self, queue: QueueState, now_s: float, keep_s: float, may_go_on: Callable[[], bool]) -> None:
        """Go on while `may_go_on`, then note it in the audit log. Raises LeaseLostError when another daemon leads."""
        jobs, more = 0, True
        while more:
            cursor = self._cursors.get(queue.name, "")
            found = await self._run(expiry.expire_next(queue.name, now_s - keep_s, cursor, fence=self._fence))
            self._cursors[queue.name] = found.cursor if found.more else ""
            jobs, more = jobs + found.jobs, found.more and may_go_on()
        if jobs:
            reason = f"kept in the shed store for {keep_s / 86400:g} days"
            done = f"{jobs:,} expired"
            LOG.warning("%s: %s: %s", queue.name, done, reason)
            await self._run(notes.note("expire", queue.name, after=done, reason=reason, fence=self._fence))
