"""A table for figures that change every second: repaints the lines that changed and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from textual.message import Message
from textual.widget import Widget


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    width: int
    align: Literal["left", "right"] = "left"
    priority: int = 0
    flexible: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    tone: str = ""
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    cells: dict[str, Cell] = field(default_factory=dict)
    dim: bool = False


class LiveTable(Widget, can_focus=True):
    class RowSelected(Message):
        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class RowHighlighted(Message):
        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class HeaderClicked(Message):
        def __init__(self, table: LiveTable, column_key: str) -> None:
            super().__init__()
            self.table = table
            self.column_key = column_key

    def __init__(self, columns: Sequence[Column], *, id: str | None = None, classes: str | None = None,
                 empty: str = "nothing here", markable: bool = False, ascii: bool = False) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self.marked: frozenset[str] = frozenset()

    def set_rows(self, rows: Sequence[Row]) -> None: ...

    def set_columns(self, columns: Sequence[Column]) -> None: ...

    def set_sorted(self, column_key: str | None, descending: bool) -> None: ...

    @property
    def cursor_key(self) -> str | None:
        return None

    def move_to(self, key: str) -> None: ...
