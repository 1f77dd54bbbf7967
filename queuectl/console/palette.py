"""The Ctrl+P palette: the registry's actions, the queues and the themes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from queuectl.console.actions import ACTIONS, Group

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

Entry = tuple[str, str, Callable[[], object]]
"""What is shown, its help, what it does."""


class RegistryCommands(Provider):
    """Everything there is to do, found by its words."""

    @property
    def _console(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    async def discover(self) -> Hits:
        for text, help_text, act in self._entries():
            yield DiscoveryHit(Content(text), act, text, help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for text, help_text, act in self._entries():
            score = max(matcher.match(text), matcher.match(help_text) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(text), act, text, help_text)

    def _entries(self) -> Iterator[Entry]:
        console = self._console
        for entry in ACTIONS:
            if entry.group is not Group.MOVE and entry.id != "palette":
                title = f"{entry.title}  ({console.keys.shown(entry.id)})"
                yield title, entry.help, partial(console.action_do, entry.id)
        fleet = console.picture().fleet
        for queue in fleet.queues if fleet else ():
            yield f"open {queue.name}", "the queue's screen", partial(console.open_queue, queue.name)
        for name in console.contexts.names:
            if name != console.contexts.current.name:
                yield f"server {name}", "show this server", partial(console.action_attach, name)
        for name in console.themes:
            yield f"theme {name}", "change the colours", partial(setattr, console, "theme", name)
