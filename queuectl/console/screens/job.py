"""One job in full. Nothing of it is executed: a pickle is shown as its disassembly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from queuectl.console import words
from queuectl.console.bars import Lines
from queuectl.console.view.header import environment_badge
from queuectl.console.view.look import Line, Look, Span
from queuectl.model import JobDetail, QueuectlError

if TYPE_CHECKING:
    from queuectl.console.app import ConsoleApp


def job_lines(detail: JobDetail, look: Look) -> list[Line]:
    """Facts, then the mail's text, fields, body and results."""
    view, signs = detail.view, look.signs
    facts = [("queue", view.queue), ("state", view.state), ("age", words.age(view.age_s, signs)),
             ("attempts", str(view.attempts)), ("what", view.summary), ("error", view.error)]  # fmt: skip
    lines = [_fact(name, value, look) for name, value in facts if value]
    if detail.text:
        lines += [(), (Span("text", "title", bold=True),), *_text(detail.text, look)]
    lines += [(), (Span("fields", "title", bold=True),)]
    lines += [_fact(name, value, look) for name, value in sorted(detail.fields.items())]
    lines += [(), (Span(f"body ({detail.encoding})", "title", bold=True),)]
    lines += _text(detail.body, look)
    for number, result in enumerate(detail.results, 1):
        lines += [(), (Span(f"result {number}", "title", bold=True),), *_text(result, look)]
    return lines


def _fact(name: str, value: str, look: Look) -> Line:
    return (Span(f"  {words.plain(name, look.signs):<14} ", "muted"), Span(words.plain(value, look.signs)))


def _text(text: str, look: Look) -> list[Line]:
    return [(Span(f"  {words.plain(line, look.signs)}"),) for line in text.splitlines()]


class JobScreen(ModalScreen[None]):
    """Scrolls; R reveals the address, which the audit log then tells; Esc or Enter closes."""

    CSS_PATH = "job.tcss"
    AUTO_FOCUS = "#job-body"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,ctrl+c", "close", "Close", show=False),
        Binding("R", "reveal", "Reveal the address", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, detail: JobDetail, reveal: Callable[[], Awaitable[str]]) -> None:
        """`reveal` gives the job's address, from the server that it is on, whatever the console shows by then."""
        super().__init__()
        self._detail = detail
        self._reveal = reveal

    def compose(self) -> ComposeResult:
        console = cast("ConsoleApp", self.app)
        title = Span(f"job {words.plain(self._detail.view.job_id, console.look.signs)}", "title", bold=True)
        badge = environment_badge(console.environment)
        yield Lines([(*badge, title, Span("  esc closes   R reveals the address, on record", "muted"))], id="job-title")
        with VerticalScroll(id="job-body"):
            yield Lines(job_lines(self._detail, console.look), id="job-lines")

    @work(exclusive=True)
    async def action_reveal(self) -> None:
        console = cast("ConsoleApp", self.app)
        try:
            address = await self._reveal()
        except QueuectlError as error:
            console.tell(str(error), severity="error")
            return
        shown = _fact("to", f"{address}  (the audit log says that you looked)", console.look)
        self.query_one("#job-lines", Lines).show([shown, *job_lines(self._detail, console.look)])

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll(self, by: int) -> None:
        self.query_one("#job-body").scroll_relative(y=by, animate=False)
