"""The fleet: all queues, three plots, the newest events."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Horizontal
from textual.markup import escape
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.view.charts import Plot, fleet_plots, markers, span_s
from queuectl.console.view.events import event_lines
from queuectl.console.view.fleet import COLUMNS, row
from queuectl.console.view.layout import Layout, fleet_layout
from queuectl.console.view.look import Line, Span, cut
from queuectl.console.view.select import SORT_KEYS, Order, filter_queues, first_order, sort_queues
from queuectl.console.widgets.chart import Chart
from queuectl.console.widgets.table import LiveTable
from queuectl.model import FleetState

CHART_EVERY_S = 5.0
"""A column of dots stands for about 8 s at 120 columns; each redraw costs a kilobyte or two on the line."""


def draw_plot(chart: Chart, plot: Plot, fleet: FleetState, queue: str) -> None:
    """The last minutes, with the acts on a queue (empty: on any) marked."""
    chart.set_markers(markers(fleet.events, queue))
    chart.set_series(
        plot.series,
        end_s=fleet.taken_at_s,
        span_s=span_s(plot.series, fleet.taken_at_s),
        unit=plot.unit,
        title=escape(plot.title),
    )


class FleetScreen(ConsoleScreen):
    """Home."""

    CSS_PATH = "fleet.tcss"
    title_name = "fleet"

    def __init__(self) -> None:
        super().__init__()
        self._order: Order | None = None
        self._pane = 0
        self._only_selected = False
        self._charted_s = -CHART_EVERY_S

    def body(self) -> Iterable[Widget]:
        ascii_only = self.look.signs.ascii
        yield RowTable(COLUMNS, id="queues", empty="no queues yet", ascii=ascii_only)
        charts = [Chart(id=f"chart-{index}", clock=True, zone=self.look.zone, ascii=ascii_only) for index in range(3)]
        yield Horizontal(*charts, id="charts", classes="fades")
        yield Lines(id="events", classes="fades")

    def selected_queue(self) -> str:
        return self.table().cursor_key or ""

    def paint(self, picture: Picture) -> None:
        fleet = picture.fleet
        if fleet is None:
            return
        queues = sort_queues(filter_queues(fleet.queues, self.filter_words), self._order)
        layout = fleet_layout(self.size.width, self.size.height, len(fleet.queues), len(fleet.events))
        self._divide(layout)
        self.table().set_rows([row(queue, self.look, dim=picture.stale) for queue in queues])
        self.query_one("#events", Lines).show(self._events(fleet, layout.event_rows))
        self._paint_charts(picture)

    def alert_line(self, picture: Picture) -> Line:
        line = super().alert_line(picture)
        if not self.filter_words or picture.fleet is None:
            return line
        shown = len(filter_queues(picture.fleet.queues, self.filter_words))
        note = f" filter {self.filter_words!r}: {shown} of {len(picture.fleet.queues)} queues (esc clears) "
        return (Span(note, "accent", badge=True), *cut(line, max(self.size.width - len(note), 1), self.look))

    def _divide(self, layout: Layout) -> None:
        self.table().styles.height = layout.table
        charts = self.query_one("#charts", Horizontal)
        charts.display = layout.charts > 0
        charts.styles.height = max(layout.chart_rows, 1)
        for index, chart in enumerate(self.query(Chart)):
            chart.display = layout.charts == 3 or index == self._pane
        events = self.query_one("#events", Lines)
        events.display = layout.event_rows > 0
        events.styles.height = max(layout.event_rows, 1)

    def _events(self, fleet: FleetState, rows: int) -> list[Line]:
        heading: Line = (Span(" EVENTS", "muted", bold=True),)
        lines = [heading, *event_lines(fleet.events, self.look, rows - 1)] if rows else []
        return [cut(line, self.size.width, self.look) for line in lines]

    # Plots: every few seconds, at once when the operator asked for something else.

    def _paint_charts(self, picture: Picture) -> None:
        now_s = self.console.monotonic()
        if now_s - self._charted_s >= CHART_EVERY_S and not picture.stale:
            self._charted_s = now_s
            self._draw_charts(picture)

    def _draw_charts(self, picture: Picture) -> None:
        fleet = picture.fleet
        if fleet is None:
            return
        selected = self.selected_queue() if self._only_selected else ""
        plots = fleet_plots(fleet, picture.samples, selected, self.look)
        for chart, plot in zip(self.query(Chart), plots, strict=True):
            if chart.display:
                draw_plot(chart, plot, fleet, selected)

    def redraw_charts(self) -> None:
        self.call_after_refresh(lambda: self._draw_charts(self.console.picture()))

    @on(LiveTable.RowHighlighted)
    def _moved(self) -> None:
        if self._only_selected:
            self.redraw_charts()

    @on(LiveTable.RowSelected)
    async def _chosen(self) -> None:
        await self.do_open()

    @on(LiveTable.HeaderClicked)
    def _heading(self, event: LiveTable.HeaderClicked) -> None:
        same = self._order is not None and self._order.column == event.column_key
        if same:
            self.do_reverse()
        else:
            self._sort(first_order(event.column_key))

    def _sort(self, order: Order | None) -> None:
        self._order = order
        self.table().set_sorted(order.column if order else None, bool(order and order.descending))
        self.console.paint()

    def do_sort(self) -> None:
        """The next column; after the last, the natural order again."""
        columns = [column.key for column in COLUMNS if column.key in SORT_KEYS]
        following = columns.index(self._order.column) + 1 if self._order else 0
        self._sort(first_order(columns[following]) if following < len(columns) else None)

    def do_reverse(self) -> None:
        if self._order is None:
            self._sort(Order("queue", descending=True))
        else:
            self._sort(Order(self._order.column, not self._order.descending))

    async def do_open(self) -> None:
        await self.console.open_queue(self.selected_queue())

    def do_pane(self) -> None:
        self._pane = (self._pane + 1) % 3
        self.console.paint()
        self.redraw_charts()

    def do_scope(self) -> None:
        self._only_selected = not self._only_selected
        self.redraw_charts()
