"""Asks how much receiving domains take, for all messages of one claim in one question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from queuectl.model import QueuectlError
from queuectl.settings.limits import ReceiverSettings
from queuectl.store import receivers
from queuectl.store.client import AsyncStore


class Receivers:
    """Answers for one worker; domains without a limit cost nothing."""

    def __init__(self, store: AsyncStore, settings: Mapping[str, ReceiverSettings]) -> None:
        self._store = store
        self._settings = settings
        self._names = {domain: name for name, receiver in settings.items() for domain in receiver.domains}
        self._asked: dict[str, list[asyncio.Future[float]]] = {}
        self._task: asyncio.Task[None] | None = None

    def limited(self, address: str) -> str:
        """The receiver whose limit applies to `address`; empty: none does."""
        return self._names.get(address.rpartition("@")[2].lower(), "") if self._names else ""

    async def hold_s(self, receiver: str) -> float:
        """How long a message has to wait, seconds; 0.0: it may go. Raises ServerError."""
        answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(receiver, []).append(answer)
        if self._task is None:
            # Runs after the tasks that are ready now: all messages of one claim have asked by then.
            self._task = asyncio.create_task(self._ask())
        return await answer

    async def _ask(self) -> None:
        self._task = None
        asked, self._asked = self._asked, {}
        wanted = [(name, len(answers)) for name, answers in asked.items()]
        try:
            grants = await self._store.run(receivers.grant(self._settings, wanted))
        except QueuectlError as error:
            for answer in (answer for answers in asked.values() for answer in answers if not answer.done()):
                answer.set_exception(error)
            return
        for name, answers in asked.items():
            for number, answer in enumerate(answers):
                if not answer.done():
                    answer.set_result(grants[name].delay_s(number))
