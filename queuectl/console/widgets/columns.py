"""Which columns fit into a width, and where each begins. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from queuectl.console.widgets.rows import Column


@dataclass(frozen=True, slots=True)
class Placed:
    """A column on the screen: its first cell and how many it takes."""

    column: Column
    x: int
    width: int

    @property
    def end(self) -> int:
        return self.x + self.width


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns that are shown, left to right, and how many are not."""

    placed: tuple[Placed, ...]
    hidden: int
    step: int
    """How far the operator went through the hidden columns; 0 is the standing picture."""
    last_step: int
    """The step at which all hidden columns that fit together are shown."""

    def at(self, x: int) -> Column | None:
        """The column under a cell; the space behind a column belongs to it."""
        return next((placed.column for placed in reversed(self.placed) if x >= placed.x), None)


def fit(columns: Sequence[Column], width: int, *, left: int, sign_width: int, sorted_key: str | None = None,
        step: int = 0) -> Layout:  # fmt: skip
    """Choose and place columns between cell `left` and `width`.

    When some are dropped, `sign_width` cells at the right stay free for the sign that says so, unless columns that are
    always shown need them. `step` n > 0 brings the n-th dropped column and those behind it into view, in place of
    shown ones.
    """
    widths = {column.key: _wanted(column, sorted_key) for column in columns}
    room = width - left
    if _needed(columns, widths) <= room:
        return Layout(_place(columns, widths, left, room), 0, 0, 0)
    room = max(1, room - sign_width, min(room, _needed([column for column in columns if not column.priority], widths)))
    order = sorted(range(len(columns)), key=lambda index: (columns[index].priority, index))
    shown = _take(columns, widths, order, room)
    dropped = [index for index in range(len(columns)) if index not in shown]
    last_step = _last_step(columns, widths, dropped, order, room)
    step = min(step, last_step)
    if step:
        shown = _take(columns, widths, _promoted(columns, order, dropped[step - 1 :]), room)
    kept = [columns[index] for index in sorted(shown)]
    return Layout(_place(kept, widths, left, room), len(columns) - len(kept), step, last_step)


def _wanted(column: Column, sorted_key: str | None) -> int:
    return max(column.width, cell_len(column.title) + (1 if column.key == sorted_key else 0))


def _needed(columns: Sequence[Column], widths: dict[str, int]) -> int:
    return sum(widths[column.key] for column in columns) + max(0, len(columns) - 1)


def _promoted(columns: Sequence[Column], order: list[int], wanted: list[int]) -> list[int]:
    """The standing order with `wanted` right behind the columns that are always shown."""
    pinned = [index for index in order if columns[index].priority == 0 and index not in wanted]
    return [*pinned, *wanted, *(index for index in order if index not in pinned and index not in wanted)]


def _take(columns: Sequence[Column], widths: dict[str, int], order: list[int], room: int) -> set[int]:
    """Columns in order of importance until one does not fit; the first is taken always, cut if it must be."""
    taken, used = {order[0]}, widths[columns[order[0]].key]
    for index in order[1:]:
        used += widths[columns[index].key] + 1
        if used > room:
            break
        taken.add(index)
    return taken


def _last_step(columns: Sequence[Column], widths: dict[str, int], dropped: list[int], order: list[int],
               room: int) -> int:  # fmt: skip
    for step in range(1, len(dropped)):
        wanted = dropped[step - 1 :]
        if _take(columns, widths, _promoted(columns, order, wanted), room).issuperset(wanted):
            return step
    return len(dropped)


def _place(columns: Sequence[Column], widths: dict[str, int], left: int, room: int) -> tuple[Placed, ...]:
    """Side by side; two cells apart where there is room for it, and the rest to the flexible columns."""
    spare = room - _needed(columns, widths)
    gap = 2 if spare >= len(columns) - 1 else 1
    spare -= (gap - 1) * (len(columns) - 1)
    flexible = [column.key for column in columns if column.flexible]
    placed: list[Placed] = []
    x = left
    for column in columns:
        width = min(widths[column.key], room)
        if column.key in flexible and spare > 0:
            width += spare // len(flexible) + (1 if flexible.index(column.key) < spare % len(flexible) else 0)
        placed.append(Placed(column, x, width))
        x += width + gap
    return tuple(placed)
