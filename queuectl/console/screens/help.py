"""Help: every key and command, generated from the registry; what one types narrows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input

from queuectl.console.actions import ACTIONS, Group, Keys
from queuectl.console.bars import Lines
from queuectl.console.view.header import environment_badge
from queuectl.console.view.look import Line, Look, Span, line_text

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

KEY_CELLS = 16


def matching(lines: list[Line], words: str) -> list[Line]:
    """The lines that hold every word, each under its heading."""
    wanted = words.lower().split()
    if not wanted:
        return lines
    found: list[Line] = []
    heading: Line = ()
    for line in lines:
        if line and line[0].tone == "title":
            heading = line
        elif all(word in line_text(line).lower() for word in wanted) and line:
            found += [heading] if heading and heading not in found else []
            found.append(line)
    return found or [(Span(f"no key or command with {words!r}", "warn"),)]


def help_lines(keys: Keys, look: Look, *, read_only: bool) -> list[Line]:
    """One line an action, by group; then the commands and the signs."""
    lines: list[Line] = []
    for group in Group:
        note = "  (read-only: refused)" if read_only and group is Group.ACT else ""
        lines += [(Span(group.value, "title", bold=True), Span(note, "warn"))]
        lines += [
            (Span(f"  {keys.all_shown(entry.id):<{KEY_CELLS}}", "accent", bold=True), Span(entry.help))
            for entry in ACTIONS
            if entry.group is group
        ]
        lines.append(())
    lines.append((Span(f"Commands, after {keys.shown('command')}", "title", bold=True),))
    lines += [(Span(f"  {entry.command}", "info"),) for entry in ACTIONS if entry.command]
    return [*lines, (), *_signs(look)]


def _signs(look: Look) -> list[Line]:
    signs = look.signs
    return [
        (Span("Signs", "title", bold=True),),
        (Span(f"  {signs.ok} ", "ok"), Span("flowing    "), Span(f"{signs.warn} ", "warn"), Span("needs a look    "),
         Span(f"{signs.bad} ", "bad"), Span("mail is not getting through")),
        (Span(f"  {signs.stock} "), Span("stock RQ producers or workers: assisted, rates are estimates")),
        (Span(f"  {signs.dash} "), Span("unknown    "), Span(f"{signs.approx} "),
         Span("estimated    o  an operator's override")),
    ]  # fmt: skip


class HelpScreen(ModalScreen[None]):
    """Scrolls; Esc, q or ? closes."""

    CSS_PATH = "help.tcss"
    AUTO_FOCUS = "#help-body"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,ctrl+c", "close", "Close", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    @property
    def _lines(self) -> list[Line]:
        console = cast("ConsoleApp", self.app)
        return help_lines(console.keys, console.look, read_only=console.environment.read_only)

    def compose(self) -> ComposeResult:
        console = cast("ConsoleApp", self.app)
        hint = Span("  / searches, j/k or arrows scroll, esc closes", "muted")
        badge = environment_badge(console.environment)
        yield Lines([(*badge, Span("queuectl help", "title", bold=True), hint)], id="help-title")
        with VerticalScroll(id="help-body"):
            yield Lines(self._lines, id="help-lines")
        yield Input(id="help-search", compact=True, placeholder="search")

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self.query_one("#help-lines", Lines).show(matching(self._lines, event.value))

    @on(Input.Submitted)
    def _searched(self) -> None:
        self.query_one("#help-body").focus()

    def action_search(self) -> None:
        self.add_class("-searching")
        self.query_one("#help-search", Input).focus()

    def action_close(self) -> None:
        """First the search, then the help."""
        if not self.has_class("-searching"):
            self.dismiss(None)
            return
        self.remove_class("-searching")
        self.query_one("#help-search", Input).value = ""
        self.query_one("#help-body").focus()

    def action_scroll(self, by: int) -> None:
        self.query_one("#help-body").scroll_relative(y=by, animate=False)
