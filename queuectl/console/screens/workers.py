"""Pools and their worker processes."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.screens.plots import PlotRow
from queuectl.console.view.charts import fleet_plots
from queuectl.console.view.layout import plots_below
from queuectl.console.view.workers import COLUMNS, pool_of, rows
from queuectl.console.widgets.table import LiveTable
from queuectl.policy.matching import matches

RATE_PLOT, BUSY_PLOT = 1, 5
"""Their places among the fleet's plots."""


class WorkersScreen(ConsoleScreen):
    """One table: each pool with its workers below it."""

    CSS_PATH = "workers.tcss"
    title_name = "workers"

    def body(self) -> Iterable[Widget]:
        yield RowTable(COLUMNS, id="workers", empty="no workers", ascii=self.look.signs.ascii)
        yield PlotRow(2, self.look)

    @property
    def plotted_first(self) -> int:
        return BUSY_PLOT

    def paint(self, picture: Picture) -> None:
        if picture.fleet is None:
            return
        shown = rows(picture.fleet, self.look, dim=picture.stale)
        words = self.filter_words
        self.table().set_rows(
            [row for row in shown if matches(words, row.key, *(cell.text for cell in row.cells.values()))]
        )
        plots = self.query_one(PlotRow)
        plots.fit(*plots_below(self.size.width, self.size.height, 2))
        makers = fleet_plots(picture.fleet, picture.samples, self.look)
        plots.show([makers[BUSY_PLOT], makers[RATE_PLOT]], picture, self.console.monotonic())

    def pool_name(self) -> str:
        """The pool of the selected row."""
        fleet = self.console.picture().fleet
        return pool_of(self.table().cursor_key or "", fleet) if fleet else ""

    @on(LiveTable.RowSelected)
    def _chosen(self) -> None:
        self.do_open()

    def do_open(self) -> None:
        """Enter on a worker or pool: scale it."""
        self.console.steer("scale")
