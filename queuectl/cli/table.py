"""Plain aligned tables: whole when piped, with the dispensable columns left out where a terminal is too narrow."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

GAP = "  "
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Column:
    """A heading with its cells. `keep`: the higher, the longer it stays when room is short."""

    heading: str
    cells: Sequence[str]
    right: bool = False
    keep: int = 100

    @property
    def width(self) -> int:
        return max(len(self.heading), *map(len, self.cells), 0) if self.cells else len(self.heading)

    def line(self, row: int) -> str:
        text = self.heading if row < 0 else self.cells[row]
        return text.rjust(self.width) if self.right else text.ljust(self.width)


def print_table(columns: Sequence[Column]) -> None:
    """Print to standard output; the heading is bold on a terminal."""
    terminal = sys.stdout.isatty()
    shown = fitting(columns, shutil.get_terminal_size().columns) if terminal else list(columns)
    heading = GAP.join(column.line(-1) for column in shown).rstrip()
    print(f"{BOLD}{heading}{PLAIN}" if terminal else heading)
    for row in range(len(columns[0].cells)):
        print(GAP.join(column.line(row) for column in shown).rstrip())


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit into `width`, in their order."""
    shown = list(columns)
    while len(shown) > 1 and sum(column.width + len(GAP) for column in shown) - len(GAP) > width:
        shown.remove(min(reversed(shown), key=lambda column: column.keep))
    return shown
