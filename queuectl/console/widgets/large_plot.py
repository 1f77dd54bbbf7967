"""The widget around the large plot: drawn anew when it is told to, or when its size or colours changed."""

from __future__ import annotations

from rich.text import Text
from textual.events import Resize
from textual.theme import Theme
from textual.widget import Widget

from queuectl.console.widgets.large import Ink, Inks, draw_large, legend
from queuectl.console.widgets.plot import Style
from queuectl.console.widgets.series import Picture
from queuectl.console.widgets.tones import Palette

LEAST_COLUMNS, LEAST_ROWS = 20, 5


class LargePlot(Widget, can_focus=True):
    """Curves over time as large as the widget."""

    ALLOW_SELECT = False

    def __init__(self, style: Style, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._style = style
        self._picture: Picture | None = None
        self._text = Text()

    @property
    def lines(self) -> list[str]:
        """What is drawn, as plain text."""
        return self._text.plain.split("\n")

    def show(self, picture: Picture) -> None:
        self._picture = picture
        self._redraw()

    def legend(self) -> list[tuple[str, str]]:
        """(text, tone) a curve, for the heading."""
        return legend(self._picture, self._style, self._inks()) if self._picture else []

    def render(self) -> Text:
        return self._text

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._restyle)

    def on_resize(self, _: Resize) -> None:
        self._redraw()

    def _restyle(self, _: Theme) -> None:
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.size
        if self._picture is None or width < LEAST_COLUMNS or height < LEAST_ROWS:
            return
        text = Text.from_ansi(draw_large(self._picture, width, height, self._style, self._inks()), no_wrap=True)
        if text != self._text:
            self._text = text
            self.refresh()

    def _inks(self) -> Inks:
        if self.app.no_color or self.app.ansi_color:
            return Inks({})
        palette = Palette(self)
        tones = ("muted", "series-1", "series-2", "series-3", "series-4")
        return Inks({tone: ink for tone in tones if (ink := _ink(palette, tone)) is not None})


def _ink(palette: Palette, tone: str) -> Ink | None:
    color = palette.style(tone).color
    if color is None:
        return None
    return (color.triplet.red, color.triplet.green, color.triplet.blue) if color.triplet else color.number
