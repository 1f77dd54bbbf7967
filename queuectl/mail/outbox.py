"""The producer API: hand in mail, get a verdict a message."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Iterator
from itertools import islice
from types import TracebackType

from queuectl.mail.templates import Template, encode
from queuectl.model import MailMessage, UsageError, Verdict
from queuectl.store.admission import BATCH, admit, put_template
from queuectl.store.connect import open_async_store, open_store


def _url(url: str | None) -> str:
    found = url or os.environ.get("QUEUECTL_URL") or os.environ.get("REDIS_URL")
    if not found:
        raise UsageError("Outbox needs a server: Outbox('redis://…'), or set QUEUECTL_URL")
    return found


class Outbox:
    """Admits messages from synchronous code. Keep one a process: it holds a connection. Not for several threads."""

    def __init__(self, url: str | None = None) -> None:
        """Connect. `url` defaults to QUEUECTL_URL, then REDIS_URL. Raises ServerError when the server is away."""
        self._store = open_store(_url(url))

    def enqueue(self, queue: str, message: MailMessage) -> Verdict:
        """Admit one message; its verdict says whether it was accepted."""
        return self.enqueue_many(queue, (message,))[0]

    def enqueue_many(self, queue: str, messages: Iterable[MailMessage]) -> list[Verdict]:
        """Admit messages in batches of 500, one round trip each; verdicts in the same order.

        Raises ServerError when the server goes away: whole batches before that are admitted.
        """
        return [verdict for batch in _batches(messages) for verdict in self._store.run(admit(queue, batch))]

    def store_template(self, template: Template) -> str:
        """Store a template for the workers; returns the id that messages name in `template`."""
        self._store.run(put_template(template.template_id, encode(template)))
        return template.template_id

    def close(self) -> None:
        self._store.close()

    def __enter__(self) -> Outbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncOutbox:
    """The same for asyncio code: `async with AsyncOutbox(url) as outbox`."""

    def __init__(self, url: str | None = None) -> None:
        self._url = _url(url)

    async def __aenter__(self) -> AsyncOutbox:
        self._store = await open_async_store(self._url)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._store.close()

    async def enqueue(self, queue: str, message: MailMessage) -> Verdict:
        """Admit one message; its verdict says whether it was accepted."""
        return (await self.enqueue_many(queue, (message,)))[0]

    async def enqueue_many(
        self, queue: str, messages: Iterable[MailMessage] | AsyncIterable[MailMessage]
    ) -> list[Verdict]:
        """Admit messages in batches of 500, one round trip each; verdicts in the same order."""
        verdicts: list[Verdict] = []
        if isinstance(messages, AsyncIterable):
            batch: list[MailMessage] = []
            async for message in messages:
                batch.append(message)
                if len(batch) == BATCH:
                    verdicts += await self._store.run(admit(queue, batch))
                    batch = []
            return verdicts + (await self._store.run(admit(queue, batch)) if batch else [])
        for batch in _batches(messages):
            verdicts += await self._store.run(admit(queue, batch))
        return verdicts

    async def store_template(self, template: Template) -> str:
        """Store a template for the workers; returns the id that messages name in `template`."""
        await self._store.run(put_template(template.template_id, encode(template)))
        return template.template_id


def _batches(messages: Iterable[MailMessage]) -> Iterator[list[MailMessage]]:
    iterator = iter(messages)
    while batch := list(islice(iterator, BATCH)):
        yield batch
