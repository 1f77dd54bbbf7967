"""The action panel: what will happen, to how many, before → after; Cancel has the focus, and nothing acts by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from queuectl.console.bars import Lines, bullet
from queuectl.console.choice import Choice
from queuectl.console.forms import Field, Form
from queuectl.console.link import Link
from queuectl.console.view.header import environment_badge
from queuectl.console.view.look import Line, Look, Span
from queuectl.console.words import plain
from queuectl.model import Outcome, Preview, QueuectlError, RefusedError, ServerError, UsageError

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp

PREVIEW_EVERY_S = 1.0
AROUND_BODY = 6
"""Rows of border, title and buttons, with the blank lines between them."""
SHORT_ROWS = 16
"""Below this the blank lines go."""


class ActionPanel(ModalScreen[Outcome | None]):
    """Asks a form's questions, previews the action they make, commits it on request. Result: the outcome, or None."""

    CSS_PATH = "panel.tcss"
    AUTO_FOCUS = "#cancel"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,ctrl+c", "cancel", "Cancel", show=False),
        Binding("pagedown", "scroll(1)", show=False),
        Binding("pageup", "scroll(-1)", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, form: Form, link: Link) -> None:
        super().__init__()
        self._form = form
        self._link = link
        """What the form was filled in for; never another, whatever is shown by the time of the confirmation."""
        self._server = ""
        """Identity of the server that answered first."""
        self._values = form.defaults()
        self._preview: Preview | None = None
        self._problem = ""
        self._news = ""
        """What the last refused commit said; stays until the operator changes an answer or tries again."""
        self._committing = False
        self._question = 0
        """Number of the newest preview asked for; `_answered_question` follows it."""
        self._answered_question = 0

    @property
    def console(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    @property
    def look(self) -> Look:
        return self.console.look

    @property
    def preview(self) -> Preview | None:
        """What is shown now."""
        return self._preview

    def compose(self) -> ComposeResult:
        signs = self.look.signs
        title = Span(f" {plain(self._form.title, signs)} ", "title", bold=True)
        with Vertical(id="panel") as panel:
            panel.border_subtitle = self.look.dot.join(
                ("tab next", f"{signs.left} {signs.right} choose", "esc cancels")
            )
            yield Lines([(*environment_badge(self.console.environment), title)], id="panel-title")
            yield Lines(id="problem")
            with VerticalScroll(id="panel-body", can_focus=False):
                yield Lines(id="headline")
                yield Lines(id="effects")
                for field in self._form.fields:
                    yield from self._row(field.label, self._editor(field))
                yield from self._row("reason", Input(id="reason", compact=True, placeholder="goes into the audit log"))
                with Horizontal(id="typed-row", classes="row"):
                    yield Static("", id="typed-label", classes="label", markup=False)
                    yield Input(id="typed", compact=True)
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("counting", id="confirm", compact=True, disabled=True)

    def _row(self, label: str, editor: Choice | Input) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Static(label, classes="label")
            yield editor

    def _editor(self, field: Field) -> Choice | Input:
        if field.options:
            return Choice(field.options, field.value, self.look.signs, id=f"field-{field.id}")
        return Input(field.value, id=f"field-{field.id}", compact=True, placeholder=field.hint)

    def on_mount(self) -> None:
        self.set_interval(PREVIEW_EVERY_S, self.ask)
        self.ask()

    @on(Resize)
    def _fit(self) -> None:
        """The buttons stay in sight; what lies between scrolls."""
        short = self.size.height < SHORT_ROWS
        self.set_class(short, "-short")
        around = (AROUND_BODY - 2 if short else AROUND_BODY) + len(self.query_one("#problem", Lines).lines)
        self.query_one("#panel-body").styles.max_height = max(self.size.height - around, 1)

    def action_scroll(self, by: int) -> None:
        body = self.query_one("#panel-body")
        body.scroll_relative(y=by * max(body.size.height - 1, 1), animate=False)

    # Previews: anew every second and after every answer; only the newest question's answer counts.

    def ask(self) -> None:
        """Count anew, unless an answer is still under way."""
        if not self._committing and self._question == self._answered_question:
            self._ask()

    def _ask(self) -> None:
        self._question += 1
        self._preview_now(self._question)

    @work(exclusive=True, group="preview")
    async def _preview_now(self, question: int) -> None:
        try:
            action = self._form.build(self._values)
            self._preview = await self._link.preview(action)
            self._server = self._server or self._preview.server
            self._problem = self._stranger()
        except UsageError as error:
            self._preview, self._problem = None, str(error)
        except QueuectlError as error:
            self._problem = str(error)
        self._answered_question = question
        self._show()

    def _stranger(self) -> str:
        """Why this panel must not act any more; empty: it is still about the server that is shown."""
        if self._link is not self.console.link:
            return f"this was opened on {self._link.address}, and {self.console.link.address} is shown now"
        if self._preview is not None and self._preview.server != self._server:
            return "another server answers here than when this was opened (restart or failover): open it anew"
        return ""

    def _answered(self, field_id: str, value: str) -> None:
        """An answer changed: what was shown no longer holds, so it cannot be confirmed until counted anew."""
        if self._values.get(field_id) == value:
            return
        self._values[field_id] = value
        self._news = ""
        self._preview = None
        self._show()
        self._ask()

    @on(Choice.Changed)
    def _chosen(self, event: Choice.Changed) -> None:
        self._answered(str(event.choice.id).removeprefix("field-"), event.value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        field = str(event.input.id)
        if field.startswith("field-"):
            self._answered(field.removeprefix("field-"), event.value.strip())
        elif field == "typed":
            self._show_confirm()

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    # Showing.

    def _show(self) -> None:
        if not self.query("#confirm"):
            return  # closed while an answer was under way
        preview, signs = self._preview, self.look.signs
        if preview is not None:
            about = "about " if preview.approximate else ""
            count = f" ({about}{preview.affected:,} messages)" if preview.affected else ""
            self.query_one("#headline", Lines).show(
                [(Span(plain(preview.headline, signs), "title", bold=True), Span(count))]
            )
            self.query_one("#effects", Lines).show(self._effects(preview))
        self.query_one("#problem", Lines).show(self._problems(preview))
        self._fit()
        self._show_typed(preview)
        self._show_confirm()

    def _effects(self, preview: Preview) -> list[Line]:
        signs = self.look.signs
        lines = [bullet(plain(text, signs), self.look) for text in preview.effects]
        lines += [(Span(f"  {plain(text, signs)}", "info"),) for text in preview.forecast]
        if not preview.undoable:
            lines.append(bullet("this cannot be undone", self.look, "bad"))
        return lines

    def _problems(self, preview: Preview | None) -> list[Line]:
        signs = self.look.signs
        texts = [self._news, self._problem, preview.refusal if preview else ""]
        lines: list[Line] = [
            (Span(f"{signs.bad} {plain(text, signs)}", "bad"),) for text in dict.fromkeys(texts) if text
        ]
        if preview and preview.nothing and not preview.refusal:
            lines.append((Span("it is already so: nothing would change", "warn"),))
        return lines

    def _show_typed(self, preview: Preview | None) -> None:
        word = preview.confirm_word if preview else ""
        if preview is not None:
            self.query_one("#typed-row").set_class(bool(word), "-asked")
            label = self.query_one("#typed-label", Static)
            if str(label.content) != (text := f"type {plain(word, self.look.signs)}" if word else ""):
                label.update(text)

    def _show_confirm(self) -> None:
        preview = self._preview
        button = self.query_one("#confirm", Button)
        refused = bool(preview and preview.refusal)
        if button.display is refused:
            button.display = not refused
        button.disabled = not self._may_confirm()
        label = "working" if self._committing else plain(preview.verb, self.look.signs) if preview else "counting"
        if self._problem and preview is None:
            label = "not possible"
        if str(button.label) != label:
            button.label = Content(label)

    def _may_confirm(self) -> bool:
        preview = self._preview
        if preview is None or preview.refusal or preview.nothing or self._committing or self._problem:
            return False
        return self.query_one("#typed", Input).value.strip() == preview.confirm_word or not preview.confirm_word

    # Deciding.

    @on(Button.Pressed, "#cancel")
    def action_cancel(self) -> None:
        if not self._committing:
            self.dismiss(None)

    @on(Button.Pressed, "#confirm")
    def _confirmed(self) -> None:
        self._problem = self._stranger() or self._problem
        if not self._may_confirm():
            self._show()
        elif self._preview is not None:
            self._committing = True
            self._news = ""
            self._show_confirm()
            self._commit(self._preview)

    @work(group="commit")
    async def _commit(self, shown: Preview) -> None:
        """Commit exactly what was shown; a refusal says what changed and is counted anew."""
        reason = self.query_one("#reason", Input).value.strip()
        typed = self.query_one("#typed", Input).value.strip()
        try:
            outcome = await self._link.commit(shown, reason=reason, typed=typed)
        except RefusedError as error:
            self._news = f"refused: {error}"
        except ServerError as error:
            self._news = f"no answer ({error}): look into the log before trying again"
        except QueuectlError as error:
            self._news = str(error)
        else:
            self.dismiss(outcome)
            return
        self._committing = False
        self._show()
        self._ask()
