"""Tone names to terminal styles, from the theme in force."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.strip import Strip
from textual.widget import Widget

from queuectl.console.theme import tone_variables

Run = tuple[str, str, bool]
"""Text, tone, bold."""


class Palette:
    """Styles of one widget under one theme; made anew when the theme or the widget's background changes."""

    def __init__(self, widget: Widget) -> None:
        app = widget.app
        self._variables = {**tone_variables(app.current_theme), **app.theme_variables}
        self._base = widget.rich_style
        self._background = widget.background_colors[1]
        self._no_color = app.no_color
        self._styles: dict[tuple[str, bool, bool], Style] = {}

    def style(self, tone: str = "", *, bold: bool = False, cursor: bool = False) -> Style:
        """The style of a tone, on the widget's ground or on the selected row's."""
        key = (tone, bold, cursor)
        if key not in self._styles:
            self._styles[key] = self._make(tone, bold, cursor)
        return self._styles[key]

    def strip(self, runs: Iterable[Run], width: int, *, cursor: bool = False) -> Strip:
        """One line of exactly `width` cells. Blanks take their neighbour's style: a style change costs 20-40 bytes."""
        segments: list[Segment] = []
        text, style = "", self.style(cursor=cursor)
        for part, tone, bold in runs:
            new = self.style(tone, bold=bold, cursor=cursor)
            if new == style or part.isspace() or not part:
                text += part
            elif text.isspace():
                text, style = text + part, new
            else:
                if text:
                    segments.append(Segment(text, style))
                text, style = part, new
        segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(width, self.style(cursor=cursor)).simplify()

    def _make(self, tone: str, bold: bool, cursor: bool) -> Style:
        style, ground = self._base, self._background
        color = _parse(self._variables.get(f"tone-{tone}", ""))
        if cursor:
            ground = _parse(self._variables["row-cursor-background"]) or ground
            style += Style(bgcolor=ground.rich_color, reverse=self._no_color or None)
            forced = _parse(self._variables["row-cursor-foreground"])
            # Bold black is grey in many 16-colour terminals.
            color, bold = (forced, False) if forced else (color, bold)
        if color is not None:
            shown = color if color.ansi is not None or color.a == 1 else ground + color
            style += Style(color=shown.rich_color)
        return style + Style(bold=True) if bold else style


@lru_cache(maxsize=256)
def _parse(text: str) -> Color | None:
    try:
        return Color.parse(text) if text else None
    except ColorParseError:
        return None
