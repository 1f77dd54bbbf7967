"""Large figures side by side, each under its label; plain bold ones where there is no room or no Unicode."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.widget import Widget

from queuectl.console.glyphs import Glyphs
from queuectl.console.view.queue import Figure

BIG_ROWS = 4
GAP = 3
_TOP = dict(zip("0123456789", ("┏━┓", "╺┓ ", "╺━┓", "╺━┓", "╻ ╻", "┏━╸", "┏━╸", "╺━┓", "┏━┓", "┏━┓"), strict=True))
_MIDDLE = dict(zip("0123456789", ("┃ ┃", " ┃ ", "┏━┛", " ━┫", "┗━┫", "┗━┓", "┣━┓", "  ┃", "┣━┫", "┗━┫"), strict=True))
_BOTTOM = dict(zip("0123456789", ("┗━┛", "╺┻╸", "┗━╸", "╺━┛", "  ╹", "╺━┛", "┗━┛", "  ╹", "┗━┛", "╺━┛"), strict=True))


def big(text: str) -> tuple[str, str, str]:
    """Three rows; digits are three cells wide, everything else stands small on the last row."""
    return (
        "".join(_TOP.get(char, " ") for char in text),
        "".join(_MIDDLE.get(char, " ") for char in text),
        "".join(_BOTTOM.get(char, char) for char in text),
    )


class Figures(Widget):
    """A row of labelled figures; repainted when one of them changed."""

    def __init__(self, signs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._signs = signs
        self._figures: tuple[Figure, ...] = ()

    def show(self, figures: Sequence[Figure]) -> None:
        shown = tuple(figures)
        if shown != self._figures:
            self._figures = shown
            self.refresh()

    def render(self) -> Content:
        large = self.size.height >= BIG_ROWS and not self._signs.ascii
        drawn = [(figure, big(figure.text) if large else (figure.text,)) for figure in self._figures]
        if sum(max(len(rows[0]), len(figure.label)) + GAP for figure, rows in drawn) > self.size.width and large:
            drawn = [(figure, ("", "", figure.text)) for figure in self._figures]
        widths = [max(len(rows[-1]), len(figure.label)) + GAP for figure, rows in drawn]
        lines = [self._line([(f" {figure.label}", "$tone-muted") for figure, _ in drawn], widths)]
        lines += [
            self._line([(f" {rows[index]}", _style(figure)) for figure, rows in drawn], widths)
            for index in range(len(drawn[0][1]) if drawn else 0)
        ]
        return Content("\n").join(lines)

    def _line(self, cells: Sequence[tuple[str, str]], widths: Sequence[int]) -> Content:
        return Content.assemble(
            *((text.ljust(width), style) for (text, style), width in zip(cells, widths, strict=True))
        )


def _style(figure: Figure) -> str:
    return f"$tone-{figure.tone} bold" if figure.tone else "bold"
