"""A line chart by line API: repaints the lines that changed and nothing else."""

from __future__ import annotations

from datetime import tzinfo

from textual.geometry import Region, Size
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from queuectl.console.glyphs import glyphs
from queuectl.console.widgets.plot import Line, Style, draw
from queuectl.console.widgets.series import Picture
from queuectl.console.widgets.tones import Palette


class Chart(Widget):
    """Curves over time, from 0 up, with a legend, axes in real units and event marks. Braille, or ASCII marks.

    `clock` shows local time of day (in `zone`, None the machine's) on the time axis instead of ages.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    Chart { height: 1fr; width: 1fr; min-height: 1; }
    """

    def __init__(
        self, *, id: str | None = None, classes: str | None = None, clock: bool = False, zone: tzinfo | None = None,
        ascii: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self._style = Style(glyphs(ascii), clock, zone)
        self._picture = Picture()
        self._lines: tuple[Line, ...] = ()
        self._drawn_size = Size(0, 0)
        self._palette: Palette | None = None
        self._strips: dict[int, Strip] = {}

    @property
    def lines(self) -> tuple[str, ...]:
        """What is drawn, as plain text."""
        return tuple("".join(text for text, _, _ in line) for line in self._lines)

    def show(self, picture: Picture, title: str = "") -> None:
        """Show these curves. `title` goes into the border, if CSS gives one."""
        if title and title != self.border_title:
            self.border_title = title
        self._picture = picture
        self._redraw()

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._restyle)

    def on_resize(self) -> None:
        self._redraw()

    def notify_style_update(self) -> None:
        self._palette = None
        self._strips.clear()
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        if self.size != self._drawn_size:
            self._redraw()
        if y not in self._strips:
            if self._palette is None:
                self._palette = Palette(self)
            line = self._lines[y] if y < len(self._lines) else ()
            self._strips[y] = self._palette.strip(line, self.size.width)
        return self._strips[y]

    def _redraw(self) -> None:
        """Draw anew and ask for the lines that came out different."""
        width, height = self._drawn_size = self.size
        old, self._lines = self._lines, draw(self._picture, width, height, self._style)
        for y, line in enumerate(self._lines):
            if y >= len(old) or old[y] != line:
                self._strips.pop(y, None)
                self.refresh(Region(0, y, width, 1))

    def _restyle(self, theme: Theme) -> None:  # noqa: ARG002 - the signal's signature
        self._palette = None
        self._strips.clear()
        self.refresh()
