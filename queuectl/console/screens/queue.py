"""One queue: large figures, where its messages are, what is in force, its plots, its jobs in claim order."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.containers import Horizontal
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.figures import Figures
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.screens.fleet import CHART_EVERY_S, draw_plot
from queuectl.console.screens.job import JobScreen
from queuectl.console.view import queue as view
from queuectl.console.view.charts import queue_plots
from queuectl.console.view.events import event_line
from queuectl.console.view.header import findings_line
from queuectl.console.view.layout import WIDE_COLUMNS
from queuectl.console.view.look import Line, Span, cut
from queuectl.console.widgets.chart import Chart
from queuectl.console.widgets.table import LiveTable
from queuectl.model import FleetState, JobView, QueuectlError, QueueState
from queuectl.policy.diagnosis import queue_findings

EVENTS = 2
CHART_ROWS = 9
TALL_ROWS = 34
"""From here on there is room for plots and large digits."""
MEDIUM_ROWS = 22


class QueueScreen(ConsoleScreen):
    """Everything about the chosen queue."""

    CSS_PATH = "queue.tcss"
    title_name = "queue"

    def __init__(self) -> None:
        super().__init__()
        self._queue = ""
        self._state = view.STATES[0]
        self._jobs: list[JobView] = []
        self._first = 0
        self._jobs_failure = ""
        self._charted_s = -CHART_EVERY_S

    def choose(self, name: str) -> None:
        """Which queue the screen is about."""
        if name != self._queue:
            self._queue, self._state = name, view.STATES[0]
            self._forget_jobs()
            self._charted_s = -CHART_EVERY_S

    def selected_queue(self) -> str:
        return self._queue

    def body(self) -> Iterable[Widget]:
        ascii_only = self.look.signs.ascii
        yield Figures(self.look.signs, id="figures")
        yield Lines(id="facts")
        charts = [Chart(id=f"chart-{index}", clock=True, zone=self.look.zone, ascii=ascii_only) for index in range(3)]
        yield Horizontal(*charts, id="charts", classes="fades")
        yield Lines(id="queue-events", classes="fades")
        yield Lines(id="jobs-heading")
        yield RowTable(view.JOB_COLUMNS, id="jobs", empty="no jobs here", ascii=ascii_only)

    def alert_line(self, picture: Picture) -> Line:
        queue = self._state_of(picture)
        if queue is None or picture.failure:
            return super().alert_line(picture)
        findings = tuple(sorted(queue_findings(queue), key=lambda finding: -finding.severity))
        if findings:
            return findings_line(findings, self.look, self.size.width)
        return (Span(f" {self.look.signs.ok} ", "ok"), Span(queue.name, "ok", bold=True), Span(" is flowing"))

    def _state_of(self, picture: Picture) -> QueueState | None:
        return picture.fleet.queue(self._queue) if picture.fleet else None

    def paint(self, picture: Picture) -> None:
        queue, fleet = self._state_of(picture), picture.fleet
        if fleet is None:
            return
        self._divide()
        if queue is None:
            self.query_one("#facts", Lines).show([(Span(f" queue {self._queue!r} is no longer there", "warn"),)])
            return
        self.query_one("#figures", Figures).show(view.figures(queue, self.look))
        self.query_one("#facts", Lines).show(self._facts(queue, picture, fleet.taken_at_s))
        self.query_one("#queue-events", Lines).show(self._events(fleet))
        self._paint_charts(picture, fleet)
        self._show_jobs(queue, dim=picture.stale)
        if not picture.stale:
            self._fetch_jobs()

    def _divide(self) -> None:
        rows, columns = self.size.height, self.size.width
        self.set_class(rows < MEDIUM_ROWS, "-short")
        charts = self.query_one("#charts", Horizontal)
        charts.display = rows >= TALL_ROWS
        charts.styles.height = CHART_ROWS if rows < 50 else CHART_ROWS + 4
        for index, chart in enumerate(self.query(Chart)):
            chart.display = index < (3 if columns >= WIDE_COLUMNS else 1)
        self.query_one("#queue-events", Lines).display = rows >= TALL_ROWS

    def _facts(self, queue: QueueState, picture: Picture, now_s: float) -> list[Line]:
        look = self.look
        running = view.operations(picture.operations_on(queue.name), now_s, look)
        lines = [view.tiers(queue, look), *running]
        if self.size.height >= MEDIUM_ROWS:
            lines[1:1] = [view.places(queue, look), *view.policy(queue, look), *view.ledger(queue, look)]
        return [cut(line, self.size.width, look) for line in lines]

    def _events(self, fleet: FleetState) -> list[Line]:
        mine = [entry for entry in fleet.events if entry.scope == self._queue][:EVENTS]
        return [cut(event_line(entry, self.look), self.size.width, self.look) for entry in mine]

    def _paint_charts(self, picture: Picture, fleet: FleetState) -> None:
        now_s = self.console.monotonic()
        if picture.stale or now_s - self._charted_s < CHART_EVERY_S:
            return
        self._charted_s = now_s
        for chart, plot in zip(self.query(Chart), queue_plots(self._queue, picture.samples), strict=True):
            if chart.display:
                draw_plot(chart, plot, fleet, self._queue)

    # Jobs: one page, as many as can be seen, fetched anew with every picture.

    def _forget_jobs(self) -> None:
        self._jobs, self._first, self._jobs_failure = [], 0, ""

    @work(exclusive=True, group="jobs")
    async def _fetch_jobs(self) -> None:
        wanted = (self._queue, self._state, self._first)
        try:
            jobs = await self.console.link.jobs(*wanted, self.page_rows)
            failure = ""
        except QueuectlError as error:
            jobs, failure = self._jobs, str(error)
        if wanted != (self._queue, self._state, self._first) or not self.is_mounted:
            return
        if not jobs and self._first:
            self._first = max(0, self._first - self.page_rows)
            self._fetch_jobs()
            return
        self._jobs, self._jobs_failure = jobs, failure
        picture = self.console.picture()
        queue = self._state_of(picture)
        if queue is not None:
            self._show_jobs(queue, dim=picture.stale)

    def _show_jobs(self, queue: QueueState, *, dim: bool) -> None:
        heading = view.jobs_heading(queue, self._state, self._first, len(self._jobs), self.look)
        if self._jobs_failure:
            heading = (*heading, Span(f"{self.look.dot}{self._jobs_failure}", "bad"))
        self.query_one("#jobs-heading", Lines).show([cut(heading, self.size.width, self.look)])
        unique = {job.job_id: index for index, job in reversed(list(enumerate(self._jobs)))}
        rows = [view.job_row(job, self._first + index + 1, self.look, dim=dim)
                for index, job in enumerate(self._jobs) if unique[job.job_id] == index]  # fmt: skip
        self.table().set_rows(rows)

    def _turn_to(self, first: int) -> None:
        first = max(0, first)
        if first != self._first:
            self._first = first
            self._fetch_jobs()

    def _at(self, index: int) -> bool:
        """Whether the cursor stands on the page's first (0) or last (-1) job."""
        return not self._jobs or self.table().cursor_key == self._jobs[index].job_id

    def do_down(self) -> None:
        if self._at(-1) and len(self._jobs) >= self.page_rows:
            self._turn_to(self._first + 1)
        super().do_down()

    def do_up(self) -> None:
        if self._at(0):
            self._turn_to(self._first - 1)
        super().do_up()

    def do_page_down(self) -> None:
        if len(self._jobs) >= self.page_rows:
            self._turn_to(self._first + self.page_rows)

    def do_page_up(self) -> None:
        self._turn_to(self._first - self.page_rows)

    def do_first(self) -> None:
        self._turn_to(0)
        super().do_first()

    def do_last(self) -> None:
        queue = self._state_of(self.console.picture())
        if queue is not None and self._state == "queued":
            self._turn_to(queue.depth - self.page_rows)
        super().do_last()

    def do_pane(self) -> None:
        self._state = view.STATES[(view.STATES.index(self._state) + 1) % len(view.STATES)]
        self._forget_jobs()
        self.console.paint()

    @on(LiveTable.RowSelected)
    def _chosen(self) -> None:
        self.do_open()

    def do_open(self) -> None:
        key = self.table().cursor_key
        if key is not None:
            self._open(key)

    @work(exclusive=True, group="job")
    async def _open(self, job_id: str) -> None:
        try:
            detail = await self.console.link.job(job_id)
        except QueuectlError as error:
            self.console.tell(str(error), severity="error")
        else:
            await self.console.push_screen(JobScreen(detail))
