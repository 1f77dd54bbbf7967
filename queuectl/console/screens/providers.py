"""Providers: rates, adaptive factor, connections, back-off and why."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on, work
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen, RowTable
from queuectl.console.screens.plots import PlotRow
from queuectl.console.view.charts import MINUTE_S, replies_plot, use_plot
from queuectl.console.view.layout import plots_below
from queuectl.console.view.providers import COLUMNS, facts, reply_texts, rows
from queuectl.console.widgets.table import LiveTable
from queuectl.model import ProviderState, QueuectlError, ReplyHistory
from queuectl.policy.matching import matches

USE_PLOT = 6
"""Its place among the fleet's plots."""
TEXT_ROWS = 4


class ProvidersScreen(ConsoleScreen):
    """One table, a row a provider, and the selected one in words."""

    CSS_PATH = "providers.tcss"
    title_name = "providers"

    def __init__(self) -> None:
        super().__init__()
        self._replies = ReplyHistory(0.0)
        self._replies_of = ""
        self._asked: object = None

    def body(self) -> Iterable[Widget]:
        yield RowTable(COLUMNS, id="providers", empty="no providers are known here", ascii=self.look.signs.ascii)
        yield Lines(id="provider", classes="fades")
        yield PlotRow(2, self.look)

    @property
    def plotted_first(self) -> int:
        return USE_PLOT

    def paint(self, picture: Picture) -> None:
        if picture.fleet is None:
            return
        shown = rows(picture.fleet, self.look, dim=picture.stale)
        words = self.filter_words
        self.table().set_rows(
            [row for row in shown if matches(words, row.key, *(cell.text for cell in row.cells.values()))]
        )
        self._show_selected()

    @on(LiveTable.RowHighlighted)
    def _show_selected(self) -> None:
        picture, found = self.console.picture(), self._selected()
        if found is None or picture.fleet is None:
            return
        self._ask_for_replies(found.name, picture)
        replies = self._replies if self._replies_of == found.name else None
        lines = facts(found, picture.fleet, self.look, self.size.width)
        lines += reply_texts(replies, self.look, self.size.width, TEXT_ROWS) if replies else []
        self.query_one("#provider", Lines).show(lines)
        self._show_plots(found.name, replies, picture)

    def _show_plots(self, name: str, replies: ReplyHistory | None, picture: Picture) -> None:
        plots, samples = self.query_one(PlotRow), picture.samples
        plots.fit(plots_below(self.size.width, self.size.height, 2)[0])
        known = replies or ReplyHistory(0.0)
        what = (name, known.start_s if replies else 0.0)
        plots.show([lambda: use_plot([name], samples), lambda: replies_plot(name, known)], picture,
                   self.console.monotonic(), what=what)  # fmt: skip

    def _ask_for_replies(self, name: str, picture: Picture) -> None:
        """Once a minute: so often they are counted."""
        now_s = picture.fleet.taken_at_s if picture.fleet else 0.0
        asked = (name, picture.span_s, now_s // MINUTE_S)
        if asked != self._asked and not picture.stale:
            self._asked = asked
            self._read_replies(name, picture.span_s)

    @work(exclusive=True, group="replies")
    async def _read_replies(self, name: str, span_s: float) -> None:
        """What cannot be read now is tried again in its time: the alert line says that the server is away."""
        try:
            replies = await self.console.link.replies(name, span_s)
        except QueuectlError:
            return
        self._replies, self._replies_of = replies, name
        if self.is_mounted:
            self._show_selected()

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
