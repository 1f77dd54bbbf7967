"""The producer API: hand in mail, get a verdict a message."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from types import TracebackType

from queuectl.mail.routing import Router
from queuectl.mail.templates import Template, encode
from queuectl.model import Event, MailMessage, Published, UsageError, Verdict
from queuectl.settings import Settings, load
from queuectl.store.admission import BATCH, admit, put_template
from queuectl.store.client import Steps
from queuectl.store.connect import open_async_store, open_store
from queuectl.store.fan_out import admit_event


def _url(url: str | None) -> str:
    found = url or os.environ.get("QUEUECTL_URL") or os.environ.get("REDIS_URL")
    if not found:
        raise UsageError("Outbox needs a server: Outbox('redis://…'), or set QUEUECTL_URL")
    return found


class Outbox:
    """Admits messages from synchronous code. Keep one a process: it holds a connection. Not for several threads."""

    def __init__(self, url: str | None = None, settings: Settings | None = None) -> None:
        """Connect. `url` defaults to QUEUECTL_URL, then REDIS_URL. `settings` have the routes of events; None: those
        from file and environment, read with the first event. Raises ServerError when the server is away."""
        self._store = open_store(_url(url))
        self._routes = _Routes(settings)

    def enqueue(self, queue: str, message: MailMessage) -> Verdict:
        """Admit one message; its verdict says whether it was accepted."""
        return self.enqueue_many(queue, (message,))[0]

    def enqueue_many(self, queue: str, messages: Iterable[MailMessage]) -> list[Verdict]:
        """Admit messages in batches of 500, one round trip each; verdicts in the same order.

        Raises ServerError when the server goes away: whole batches before that are admitted.
        """
        return [verdict for batch in _batches(messages) for verdict in self._store.run(admit(queue, batch))]

    def publish(self, event: Event) -> list[Published]:
        """Admit every message that the routes of the event's kind make of it, in one round trip; what became of each.

        Publishing an event again within a week sends nobody twice, and makes up for what failed the first time. Raises
        UsageError when no route takes it or it lacks a field, and then admits nothing; ServerError when the server goes
        away.
        """
        return self._store.run(self._routes.publish(event))

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

    def __init__(self, url: str | None = None, settings: Settings | None = None) -> None:
        self._url = _url(url)
        self._routes = _Routes(settings)

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

    async def publish(self, event: Event) -> list[Published]:
        """Admit every message that the routes of the event's kind make of it; see `Outbox.publish`."""
        return await self._store.run(self._routes.publish(event))

    async def store_template(self, template: Template) -> str:
        """Store a template for the workers; returns the id that messages name in `template`."""
        await self._store.run(put_template(template.template_id, encode(template)))
        return template.template_id


def _batches(messages: Iterable[MailMessage]) -> Iterator[list[MailMessage]]:
    iterator = iter(messages)
    while batch := list(islice(iterator, BATCH)):
        yield batch


class _Routes:
    """The routes, read when they are first needed: most producers publish no events."""

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings
        self._stored: set[str] = set()

    @cached_property
    def _router(self) -> Router:
        return Router(self._settings or load(environ=os.environ).settings)

    def publish(self, event: Event) -> Steps[list[Published]]:
        routed = self._router.route(event)
        fresh = {template_id: blob for template_id, blob in routed.templates.items() if template_id not in self._stored}
        verdicts = yield from admit_event(routed.addressed, fresh, unrouted=routed.unrouted)
        self._stored |= fresh.keys()
        published = zip(routed.addressed, verdicts, strict=True)
        return [*routed.invalid, *(Published(one.queue, one.message.to, verdict) for one, verdict in published)]
