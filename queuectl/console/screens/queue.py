"""One queue: large figures, tiers, what is in force, plots, why jobs failed, ages, and its jobs in claim order."""

from __future__ import annotations

from collections.abc import Iterable

from textual import work
from textual.containers import Horizontal
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.figures import Figures
from queuectl.console.picture import Picture
from queuectl.console.screens.base import RowTable
from queuectl.console.screens.job_pages import JobPages
from queuectl.console.screens.plots import PlotRow
from queuectl.console.view import queue as view
from queuectl.console.view.charts import queue_plots
from queuectl.console.view.events import event_line
from queuectl.console.view.header import findings_line
from queuectl.console.view.insight import age_lines, error_lines
from queuectl.console.view.jobs import JOB_COLUMNS, jobs_heading
from queuectl.console.view.layout import WIDE_COLUMNS
from queuectl.console.view.look import Line, Span, cut
from queuectl.model import FleetState, ProviderState, QueuectlError, QueueSamples, QueueState
from queuectl.policy.diagnosis import queue_findings
from queuectl.policy.fleet_findings import provider_of

EVENTS = 2
CHART_ROWS = 9
TALL_ROWS = 34
"""From here on there is room for plots and large digits."""
MEDIUM_ROWS = 22
INSIGHT_ROWS = 6
INSIGHT_FROM_ROWS = 40
AGE_COLUMNS = 71
SAMPLE_EVERY_S = 10.0
"""A sample is some hundred kilobytes from the server; what it shows moves slowly."""


class QueueScreen(JobPages):
    """Everything about the chosen queue."""

    CSS_PATH = "queue.tcss"
    title_name = "queue"

    def __init__(self) -> None:
        super().__init__()
        self._sampled_s = -SAMPLE_EVERY_S
        self._samples: QueueSamples | None = None

    def choose(self, name: str, state: str = "") -> None:
        if name != self._queue:
            self._sampled_s, self._samples = -SAMPLE_EVERY_S, None
        super().choose(name, state)

    def body(self) -> Iterable[Widget]:
        ascii_only = self.look.signs.ascii
        yield Figures(self.look.signs, id="figures")
        yield Lines(id="facts")
        yield PlotRow(3, self.look)
        yield Horizontal(Lines(id="errors"), Lines(id="ages"), id="insight", classes="fades")
        yield Lines(id="queue-events", classes="fades")
        yield Lines(id="jobs-heading")
        yield RowTable(JOB_COLUMNS, id="jobs", empty="no jobs here", ascii=ascii_only)

    @property
    def plotted_queue(self) -> str:
        return self._queue

    def alert_line(self, picture: Picture) -> Line:
        queue = self.state_of(picture)
        if queue is None or picture.failure:
            return super().alert_line(picture)
        found = queue_findings(queue, self._provider(picture, queue))
        findings = tuple(sorted(found, key=lambda finding: -finding.severity))
        if findings:
            return findings_line(findings, self.look, self.size.width)
        return (Span(f" {self.look.signs.ok} ", "ok"), Span(queue.name, "ok", bold=True), Span(" is flowing"))

    def _provider(self, picture: Picture, queue: QueueState) -> ProviderState | None:
        return provider_of(picture.fleet, queue.policy.provider) if picture.fleet else None

    def paint(self, picture: Picture) -> None:
        queue, fleet = self.state_of(picture), picture.fleet
        if fleet is None:
            return
        self._divide()
        if queue is None:
            self.query_one("#facts", Lines).show([(Span(f" queue {self._queue!r} is no longer there", "warn"),)])
            return
        self.query_one("#figures", Figures).show(view.figures(queue, self.look))
        self.query_one("#facts", Lines).show(self._facts(queue, picture, fleet.taken_at_s))
        self.query_one("#queue-events", Lines).show(self._events(fleet))
        self.query_one(PlotRow).show(queue_plots(queue.name, fleet, picture.samples), picture, self.console.monotonic(),
                                     queue=queue.name)  # fmt: skip
        self._paint_insight(picture)
        self.paint_jobs(queue, picture)

    def show_heading(self, queue: QueueState) -> None:
        heading = jobs_heading(queue, self._state, self._first, len(self._jobs), self.look)
        if self._failure:
            heading = (*heading, Span(f"{self.look.dot}{self._failure}", "bad"))
        self.query_one("#jobs-heading", Lines).show([cut(heading, self.size.width, self.look)])

    def _divide(self) -> None:
        rows, columns = self.size.height, self.size.width
        self.set_class(rows < MEDIUM_ROWS or columns < WIDE_COLUMNS, "-short")
        charts = 0 if rows < TALL_ROWS else 3 if columns >= WIDE_COLUMNS else 1
        self.query_one(PlotRow).fit(charts, CHART_ROWS if rows < 50 else CHART_ROWS + 4)
        self.query_one("#queue-events", Lines).display = rows >= TALL_ROWS
        insight = self.query_one("#insight", Horizontal)
        insight.display = rows >= INSIGHT_FROM_ROWS and columns >= WIDE_COLUMNS
        insight.styles.height = self._insight_rows

    @property
    def _insight_rows(self) -> int:
        return INSIGHT_ROWS if self.size.height < 50 else INSIGHT_ROWS + 4

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

    # What a sample of the queue's jobs tells, read anew now and then.

    def _paint_insight(self, picture: Picture) -> None:
        if not self.query_one("#insight", Horizontal).display:
            return
        now_s = self.console.monotonic()
        if not picture.stale and now_s - self._sampled_s >= SAMPLE_EVERY_S:
            self._sampled_s = now_s
            self._sample(self._queue)
        self._show_samples()

    @work(exclusive=True, group="samples")
    async def _sample(self, queue: str) -> None:
        """What cannot be read now is tried again in its time: the alert line says that the server is away."""
        try:
            samples = await self.console.link.samples(queue)
        except QueuectlError:
            return
        if queue == self._queue and self.is_mounted:
            self._samples = samples
            self._show_samples()

    def _show_samples(self) -> None:
        rows, columns = self._insight_rows, self.size.width - AGE_COLUMNS
        samples = self._samples
        self.query_one("#errors", Lines).show(error_lines(samples, rows, columns, self.look) if samples else [])
        self.query_one("#ages", Lines).show(age_lines(samples, rows, AGE_COLUMNS, self.look) if samples else [])
