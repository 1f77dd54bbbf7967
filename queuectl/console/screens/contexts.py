"""The switcher: the servers of the settings, the one shown marked; Enter shows another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from queuectl.console.bars import Lines, content
from queuectl.console.contexts import Contexts, Place
from queuectl.console.view.header import environment_badge, short_address
from queuectl.console.view.look import Line, Look, Span, cut
from queuectl.console.words import plain
from queuectl.settings import mask_url

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

NAME_CELLS = 16
LINE_CELLS = 68
_DAEMON = {"": "", "child": "attached, its daemon is this console's child", "observing": "attached, observing",
           "none": "attached, no daemon", "remote": "attached"}  # fmt: skip


def place_line(place: Place, contexts: Contexts, look: Look) -> Line:
    """Its name, its badge, its address, and what this console does there."""
    shown = place is contexts.current
    mark = Span(f"{look.signs.cursor if shown else ' '} {plain(place.name, look.signs):<{NAME_CELLS}} ", bold=shown)
    address = plain(short_address(mask_url(place.settings.server.url)), look.signs)
    state = _DAEMON.get(contexts.daemon(place.name), "attached")
    badge = environment_badge(place.settings.environment)
    return cut((mark, *badge, Span(address), Span(f"  {state}", "muted")), LINE_CELLS, look)


class ContextScreen(ModalScreen[str | None]):
    """Result: the name of the context to show, or None."""

    CSS_PATH = "contexts.tcss"
    AUTO_FOCUS = "OptionList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,ctrl+c", "close", "Close", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self, contexts: Contexts) -> None:
        super().__init__()
        self._contexts = contexts

    def compose(self) -> ComposeResult:
        look = cast("ConsoleApp", self.app).look
        badge = environment_badge(self._contexts.current.settings.environment)
        places = self._contexts.places
        options = [Option(content(place_line(place, self._contexts, look)), place.name) for place in places]
        with Vertical(id="contexts-panel"):
            yield Lines([(*badge, Span("show which server?", "title", bold=True), Span("  esc closes", "muted"))])
            yield OptionList(*options, compact=True)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._contexts.names.index(self._contexts.current.name)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    def action_close(self) -> None:
        self.dismiss(None)

    def action_move(self, way: str) -> None:
        options = self.query_one(OptionList)
        options.action_cursor_down() if way == "down" else options.action_cursor_up()
