"""The console on a fixed deployment whose answers a test can change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC
from typing import Any

from textual.pilot import Pilot

from queuectl.console.app import ConsoleApp
from queuectl.console.bars import HeaderBar, Lines
from queuectl.console.fixed import FixedLink
from queuectl.console.screens.base import ConsoleScreen
from queuectl.console.screens.panel import ActionPanel
from queuectl.console.shots import settle
from queuectl.console.view import line_text
from queuectl.model import (
    Action,
    AuditEntry,
    FleetState,
    Outcome,
    Preview,
    QueueState,
    RefusedError,
    Sample,
    ServerError,
)
from queuectl.settings import Settings

__all__ = ["Clock", "ScriptedLink", "opened", "settle", "text_of", "toasts"]


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class ScriptedLink(FixedLink):
    """FixedLink with failures, delays and refusals on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.away = ""
        self.hold: asyncio.Event | None = None
        """While set and not released, `fleet` does not answer."""
        self.polls = self.histories = self.open_polls = self.most_open_polls = self.previews = 0
        self.pages: list[tuple[str, str, int, int]] = []
        self.change_preview: dict[str, Any] = {}
        self.refuse_commit = ""
        self.closed = False
        self.audited: tuple[AuditEntry, ...] | None = None
        """The audit log, where it reaches back further than the picture's events."""

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        return await super().audit(limit) if self.audited is None else self.audited[:limit]

    async def fleet(self) -> FleetState:
        self.polls += 1
        self.open_polls += 1
        self.most_open_polls = max(self.most_open_polls, self.open_polls)
        try:
            if self.hold is not None:
                await self.hold.wait()
            if self.away:
                raise ServerError(self.away)
            return self.state
        finally:
            self.open_polls -= 1

    async def history(self, span_s: float) -> list[Sample]:
        if self.away:
            raise ServerError(self.away)
        self.histories += 1
        return await super().history(span_s)

    async def preview(self, action: Action) -> Preview:
        self.previews += 1
        if self.away:
            raise ServerError(self.away)
        return replace(await super().preview(action), **self.change_preview)

    async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
        if self.refuse_commit:
            raise RefusedError(self.refuse_commit)
        return await super().commit(preview, reason=reason, typed=typed)

    async def jobs(self, queue: str, state: str, offset: int, limit: int):
        self.pages.append((queue, state, offset, limit))
        return await super().jobs(queue, state, offset, limit)

    async def close(self) -> None:
        self.closed = True

    def change_queue(self, queue_name: str, **changes: Any) -> None:
        queues = tuple(replace(queue, **changes) if queue.name == queue_name else queue for queue in self.state.queues)
        self.state = replace(self.state, queues=queues, taken_at_s=self.state.taken_at_s + 1)

    def queue(self, name: str) -> QueueState:
        queue = self.state.queue(name)
        assert queue is not None
        return queue


@asynccontextmanager
async def opened(
    link: ScriptedLink | None = None, *, size: tuple[int, int] = (120, 40), clock: Clock | None = None,
    ascii_only: bool = False, no_color: bool = False, **settings: Any,
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None], ScriptedLink]]:  # fmt: skip
    """A running console with its first picture; refreshed by the test, not by time."""
    link = link or ScriptedLink()
    tree = {**settings, "console": {"refresh_s": 10.0, **settings.get("console", {})}}
    app = ConsoleApp(link, Settings.model_validate(tree), ascii_only=ascii_only, no_color=no_color, zone=UTC,
                     monotonic=clock or Clock())  # fmt: skip
    async with app.run_test(size=size) as pilot:
        await settle(app)
        await pilot.pause()
        yield app, pilot, link


def main_screen(app: ConsoleApp) -> ConsoleScreen:
    return next(screen for screen in reversed(app.screen_stack) if isinstance(screen, ConsoleScreen))


def text_of(app: ConsoleApp, selector: str) -> str:
    """The words of a line widget on the full screen, or on the dialog above it."""
    screen = app.screen if isinstance(app.screen, ActionPanel) else main_screen(app)
    return "\n".join(line_text(line) for line in screen.query_one(selector, Lines).lines)


def header_text(app: ConsoleApp) -> str:
    return "\n".join(line_text(line) for line in main_screen(app).query_one("#header", HeaderBar).lines)


def toasts(app: ConsoleApp) -> list[str]:
    return [notification.message for notification in app._notifications]
