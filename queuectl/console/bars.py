"""One-line widgets: header, alert, keys. Each repaints only when its words changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.events import Click
from textual.geometry import Size
from textual.widget import Widget

from queuectl.console.actions import ACTIONS, ConsoleAction, Keys
from queuectl.console.glyphs import Glyphs
from queuectl.console.view.look import Line, Look, Span, width


def content(line: Line) -> Content:
    """A line in the theme's colours."""
    return Content.assemble(*((span.text, _style(span)) for span in line))


def block(lines: Iterable[Line]) -> Content:
    return Content("\n").join([content(line) for line in lines])


def _style(span: Span) -> str:
    words = [f"$tone-{span.tone}"] if span.tone else []
    words += ["bold"] if span.bold else []
    words += ["reverse"] if span.badge else []
    return " ".join(words)


class Lines(Widget):
    """Lines of coloured words, set by `show`; nothing is painted while they stay the same."""

    DEFAULT_CSS = "Lines { height: auto; width: 1fr; }"

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines = tuple(lines)

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    def show(self, lines: Sequence[Line]) -> None:
        shown = tuple(lines)
        if shown == self._lines:
            return
        grown = len(shown) != len(self._lines)
        self._lines = shown
        self.refresh(layout=grown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Without lines no height; an empty content would take one row."""
        return super().get_content_height(container, viewport, width) if self._lines else 0

    def render(self) -> Content:
        return block(self._lines)


class HeaderBar(Lines):
    """One line with a left and a right part."""

    DEFAULT_CSS = "HeaderBar { height: 1; }"

    def show_parts(self, left: Line, right: Line, columns: int) -> None:
        gap = max(columns - width(left) - width(right), 1)
        self.show([(*left, Span(" " * gap), *right)])


class ContextTabs(Lines):
    """The servers there are, the one shown in reverse; a click shows another."""

    DEFAULT_CSS = "ContextTabs { height: 1; }"

    def show_tabs(self, tabs: Sequence[tuple[str, str]], current: str, hint: str) -> None:
        """`tabs`: (name, tone) each."""
        spans: list[Span] = [Span(" ")]
        self._ends: list[tuple[int, str]] = []
        """Where each drawn name ends, and the name."""
        for name, tone in tabs:
            spans.append(Span(f" {name} ", tone, bold=name == current, badge=name == current))
            self._ends.append((width(tuple(spans)), name))
        self.show([(*spans, Span(f"  {hint}", "muted"))])

    async def on_click(self, event: Click) -> None:
        found = next((name for end, name in self._ends if event.x < end), None)
        if found is not None:
            await self.app.run_action(f"app.attach('{found}')")


class KeyBar(Widget):
    """The footer: what the keys do on this screen, from the registry; a click does it too."""

    DEFAULT_CSS = "KeyBar { height: 1; }"

    def __init__(self, screen_name: str, keys: Keys, signs: Glyphs, *, read_only: bool) -> None:
        super().__init__()
        self._entries = footer_entries(screen_name)
        self._keys = keys
        self._signs = signs
        self._read_only = read_only
        self._ends: list[tuple[int, str]] = []
        """Where each drawn entry ends, and its action."""

    def render(self) -> Content:
        """Two blanks between entries where all fit, else one, and a sign for those that did not."""
        texts = [f"{self._keys.shown(entry.id)} {entry.title}" for entry in self._entries]
        room = self.size.width - 2
        gap = 2 if sum(map(len, texts)) + 2 * len(texts) <= room else 1
        pieces, x = [Content(" ")], 1
        self._ends = []
        for index, (entry, text) in enumerate(zip(self._entries, texts, strict=True)):
            more = 2 if index < len(texts) - 1 else 0
            if x + len(text) + more > room + 1:
                pieces.append(Content.styled(self._signs.more, "$tone-accent bold"))
                break
            x += len(text) + gap
            self._ends.append((x, entry.id))
            pieces += [self._piece(entry), Content(" " * gap)]
        return Content("").join(pieces)

    def _piece(self, entry: ConsoleAction) -> Content:
        tone = "$tone-muted" if entry.changes and self._read_only else "$tone-accent bold"
        return Content.assemble((self._keys.shown(entry.id), tone), f" {entry.title}")

    async def on_click(self, event: Click) -> None:
        """A click on an entry is its key."""
        found = next((action_id for end, action_id in self._ends if event.x < end), None)
        if found is not None:
            await self.app.run_action(f"app.do('{found}')")


def footer_entries(screen_name: str) -> list[ConsoleAction]:
    """What the footer of a screen lists, in the registry's order."""
    return [entry for entry in ACTIONS if entry.footer and works_on(entry, screen_name)]


def works_on(entry: ConsoleAction, screen_name: str) -> bool:
    return not entry.screens or screen_name in entry.screens


def text_lines(texts: Iterable[str], tone: str = "", bold: bool = False) -> list[Line]:
    """Plain sentences as lines."""
    return [(Span(text, tone, bold),) for text in texts]


def bullet(text: str, look: Look, tone: str = "") -> Line:
    return (Span(f"{look.signs.separator} ", "muted"), Span(text, tone))
