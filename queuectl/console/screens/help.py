"""Help: every key and command, generated from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from queuectl.console.actions import ACTIONS, Group, Keys
from queuectl.console.bars import Lines
from queuectl.console.view.header import environment_badge
from queuectl.console.view.look import Line, Look, Span

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

KEY_CELLS = 16


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
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def compose(self) -> ComposeResult:
        console = cast("ConsoleApp", self.app)
        hint = Span("  j/k or arrows scroll, esc closes", "muted")
        badge = environment_badge(console.environment)
        yield Lines([(*badge, Span("queuectl help", "title", bold=True), hint)], id="help-title")
        with VerticalScroll(id="help-body"):
            yield Lines(help_lines(console.keys, console.look, read_only=console.environment.read_only))

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        self.query_one("#help-body").scroll_relative(y=by, animate=False)
