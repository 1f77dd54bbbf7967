"""Asks whether recipients are suppressed, all of one claim in one question."""

from __future__ import annotations

import asyncio

from queuectl.model import QueuectlError
from queuectl.store import suppression
from queuectl.store.client import AsyncStore


class SuppressionCheck:
    """Answers for one worker. While `active` is False the list is empty and nobody need ask."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self.active = False
        self._asked: list[tuple[str, asyncio.Future[str | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def reason(self, address: str) -> str | None:
        """Why `address` gets no mail; None: it may. Raises ServerError."""
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._asked.append((address, answer))
        if self._task is None:
            # Runs after the tasks that are ready now: all messages of one claim have asked by then.
            self._task = asyncio.create_task(self._ask())
        return await answer

    async def add(self, address: str, reason: str) -> None:
        """Suppress an address. Raises ServerError."""
        await self._store.run(suppression.add([(suppression.digest(address), reason)]))

    async def _ask(self) -> None:
        self._task = None
        asked, self._asked = self._asked, []
        try:
            reasons = await self._store.run(suppression.lookup([address for address, _ in asked]))
        except QueuectlError as error:
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), reason in zip(asked, reasons, strict=True):
            if not answer.done():
                answer.set_result(reason)
