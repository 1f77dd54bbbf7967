"""One plot over the whole screen, drawn with plotext."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import work
from textual.widget import Widget

from queuectl.console.bars import Lines
from queuectl.console.picture import Picture
from queuectl.console.screens.base import ConsoleScreen
from queuectl.console.screens.plots import every_s
from queuectl.console.view import charts
from queuectl.console.view.charts import Maker, Plot
from queuectl.console.view.look import Line, Span, cut
from queuectl.console.widgets.large_plot import LargePlot
from queuectl.console.widgets.plot import Style
from queuectl.console.words import duration
from queuectl.model import QueuectlError, ReplyHistory


class PlotScreen(ConsoleScreen):
    """The plots of the fleet or of one queue, one at a time, as large as there is room."""

    AUTO_FOCUS = "LargePlot"
    CSS_PATH = "plot.tcss"
    title_name = "plot"

    def __init__(self) -> None:
        super().__init__()
        self.came_from = "fleet"
        self._queue = ""
        self._index = 0
        self._drawn: object = None
        self._drawn_s = 0.0
        self._replies: dict[str, ReplyHistory] = {}
        self._replies_asked: object = None

    def choose(self, queue: str, came_from: str, index: int) -> None:
        """What to show: of a queue, or (empty) of the fleet; and where Esc leads back to."""
        self._queue, self.came_from, self._index, self._drawn = queue, came_from, index, None

    def body(self) -> Iterable[Widget]:
        yield Lines(id="plot-title")
        yield LargePlot(Style(self.look.signs, clock=True, zone=self.look.zone), id="large", classes="fades")

    def selected_queue(self) -> str:
        return self._queue

    def copied(self) -> str:
        return self._queue

    def paint(self, picture: Picture) -> None:
        makers = self._makers(picture)
        if not makers:
            return
        now_s = self.console.monotonic()
        what = (self._queue, self._index, picture.span_s, picture.history, self._replies_asked, self.size)
        if what == self._drawn and (picture.stale or now_s - self._drawn_s < every_s(picture.span_s)):
            return
        self._drawn, self._drawn_s = what, now_s
        self._draw(makers[self._index % len(makers)](), picture, len(makers))

    def _draw(self, plot: Plot, picture: Picture, count: int) -> None:
        shown = charts.drawing(plot, picture, self._queue)
        large = self.query_one("#large", LargePlot)
        large.show(shown)
        heading: Line = (
            Span(f" {plot.title}", "title", bold=True),
            Span(
                f"{self.look.dot}last {duration(shown.span_s)}{self.look.dot}{self._index % count + 1} of {count} ",
                "muted",
            ),
            *(Span(f"  {text}", tone) for text, tone in large.legend()),
        )
        self.query_one("#plot-title", Lines).show([cut(heading, self.size.width, self.look)])

    def _makers(self, picture: Picture) -> Sequence[Maker]:
        """The plots, and the replies of the provider that the queue is delivered by, or of each one there is."""
        if picture.fleet is None:
            return ()
        providers = charts.providers_of(self._queue, picture.fleet)
        self._ask_for_replies(providers, picture)
        return (
            *charts.plots(picture, self._queue, self.look),
            *(lambda name=name, replies=self._replies[name]: charts.replies_plot(name, replies)
              for name in providers if name in self._replies),
        )  # fmt: skip

    def _ask_for_replies(self, providers: Sequence[str], picture: Picture) -> None:
        fleet = picture.fleet
        now_s = fleet.taken_at_s if fleet else 0.0
        asked = (tuple(providers), picture.span_s, now_s // charts.MINUTE_S)
        if asked != self._replies_asked and not picture.stale:
            self._replies_asked = asked
            self._read_replies(providers, picture.span_s)

    @work(exclusive=True, group="replies")
    async def _read_replies(self, providers: Sequence[str], span_s: float) -> None:
        """Once a minute, which is how often they are counted; what fails now is asked for again then."""
        try:
            self._replies = {name: await self.console.link.replies(name, span_s) for name in providers}
        except QueuectlError:
            return
        self._drawn = None
        self.console.paint()

    # Moving: from plot to plot.

    def do_pane(self) -> None:
        self._turn(1)

    def do_down(self) -> None:
        self._turn(1)

    def do_up(self) -> None:
        self._turn(-1)

    def do_first(self) -> None:
        self._index = 0
        self.console.paint()

    def do_last(self) -> None:
        self._index = len(self._makers(self.console.picture())) - 1
        self.console.paint()

    def do_page_down(self) -> None:
        self._turn(1)

    def do_page_up(self) -> None:
        self._turn(-1)

    def do_columns_more(self) -> None:
        self._turn(1)

    def do_columns_back(self) -> None:
        self._turn(-1)

    def _turn(self, by: int) -> None:
        self._index = (self._index + by) % max(len(self._makers(self.console.picture())), 1)
        self.console.paint()

    async def do_plot(self) -> None:
        await self.console.go(self.came_from)

    async def do_open(self) -> None:
        await self.do_plot()

    async def leave(self) -> None:
        await self.do_plot()

    def rest(self) -> None:
        self.query_one("#large", LargePlot).focus()
