"""The summary under the prompt: the fleet's table where the shell is, kept up to date, left standing at the end."""

from __future__ import annotations

from collections.abc import Iterable

from textual.driver import Driver
from textual.screen import Screen
from textual.widget import Widget

from queuectl.console.app import ConsoleApp
from queuectl.console.bars import Lines
from queuectl.console.driver import SteadyInlineDriver
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.view.fleet import COLUMNS, row
from queuectl.console.view.look import Line, Span
from queuectl.console.view.select import sort_queues

AROUND = 4
"""Header, alert line, keys, and the prompt that comes back below."""
ALLOWED = ("quit", "interrupt", "refresh", "freeze", "theme", "down", "up", "first", "last", "page_down", "page_up",
           "columns_more", "columns_back")  # fmt: skip
"""What can be done here: look. To act there is the whole console, and there are commands."""


class InlineScreen(ConsoleScreen):
    """Header, alert line, as many queues as fit, the worst ones first."""

    CSS_PATH = "screens/inline.tcss"
    title_name = "inline"

    def body(self) -> Iterable[Widget]:
        yield RowTable(COLUMNS, id="queues", empty="no queues yet", ascii=self.look.signs.ascii)
        yield Lines(id="inline-keys")

    def selected_queue(self) -> str:
        return self.table().cursor_key or ""

    def show(self, picture: Picture) -> None:
        """Its height is what it needs, so it is never too small."""
        if not self.query("#header"):
            return
        self.show_header(picture)
        self.query_one("#alert", Lines).show([self.alert_line(picture)])
        self.query_one("#inline-keys", Lines).show([self._keys()])
        if picture.fleet is not None:
            self.paint(picture)

    def paint(self, picture: Picture) -> None:
        queues = picture.fleet.queues if picture.fleet else ()
        room = max(self.app.size.height - AROUND, 2)
        self.table().styles.height = min(len(queues) + 1, room)
        self.table().set_rows([row(queue, self.look, dim=picture.stale) for queue in sort_queues(queues, None)])

    def _keys(self) -> Line:
        shown = self.console.keys.shown
        return (Span(f" {shown('quit')}", "accent", bold=True), Span(" leave  "),
                Span(shown("refresh"), "accent", bold=True), Span(" refresh  "),
                Span("queuectl", "accent", bold=True), Span(" the whole console", "muted"))  # fmt: skip


class InlineApp(ConsoleApp, inherit_bindings=True):
    """The console without its screens."""

    CSS_PATH = ConsoleApp.CSS_PATH
    ENABLE_COMMAND_PALETTE = False

    def fresh_screens(self) -> tuple[ConsoleScreen, ...]:
        return (InlineScreen(),)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return (action, parameters) in [("do", (name,)) for name in ALLOWED]

    def _build_driver(self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None) -> Driver:
        """Textual's own inline driver ends with a traceback at the first byte that is not UTF-8."""
        if headless or not inline:
            return super()._build_driver(headless, inline, mouse, size)
        steady = type("InlineDriver", (SteadyInlineDriver,), {"ascii_only": self.look.signs.ascii})
        self._driver = steady(self, mouse=mouse, size=size)
        return self._driver

    def get_default_screen(self) -> Screen[None]:
        """Nothing of its own below the summary: it would take its share of the height."""
        return Screen(id="_default", classes="-bare")
