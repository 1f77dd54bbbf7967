"""Ended executions on their way to the server: coalesced, and held while it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque

from queuectl.model import QueuectlError
from queuectl.store import claims
from queuectl.store.claims import FINISH_BATCH, End, Finish
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.worker")
COALESCE_S = 0.005
"""How long a small batch waits for company."""
RECENT_S = 2.0
"""A server that syncs its append-only file every second may lose so much in a power cut."""
BACKOFF_S = (0.1, 5.0)
"""First and longest pause between tries while the server is away."""


class Finishing:
    """Commits what ends, many at a time. A commit repeated changes nothing: the server drops each lease once."""

    def __init__(self, store: AsyncStore, worker: str, keep_delivered_s: float) -> None:
        self._store = store
        self._worker = worker
        self._keep_delivered_s = keep_delivered_s
        self._waiting: list[Finish] = []
        self._sending: list[Finish] = []
        self._recent: deque[tuple[float, list[Finish]]] = deque()
        self._away = False
        self._busy_s = 0.0
        self._some = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def add(self, finish: Finish, busy_s: float = 0.0) -> None:
        """`busy_s`: how long the job occupied its slot."""
        self._waiting.append(finish)
        self._busy_s += busy_s
        self._some.set()
        self._none.clear()

    @property
    def backlog(self) -> int:
        return len(self._waiting) + len(self._sending)

    def members(self) -> set[str]:
        """Started-registry entries the server may still hold for what has ended here."""
        return {finish.claim.member for finish in (*self._waiting, *self._sending)}

    def committed(self, member: str) -> Finish | None:
        """How an execution ended that the server took lately: after a crash it may know nothing of that any more."""
        for _, ended in self._recent:
            for finish in ended:
                if finish.claim.member == member and finish.end not in (End.BACK, End.HELD):
                    return finish
        return None

    def compared(self) -> None:
        """What the server holds has been compared with what we know."""
        self._away = False

    async def run(self) -> None:
        """Commit forever."""
        while True:
            await self._some.wait()
            if len(self._waiting) < FINISH_BATCH:
                await asyncio.sleep(COALESCE_S)
            await self._commit_all()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until all is committed; False: the server did not take it in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._none.wait()
        except TimeoutError:
            return False
        return True

    async def _commit_all(self) -> None:
        """All at once: the order of what is handed back is kept within one commit only."""
        self._sending, self._waiting = self._waiting, []
        busy_s, self._busy_s = self._busy_s, 0.0
        lost = await self._commit(busy_s)
        if lost:
            LOG.warning("%d messages had lost their lease when they were finished: they may go out twice", lost)
        self._remember()
        self._sending = []
        if not self._waiting:
            self._some.clear()
            self._none.set()

    def _remember(self) -> None:
        """Not forgotten between a crash and the comparison after it."""
        now_s = time.monotonic()
        self._recent.append((now_s, self._sending))
        while not self._away and self._recent[0][0] < now_s - RECENT_S:
            self._recent.popleft()

    async def _commit(self, busy_s: float) -> int:
        pause_s, longest_s = BACKOFF_S
        while True:
            try:
                return await self._store.run(
                    claims.finish(self._worker, self._sending, busy_s=busy_s, keep_delivered_s=self._keep_delivered_s)
                )
            except QueuectlError as error:
                self._away = True
                LOG.warning("%d finished messages wait for the server: %s", self.backlog, error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, longest_s)
