"""Which rows of a long list are in sight. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """`lines` lines over `count` rows, from row `top` on. The last line counts what is out of sight, if anything is."""

    count: int
    lines: int
    top: int = 0

    @property
    def overflows(self) -> bool:
        return self.count > self.lines

    @property
    def body(self) -> int:
        """Lines for rows."""
        return self.lines - 1 if self.overflows and self.lines > 1 else self.lines

    @property
    def below(self) -> int:
        """Rows beyond the lower edge."""
        return max(0, self.count - self.top - self.body)

    def shows(self, index: int) -> bool:
        return self.top <= index < self.top + self.body

    def at(self, top: int) -> Window:
        """Scrolled to `top`, or as near as the rows allow."""
        return Window(self.count, self.lines, max(0, min(top, self.count - self.body)))

    def showing(self, index: int) -> Window:
        """Scrolled as little as brings row `index` into sight."""
        return self.at(max(index - self.body + 1, min(self.top, index)))
