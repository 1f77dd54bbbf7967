"""A row of plots: as many as fit, redrawn every few seconds, at once when something else is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.markup import escape

from queuectl.console.picture import Picture
from queuectl.console.view.charts import Maker, drawing
from queuectl.console.view.look import Look
from queuectl.console.widgets.chart import Chart

LEAST_EVERY_S, MOST_EVERY_S = 5.0, 15.0
"""A redraw costs a kilobyte or two on the line, and a column of dots stands for some seconds."""
DOT_COLUMNS = 180


def every_s(span_s: float) -> float:
    """How often a plot of such a range is redrawn, seconds."""
    return min(max(LEAST_EVERY_S, span_s / DOT_COLUMNS), MOST_EVERY_S)


class PlotRow(Horizontal):
    """`most` charts side by side, of which `fit` says how many are in sight."""

    def __init__(self, most: int, look: Look, *, id: str = "charts") -> None:
        super().__init__(id=id, classes="fades")
        self._most = most
        self._look = look
        self._fit = most
        self._drawn_s = 0.0
        self._drawn: object = None
        """What was drawn last; something else is drawn at once."""

    def compose(self) -> ComposeResult:
        look = self._look
        for index in range(self._most):
            yield Chart(id=f"chart-{index}", clock=True, zone=look.zone, ascii=look.signs.ascii)

    @property
    def charts(self) -> Iterable[Chart]:
        return self.query(Chart)

    def fit(self, count: int, rows: int | None = None) -> None:
        """Show `count` of the charts (0: none), `rows` high; None: as high as there is room."""
        self._fit = count
        self.display = count > 0
        self.styles.height = "1fr" if rows is None else max(rows, 1)
        for index, chart in enumerate(self.charts):
            chart.display = index < count

    def show(self, makers: Sequence[Maker], picture: Picture, now_s: float, *, queue: str = "", first: int = 0,
             what: object = None) -> None:  # fmt: skip
        """Draw from `makers[first]` on, round and round, when it is time to. `queue`: whose events are marked;
        `what`: what else makes them other plots."""
        what = (what, queue, first, self._fit, picture.span_s, picture.history)
        due = now_s - self._drawn_s >= every_s(picture.span_s)
        if not makers or not self.display or (what == self._drawn and (picture.stale or not due)):
            return
        self._drawn, self._drawn_s = what, now_s
        for place, chart in enumerate(self.charts):
            if chart.display:
                plot = makers[(first + place) % len(makers)]()
                chart.show(drawing(plot, picture, queue), escape(plot.title))
