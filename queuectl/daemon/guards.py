"""Stands before stock workers in the line of those who block on a paused queue.

A stock worker that finds its queue empty blocks on it, and the server hands the next arrival to whoever has blocked
longest. So connections of ours block there too, first in line: what they are handed goes aside. One that has been
served stands at the end of the line again; the workers are then made to ask anew, which puts them behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from queuectl.model import QueuectlError
from queuectl.store import aside
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.daemon")
GUARDS = 32
"""Connections a queue: so many arrivals may come before the workers stand behind the guards again."""
REGROUP_S = 0.005
"""Arrivals within this time are answered together."""
AGAIN_S = 1.0
LEAVE_S = 1.0


class Guards:
    """The guards of every paused queue that has stock workers."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._posts: dict[str, _Post] = {}

    async def keep(self, paused: Mapping[str, frozenset[str]]) -> None:
        """Guard these queues and no others: queue -> names of its stock workers."""
        for queue in self._posts.keys() - paused.keys():
            await self._posts.pop(queue).leave()
        for queue, workers in paused.items():
            if queue not in self._posts:
                self._posts[queue] = _Post(self._store, queue, workers)
            self._posts[queue].workers = workers

    async def leave(self) -> None:
        """Guard nothing any more."""
        await self.keep({})


class _Post:
    """One queue's guards."""

    def __init__(self, store: AsyncStore, queue: str, workers: frozenset[str]) -> None:
        self.workers = workers
        self._store = store
        self._queue = queue
        self._regroup = asyncio.Event()
        self._over = False
        self._clients: set[int] = set()
        self._guards = [asyncio.create_task(self._guard()) for _ in range(GUARDS)]
        self._marshal = asyncio.create_task(self._keep_workers_behind())

    async def leave(self) -> None:
        """Withdraw; once this returns, nothing is set aside any more."""
        self._over = True
        self._marshal.cancel()
        with contextlib.suppress(QueuectlError):
            await self._store.run(aside.withdraw(self._clients))
        _, late = await asyncio.wait(self._guards, timeout=LEAVE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(self._marshal, *self._guards, return_exceptions=True)

    async def _guard(self) -> None:
        while not self._over:
            try:
                await aside.enlist(self._store, self._queue, self._stands_again)
            except QueuectlError as error:
                LOG.warning("the pause of %s leaks: %s", self._queue, error)
                await asyncio.sleep(AGAIN_S)

    def _stands_again(self, client: int) -> bool:
        self._clients.add(client)
        self._regroup.set()
        return not self._over

    async def _keep_workers_behind(self) -> None:
        while True:
            await self._regroup.wait()
            await asyncio.sleep(REGROUP_S)
            self._regroup.clear()
            try:
                await self._store.run(aside.send_back(self.workers))
            except QueuectlError as error:
                LOG.warning("the pause of %s leaks: %s", self._queue, error)
                await asyncio.sleep(AGAIN_S)
