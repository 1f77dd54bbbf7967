"""From one server to another: which, and whether it may be now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen

from queuectl.console.screens.contexts import ContextScreen
from queuectl.model import UsageError

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp


class Switching:
    """Turns the console to another of its contexts."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    def ask(self) -> None:
        """Open the switcher."""
        app = self._app
        if len(app.contexts.names) < 2:
            app.tell("the settings name no other server: add [contexts.NAME] with a url")
        else:
            app.push_screen(ContextScreen(app.contexts), self._chosen)

    def _chosen(self, name: str | None) -> None:
        if name is not None:
            self._app.run_worker(self.attach(name), group="command")

    async def attach(self, name: str) -> None:
        """Show the server of that name. While a dialog is open nothing moves under it."""
        app = self._app
        if isinstance(app.screen, ModalScreen):
            app.tell("close the dialog first: it is about the server that is shown")
            return
        try:
            place = app.contexts.place(name)
        except UsageError as error:
            app.tell(str(error), severity="error")
            return
        if place is not app.contexts.current:
            await app.turn_to(place)
            app.tell(f"this is {place.settings.environment.name or name} now: {app.link.address}")
