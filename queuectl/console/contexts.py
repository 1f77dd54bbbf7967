"""The servers that one console can show. Each is attached when it is first shown, and let go when the console ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from queuectl.console.link import Link
from queuectl.model import UsageError
from queuectl.settings import Settings


@dataclass(frozen=True, slots=True)
class Place:
    """One server by its name in the switcher; `settings` have its URL and its environment."""

    name: str
    settings: Settings


class Contexts:
    """Which server is shown. One that was left stays attached: its daemon, if this console leads there, goes on."""

    def __init__(self, places: Sequence[Place], current: str, open_link: Callable[[Settings], Link]) -> None:
        self.places = tuple(places)
        self._open = open_link
        self._links: dict[str, Link] = {}
        self.current = self.place(current)

    @classmethod
    def only(cls, link: Link, settings: Settings) -> Contexts:
        """One server, already opened."""
        single = cls((Place("", settings),), "", lambda _: link)
        single._links[""] = link
        return single

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(place.name for place in self.places)

    @property
    def link(self) -> Link:
        """Of the server shown."""
        name = self.current.name
        if name not in self._links:
            self._links[name] = self._open(self.current.settings)
        return self._links[name]

    def place(self, name: str) -> Place:
        """UsageError when there is none of that name."""
        found = next((place for place in self.places if place.name == name), None)
        if found is None:
            raise UsageError(f"no context {name!r}; there are: {', '.join(self.names)}")
        return found

    def go(self, name: str) -> Place:
        """Show another server from now on."""
        self.current = self.place(name)
        return self.current

    def daemon(self, name: str) -> str:
        """Who automates there, as `Link.daemon`; empty: not attached yet."""
        return self._links[name].daemon if name in self._links else ""

    async def close(self) -> None:
        for link in self._links.values():
            await link.close()
