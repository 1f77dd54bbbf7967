"""Pools and their worker processes."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.view.select import matches
from queuectl.console.view.workers import COLUMNS, pool_of, rows
from queuectl.console.widgets.table import LiveTable


class WorkersScreen(ConsoleScreen):
    """One table: each pool with its workers below it."""

    title_name = "workers"

    def body(self) -> Iterable[Widget]:
        yield RowTable(COLUMNS, id="workers", empty="no workers", ascii=self.look.signs.ascii)

    def paint(self, picture: Picture) -> None:
        if picture.fleet is None:
            return
        shown = rows(picture.fleet, self.look, dim=picture.stale)
        words = self.filter_words
        self.table().set_rows(
            [row for row in shown if matches(words, row.key, *(cell.text for cell in row.cells.values()))]
        )

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
