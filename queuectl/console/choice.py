"""A one-line choice: all options in sight where they fit, the chosen one marked; h/l, arrows or a click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from queuectl.console.glyphs import Glyphs


class Choice(Widget, can_focus=True):
    """Exactly one of a few words."""

    DEFAULT_CSS = """
    Choice { height: 1; width: 1fr; }
    Choice:focus { background: $row-cursor-background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "Previous", show=False),
        Binding("right,l,space", "step(1)", "Next", show=False),
    ]

    class Changed(Message):
        """Another option was chosen."""

        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

    def __init__(self, options: Sequence[str], value: str, signs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._options = tuple(options)
        self._index = self._options.index(value) if value in self._options else 0
        self._signs = signs

    @property
    def value(self) -> str:
        return self._options[self._index]

    def render(self) -> Content:
        """From the first option if all fit, else from the chosen one, with signs for what is out of sight."""
        first, last = self._window()
        pieces: list[tuple[str, str]] = [(self._signs.left if first else " ", "$tone-muted")]
        for index in range(first, last):
            chosen = index == self._index
            pieces.append((f"[{self._options[index]}]" if chosen else f" {self._options[index]} ",
                           "$tone-accent bold" if chosen else ""))  # fmt: skip
        pieces.append((self._signs.right if last < len(self._options) else " ", "$tone-muted"))
        return Content.assemble(*pieces)

    def _window(self) -> tuple[int, int]:
        room = self.size.width - 2
        if sum(len(option) + 2 for option in self._options) <= room:
            return 0, len(self._options)
        last = self._index
        while last < len(self._options) and room >= len(self._options[last]) + 2:
            room -= len(self._options[last]) + 2
            last += 1
        return self._index, max(last, self._index + 1)

    def action_step(self, by: int) -> None:
        self._choose((self._index + by) % len(self._options))

    def on_click(self, event: events.Click) -> None:
        first, last = self._window()
        x = 1
        for index in range(first, last):
            x += len(self._options[index]) + 2
            if event.x < x:
                self._choose(index)
                return

    def _choose(self, index: int) -> None:
        if index != self._index:
            self._index = index
            self.refresh()
            self.post_message(self.Changed(self, self.value))
