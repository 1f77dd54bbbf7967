"""The fleet: all queues, three plots, the newest events."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.screens.plots import PlotRow
from queuectl.console.view.charts import plots
from queuectl.console.view.events import event_lines
from queuectl.console.view.fleet import COLUMNS, row
from queuectl.console.view.layout import Layout, fleet_layout
from queuectl.console.view.look import Line, Span, cut
from queuectl.console.view.select import SORT_KEYS, Order, filter_queues, first_order, sort_queues
from queuectl.console.widgets.table import LiveTable
from queuectl.model import FleetState

MOST_PLOTS = 3


class FleetScreen(ConsoleScreen):
    """Home."""

    CSS_PATH = "fleet.tcss"
    title_name = "fleet"

    def __init__(self) -> None:
        super().__init__()
        self._order: Order | None = None
        self._first_plot = 0
        self._only_selected = False
        self._plots_shown = 1

    def body(self) -> Iterable[Widget]:
        ascii_only = self.look.signs.ascii
        yield RowTable(COLUMNS, id="queues", empty="no queues yet", ascii=ascii_only)
        yield PlotRow(MOST_PLOTS, self.look)
        yield PlotRow(MOST_PLOTS, self.look, id="charts-below")
        yield Lines(id="events", classes="fades")

    def selected_queue(self) -> str:
        return self.table().cursor_key or ""

    def paint(self, picture: Picture) -> None:
        fleet = picture.fleet
        if fleet is None:
            return
        queues = sort_queues(filter_queues(fleet.queues, self.filter_words), self._order)
        layout = fleet_layout(self.size.width, self.rows, len(fleet.queues), len(fleet.events))
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
        self._plots_shown = max(layout.charts * layout.chart_lines, 1)
        for line, charts in enumerate(self.query(PlotRow)):
            charts.fit(layout.charts if line < layout.chart_lines else 0, layout.chart_rows)
        events = self.query_one("#events", Lines)
        events.display = layout.event_rows > 0
        events.styles.height = max(layout.event_rows, 1)

    def _events(self, fleet: FleetState, rows: int) -> list[Line]:
        heading: Line = (Span(" EVENTS", "muted", bold=True),)
        lines = [heading, *event_lines(fleet.events, self.look, rows - 1)] if rows else []
        return [cut(line, self.size.width, self.look) for line in lines]

    @property
    def plotted_queue(self) -> str:
        """The queue that the plots are about; empty: all of them."""
        return self.selected_queue() if self._only_selected else ""

    @property
    def plotted_first(self) -> int:
        return self._first_plot

    def _paint_charts(self, picture: Picture) -> None:
        queue, now_s = self.plotted_queue, self.console.monotonic()
        makers = plots(picture, queue, self.look)
        for line, charts in enumerate(self.query(PlotRow)):
            charts.show(makers, picture, now_s, queue=queue, first=self._first_plot + line * MOST_PLOTS)

    @on(LiveTable.RowHighlighted)
    def _moved(self) -> None:
        if self._only_selected:
            self._paint_charts(self.console.picture())

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
        count = len(plots(self.console.picture(), self.plotted_queue, self.look))
        self._first_plot = (self._first_plot + self._plots_shown) % max(count, 1)
        self._paint_charts(self.console.picture())

    def do_scope(self) -> None:
        self._only_selected = not self._only_selected
        self._first_plot = 0
        self._paint_charts(self.console.picture())
