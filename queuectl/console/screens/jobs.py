"""Jobs of any queue in any state: look into one, mark some, retry or delete failed ones."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.forms import Picks
from queuectl.console.picture import Picture
from queuectl.console.screens.base import RowTable
from queuectl.console.screens.job_pages import JobPages
from queuectl.console.view.jobs import STATES, TROUBLE_COLUMNS, chosen_line, keys_line, part_line, tabs
from queuectl.console.view.look import Line, Span, cut
from queuectl.console.view.select import natural_order
from queuectl.console.widgets.table import LiveTable
from queuectl.model import QueueState


class JobsScreen(JobPages):
    """One table; the lines above it say which list it is, what is filtered and what is marked."""

    CSS_PATH = "jobs.tcss"
    title_name = "jobs"

    def body(self) -> Iterable[Widget]:
        yield Lines(id="jobs-tabs")
        yield Lines(id="jobs-heading")
        yield RowTable(TROUBLE_COLUMNS, id="jobs", empty="no jobs here", markable=True, ascii=self.look.signs.ascii)

    def paint(self, picture: Picture) -> None:
        if picture.fleet is None:
            return
        queue = self.state_of(picture)
        if queue is None:
            gone: Line = (Span(f" queue {self._queue!r} is not there", "warn"),)
            self.query_one("#jobs-tabs", Lines).show([gone])
            return
        self.paint_jobs(queue, picture)

    def show_heading(self, queue: QueueState) -> None:
        columns = self.size.width
        line = (*part_line(queue, self._state, self._first, len(self._jobs)),
                *chosen_line(self._jobs, self.filter_words, len(self.table().marked), self.look))  # fmt: skip
        if len(line) == 1:
            line = (*line, *keys_line(self.look))
        if self._failure:
            line = (*line, Span(f"{self.look.dot}{self._failure}", "bad"))
        self.query_one("#jobs-tabs", Lines).show([tabs(queue, self._state, self.look, columns)])
        self.query_one("#jobs-heading", Lines).show([cut(line, columns, self.look)])

    def forget_jobs(self) -> None:
        super().forget_jobs()
        if self.is_mounted:
            self.table().clear_marks()

    def picks(self) -> Picks:
        """The failed jobs that retry and delete may be about; none while another list is in sight."""
        if self._state != "failed":
            return Picks()
        table = self.table()
        matching = table.keys if self.filter_words else ()
        return Picks(tuple(sorted(table.marked)), table.cursor_key or "", matching, self.filter_words)

    def acted(self) -> None:
        """What was marked has been acted on."""
        self.table().clear_marks()

    @on(LiveTable.MarksChanged)
    def _marks_changed(self) -> None:
        queue = self.state_of(self.console.picture())
        if queue is not None:
            self.show_heading(queue)

    def do_mark(self) -> None:
        self.table().action_mark()

    def do_mark_page(self) -> None:
        self.table().toggle_marks()

    async def do_back(self) -> None:
        """Esc takes marks away before it leaves."""
        if self.table().marked and not self.prompting and not self.filter_words:
            self.table().clear_marks()
        else:
            await super().do_back()

    def do_queue_next(self) -> None:
        self._other_queue(1)

    def do_queue_previous(self) -> None:
        self._other_queue(-1)

    def _other_queue(self, by: int) -> None:
        """The next queue in the fleet's order; the list stays the same kind."""
        fleet = self.console.picture().fleet
        names = [queue.name for queue in sorted(fleet.queues, key=natural_order)] if fleet else []
        if names:
            place = names.index(self._queue) + by if self._queue in names else 0
            self.choose(names[place % len(names)], self._state)
            self.console.paint()

    def do_state_previous(self) -> None:
        self.choose(self._queue, STATES[STATES.index(self._state) - 1])
        self.console.paint()
