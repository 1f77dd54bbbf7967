"""Notes, before the final dot, which messages may have arrived whatever happens: for queues that hold such messages."""

from __future__ import annotations

import asyncio

from queuectl.mail.transport import CommitPoint
from queuectl.model import QueuectlError, ServerError
from queuectl.settings import Settings
from queuectl.store import claims
from queuectl.store.claims import MARK_BATCH, Claim
from queuectl.store.client import AsyncStore


class CommitPoints:
    """For one worker. Queues with `on_ambiguous = "resend"` cost nothing; the others a command's share a message."""

    def __init__(self, store: AsyncStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._passed: set[str] = set()
        self._asked: list[tuple[Claim, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    def holds(self, queue: str) -> bool:
        """Whether messages that may have arrived are held there, not sent again."""
        return self._settings.holds_ambiguous(queue)

    def of(self, claim: Claim) -> CommitPoint | None:
        """What the transport awaits before it hands the message over. Raises ServerError there when that cannot be
        noted, or when the message has been given to another worker: then it is not sent."""
        return (lambda: self._pass(claim)) if self.holds(claim.queue) else None

    def take(self, claim: Claim) -> bool:
        """Whether the message has passed its point, at the end of its try."""
        passed = claim.member in self._passed
        self._passed.discard(claim.member)
        return passed

    async def _pass(self, claim: Claim) -> None:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked.append((claim, answer))
        if self._task is None:
            # Runs after the tasks that are ready now: what stands at its final dot at the same time is noted at once.
            self._task = asyncio.create_task(self._note())
        if not await answer:
            raise ServerError("the message was given to another worker")
        self._passed.add(claim.member)

    async def _note(self) -> None:
        self._task = None
        asked, self._asked = self._asked[:MARK_BATCH], self._asked[MARK_BATCH:]
        if self._asked:
            self._task = asyncio.create_task(self._note())
        try:
            noted = await self._store.run(claims.mark_sent([claim for claim, _ in asked]))
        except QueuectlError as error:
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), done in zip(asked, noted, strict=True):
            if not answer.done():
                answer.set_result(done)
