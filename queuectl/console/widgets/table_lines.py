"""The lines of a live table as runs of text: header, rows, and the line that counts what is out of sight. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from queuectl.console.glyphs import Glyphs
from queuectl.console.widgets.columns import Layout
from queuectl.console.widgets.rows import Cell, Row
from queuectl.console.widgets.text import fit_text
from queuectl.console.widgets.tones import Run

BLANK = Cell("")


@dataclass(frozen=True, slots=True)
class RowLook:
    """How a row stands out: under the cursor, the table focused, marked."""

    is_cursor: bool
    has_focus: bool
    is_marked: bool


@dataclass(frozen=True, slots=True)
class Sorting:
    """The column the rows are sorted by, None for none."""

    column_key: str | None = None
    descending: bool = False


def row_runs(row: Row, look: RowLook, layout: Layout, glyphs: Glyphs, *, markable: bool) -> list[Run]:
    """One row; its first cell carries the cursor's sign, the second, where rows can be marked, the mark."""
    runs: list[Run] = [(glyphs.cursor if look.is_cursor else " ", "accent" if look.has_focus else "muted", False)]
    if markable:
        runs.append((glyphs.mark if look.is_marked else " ", "accent", True))
    x = len(runs)
    for placed in layout.placed:
        cell = row.cells.get(placed.column.key, BLANK)
        text = fit_text(cell.text, placed.width, placed.column.align, glyphs)
        tone = "muted" if row.dim else cell.tone
        runs += [(" " * (placed.x - x), "", False), (text, tone, cell.bold and not row.dim)]
        x = placed.end
    return runs


def header_runs(layout: Layout, sorting: Sorting, width: int, glyphs: Glyphs) -> list[Run]:
    """Titles, the sort arrow behind its column's, and at the right end how many columns are not shown."""
    runs: list[Run] = []
    x = 0
    for placed in layout.placed:
        is_sorted = placed.column.key == sorting.column_key
        arrow = (glyphs.sort_down if sorting.descending else glyphs.sort_up) if is_sorted else ""
        title = fit_text(placed.column.title + arrow, placed.width, placed.column.align, glyphs)
        runs += [(" " * (placed.x - x), "", False), (title, "title" if is_sorted else "muted", True)]
        x = placed.end
    sign = _hidden_sign(layout, glyphs)
    if not sign:
        return runs
    titles_end = max(0, min(x, width - len(sign) - 1))
    return [*_cut(runs, titles_end, glyphs), (sign.rjust(width - titles_end), "accent", True)]


def end_of_difference(before: Row | None, after: Row | None, layout: Layout, width: int) -> int:
    """The cell behind the last one that changed, 0 if none did: a line is written from its start up to there."""
    if before is after or before == after:
        return 0
    if before is None or after is None or before.dim != after.dim:
        return width
    changed = (placed.end for placed in layout.placed
               if before.cells.get(placed.column.key) != after.cells.get(placed.column.key))  # fmt: skip
    gutter = layout.placed[0].x if before.key != after.key and layout.placed else 0
    return min(width, max(changed, default=gutter))


def out_of_sight(above: int, below: int, glyphs: Glyphs) -> str:
    """How many rows there are beyond the edges."""
    parts = [f"{glyphs.sort_down} {below} more"] if below else []
    parts += [f"{glyphs.sort_up} {above} above"] if above else []
    return f" {glyphs.separator} ".join(parts)


def sign_width(column_count: int, glyphs: Glyphs) -> int:
    """Cells the sign for hidden columns needs at most."""
    return len(f" {glyphs.left} +{column_count} {glyphs.more}")


def _cut(runs: list[Run], width: int, glyphs: Glyphs) -> list[Run]:
    """As many of the runs as fit, the last one cut with the sign for it."""
    kept: list[Run] = []
    for text, tone, bold in runs:
        size = cell_len(text)
        kept.append((fit_text(text, min(size, width), "left", glyphs), tone, bold))
        width -= size
        if width <= 0:
            break
    return kept


def _hidden_sign(layout: Layout, glyphs: Glyphs) -> str:
    if not layout.hidden:
        return ""
    back = f"{glyphs.left} " if layout.step else ""
    ahead = f" {glyphs.more}" if layout.step < layout.last_step else ""
    return f"{back}+{layout.hidden}{ahead}"
