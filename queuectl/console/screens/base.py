"""What the full screens share: header, alert line, footer, the filter and command prompt, moving in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize, ScreenResume
from textual.screen import Screen
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from queuectl.console.bars import ContextTabs, HeaderBar, KeyBar, Lines
from queuectl.console.commandline import completions
from queuectl.console.picture import Picture
from queuectl.console.view.header import alert, environment_tone, header
from queuectl.console.view.layout import MIN_COLUMNS, MIN_ROWS, too_small
from queuectl.console.view.look import Line, Look
from queuectl.console.widgets.table import LiveTable, Row

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

FILTER, COMMAND = "/", ":"
TABS_FROM_ROWS = 30


class RowTable(LiveTable, inherit_bindings=False):
    """A live table whose keys are the registry's, like every other key here."""

    rows: tuple[Row, ...] = ()
    """As last set."""

    def set_rows(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        super().set_rows(rows)


class CommandSuggester(Suggester):
    """Completes a command in the prompt; the right arrow takes the suggestion."""

    def __init__(self, screen: ConsoleScreen) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._screen = screen

    async def get_suggestion(self, value: str) -> str | None:
        if self._screen.prompting != COMMAND:
            return None
        console = self._screen.console
        return next(iter(completions(value, console.picture().fleet, list(console.themes))), None)


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """A full screen. Subclasses give `title_name`, `body` and `paint`."""

    AUTO_FOCUS = "LiveTable"
    title_name: ClassVar[str] = ""
    """The screen's name in the registry."""

    def __init__(self) -> None:
        super().__init__(name=self.title_name)
        self._filter = ""

    @property
    def console(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    @property
    def look(self) -> Look:
        return self.console.look

    def compose(self) -> ComposeResult:
        yield HeaderBar(id="header")
        if len(self.console.contexts.names) > 1:
            yield ContextTabs(id="contexts")
        yield Lines(id="alert")
        yield from self.body()
        yield Static(id="too-small")
        with Horizontal(id="prompt"):
            yield Static(FILTER, id="prompt-sign")
            yield Input(id="prompt-input", compact=True, select_on_focus=False, suggester=CommandSuggester(self))
        yield KeyBar(self.title_name, self.console.keys, self.look.signs, read_only=self.console.environment.read_only)

    def body(self) -> Iterable[Widget]:
        """The widgets between alert line and footer."""
        raise NotImplementedError

    def paint(self, picture: Picture) -> None:
        """Show the picture; called after header and alert line were painted."""
        raise NotImplementedError

    def selected_queue(self) -> str:
        """The queue that actions are about; empty: none."""
        return ""

    @property
    def plotted_queue(self) -> str:
        """The queue that its plots are about; empty: all of them."""
        return ""

    @property
    def plotted_first(self) -> int:
        """The plot to begin with where it is shown large."""
        return 0

    def copied(self) -> str:
        """What the copy key takes; empty: nothing is selected."""
        return self.selected_queue() or self.table().cursor_key or ""

    def do_pane(self) -> None:
        """Most screens have only one."""

    def alert_line(self, picture: Picture) -> Line:
        return alert(picture, self.look, self.size.width)

    def show(self, picture: Picture) -> None:
        """Paint everything from one picture."""
        if not self.query("#header"):
            return
        small = too_small(self.size.width, self.size.height)
        self.set_class(small, "-too-small")
        self.set_class(picture.stale, "-stale")
        if small:
            text = f"too small: {self.size.width}x{self.size.height}, needs {MIN_COLUMNS}x{MIN_ROWS}"
            self.query_one("#too-small", Static).update(text)
            return
        self.show_header(picture)
        self.query_one("#alert", Lines).show([self.alert_line(picture)])
        self.paint(picture)

    @property
    def has_tabs(self) -> bool:
        """A line names the servers to switch between; in a small terminal the header's badge must do."""
        return len(self.console.contexts.names) > 1 and self.size.height >= TABS_FROM_ROWS

    @property
    def rows(self) -> int:
        """Rows there are without that line."""
        return self.size.height - self.has_tabs

    def show_header(self, picture: Picture) -> None:
        link, columns = self.console.link, self.size.width
        environment = self.console.environment
        left, right = header(picture, self.look, columns, environment=environment, address=link.address,
                             daemon=link.daemon)  # fmt: skip
        self.query_one("#header", HeaderBar).show_parts(left, right, columns)
        for tabs in self.query(ContextTabs):
            tabs.display = self.has_tabs
            contexts, signs = self.console.contexts, self.look.signs
            shown = [(place.name, environment_tone(place.settings.environment)) for place in contexts.places]
            tabs.show_tabs(shown, contexts.current.name, f"{self.console.keys.shown('context')} {signs.right} switch")

    @on(ScreenResume)
    def _resumed(self) -> None:
        self.call_after_refresh(self.console.paint)

    @on(Resize)
    def _resized(self) -> None:
        self.call_after_refresh(self.console.paint)

    # The prompt: `/` filters while one types, `:` takes a command.

    def open_prompt(self, sign: str, text: str = "") -> None:
        self.query_one("#prompt-sign", Static).update(sign)
        self.add_class("-prompting")
        box = self.query_one("#prompt-input", Input)
        box.value = text
        box.cursor_position = len(text)
        self.set_focus(box)

    def type_ahead(self, character: str) -> None:
        """A key that was on its way when the prompt opened: over a slow line they come in bursts."""
        self.query_one("#prompt-input", Input).insert_text_at_cursor(character)

    def close_prompt(self) -> None:
        self.remove_class("-prompting")
        self.rest()

    def rest(self) -> None:
        """Give the keys back to what the screen is about."""
        self.table().focus()

    @property
    def prompting(self) -> str:
        """The prompt's sign while it is open, else empty."""
        return str(self.query_one("#prompt-sign", Static).content) if self.has_class("-prompting") else ""

    @property
    def filter_words(self) -> str:
        return self._filter

    def do_filter(self) -> None:
        self.open_prompt(FILTER, self._filter)

    @on(Input.Changed, "#prompt-input")
    def _typed(self, event: Input.Changed) -> None:
        if self.prompting == FILTER and event.value != self._filter:
            self._filter = event.value
            self.console.paint()

    @on(Input.Submitted, "#prompt-input")
    def _submitted(self, event: Input.Submitted) -> None:
        sign = self.prompting
        self.close_prompt()
        if sign == COMMAND:
            self.console.steering.run_line(event.value)

    async def do_back(self) -> None:
        """Esc: the prompt first, then the filter, then the screen."""
        if self.prompting:
            if self.prompting == FILTER:
                self._filter = ""
            self.close_prompt()
        elif self._filter:
            self._filter = ""
        else:
            await self.leave()
        self.console.paint()

    async def leave(self) -> None:
        """Where Esc leads when nothing is open any more."""
        await self.console.go_back()

    # Moving in the screen's table.

    def table(self) -> LiveTable:
        return self.query_one(LiveTable)

    @property
    def page_rows(self) -> int:
        """Rows of the table that can be seen, without its heading."""
        return max(self.table().size.height - 1, 1)

    def do_down(self) -> None:
        self.table().action_cursor(1)

    def do_up(self) -> None:
        self.table().action_cursor(-1)

    def do_first(self) -> None:
        self.table().action_edge(0)

    def do_last(self) -> None:
        self.table().action_edge(1)

    def do_page_down(self) -> None:
        self.table().action_page(1)

    def do_page_up(self) -> None:
        self.table().action_page(-1)

    def do_columns_more(self) -> None:
        self.table().action_columns(1)

    def do_columns_back(self) -> None:
        self.table().action_columns(-1)
