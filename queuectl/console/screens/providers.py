"""Providers: rates, adaptive factor, connections, back-off and why."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.view.providers import COLUMNS, facts, rows
from queuectl.console.view.select import matches
from queuectl.console.widgets.table import LiveTable
from queuectl.model import ProviderState


class ProvidersScreen(ConsoleScreen):
    """One table, a row a provider, and the selected one in words."""

    CSS_PATH = "providers.tcss"
    title_name = "providers"

    def body(self) -> Iterable[Widget]:
        yield RowTable(COLUMNS, id="providers", empty="no providers are known here", ascii=self.look.signs.ascii)
        yield Lines(id="provider", classes="fades")

    def paint(self, picture: Picture) -> None:
        if picture.fleet is None:
            return
        shown = rows(picture.fleet, self.look, dim=picture.stale)
        words = self.filter_words
        self.table().set_rows(
            [row for row in shown if matches(words, row.key, *(cell.text for cell in row.cells.values()))]
        )
        self._show_facts()

    @on(LiveTable.RowHighlighted)
    def _show_facts(self) -> None:
        fleet = self.console.picture().fleet
        found = self._selected()
        lines = facts(found, fleet, self.look, self.size.width) if found and fleet else []
        self.query_one("#provider", Lines).show(lines)

    def _selected(self) -> ProviderState | None:
        fleet = self.console.picture().fleet
        name = self.table().cursor_key
        return next((one for one in fleet.providers if one.name == name), None) if fleet else None

    @on(LiveTable.RowSelected)
    def _chosen(self) -> None:
        self.do_open()

    def do_open(self) -> None:
        """What the provider said, in full, where the terminal is too narrow for it."""
        found = self._selected()
        if found is not None:
            self.console.tell(f"{found.name}: {found.reason or 'it takes what it is given'}")

    def copied(self) -> str:
        return self.table().cursor_key or ""
