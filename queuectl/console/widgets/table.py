"""A table for figures that change every second: repaints the lines that changed and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.theme import Theme
from textual.widget import Widget

from queuectl.console.glyphs import glyphs
from queuectl.console.widgets.columns import Layout, fit
from queuectl.console.widgets.rows import Cell, Column, Row
from queuectl.console.widgets.table_lines import (
    RowLook,
    Sorting,
    end_of_difference,
    header_runs,
    out_of_sight,
    row_runs,
    sign_width,
)
from queuectl.console.widgets.text import fit_text
from queuectl.console.widgets.tones import Palette
from queuectl.console.widgets.window import Window

__all__ = ["Cell", "Column", "LiveTable", "Row"]

HEADER_LINES = 1
WHEEL_ROWS = 3


class LiveTable(Widget, can_focus=True):
    """Rows by key, with a header that stays, a cursor that stays on its key, and signs for all that is not shown.

    It scrolls by itself instead of through Textual's virtual size: there, one row more or less is a layout of the
    whole screen and a full repaint.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "LiveTable { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "cursor(-1)", "Up", show=False),
        Binding("down,j", "cursor(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home,g", "edge(0)", "First", show=False),
        Binding("end,G", "edge(1)", "Last", show=False),
        Binding("left,h", "columns(-1)", "Columns back", show=False),
        Binding("right,l", "columns(1)", "More columns", show=False),
        Binding("space", "mark", "Mark", show=False),
        Binding("enter", "select", "Open", show=False),
    ]

    class _AboutRow(Message):
        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            return self.table

    class RowSelected(_AboutRow):
        """Enter, a double click, or a click on the row that was under the cursor already."""

    class RowHighlighted(_AboutRow):
        """The cursor came to another row, by the operator or because its row went away."""

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LiveTable.RowHighlighted) and message.table is self.table

    class MarksChanged(Message):
        """The set of marked rows changed."""

        def __init__(self, table: LiveTable, marked: frozenset[str]) -> None:
            super().__init__()
            self.table = table
            self.marked = marked

        @property
        def control(self) -> LiveTable:
            return self.table

    class HeaderClicked(Message):
        """A column title was clicked."""

        def __init__(self, table: LiveTable, column_key: str) -> None:
            super().__init__()
            self.table = table
            self.column_key = column_key

        @property
        def control(self) -> LiveTable:
            return self.table

    def __init__(
        self, columns: Sequence[Column], *, id: str | None = None, classes: str | None = None,
        empty: str = "nothing here", markable: bool = False, ascii: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(id=id, classes=classes)
        self._columns = tuple(columns)
        self._empty = empty
        self._markable = markable
        self._gutter = 2 if markable else 1
        self._glyphs = glyphs(ascii)
        self._rows: tuple[Row, ...] = ()
        self._index: dict[str, int] = {}
        self._cursor = 0
        self._window = Window(0, 0)
        self._arranged_for = Size(0, 0)
        self._step = 0
        self._sorting = Sorting()
        self._marked: frozenset[str] = frozenset()
        self._clicked_new_row = False
        self._layout: Layout | None = None
        self._palette: Palette | None = None
        self._strips: dict[str, tuple[RowLook, Strip]] = {}

    @property
    def cursor_key(self) -> str | None:
        """The key of the selected row; None while the table is empty."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def keys(self) -> tuple[str, ...]:
        """The rows' keys in order."""
        return tuple(self._index)

    @property
    def marked(self) -> frozenset[str]:
        """Keys of marked rows, also of those that went out of the table since: count anew before acting on them."""
        return self._marked

    @property
    def top(self) -> int:
        """Index of the first row in sight."""
        return self._window.top

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; only lines that differ are repainted. Keys must be unique."""
        old, old_key, old_cursor, old_window = self._rows, self.cursor_key, self._cursor, self._window
        self._rows = tuple(rows)
        self._index = {row.key: index for index, row in enumerate(self._rows)}
        for row in old:
            if (index := self._index.get(row.key)) is None or self._rows[index] != row:
                self._strips.pop(row.key, None)
        nearest = max(0, min(old_cursor, len(rows) - 1))
        self._cursor = nearest if old_key is None else self._index.get(old_key, nearest)
        self._refit(keep_cursor=old_window.shows(old_cursor))
        if old and rows and (self._window.top, self._window.body) == (old_window.top, old_window.body):
            self._refresh_differences(old, old_cursor)
        elif old or rows:
            self._refresh_body()
        if len(old) != len(rows):
            self._refresh_height()
        self._tell_if_moved(old_key)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show these columns instead."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self._restructure()

    def set_sorted(self, column_key: str | None, descending: bool) -> None:
        """Show by which column the rows are sorted; sorting them is the caller's."""
        if (sorting := Sorting(column_key, descending)) != self._sorting:
            self._sorting = sorting
            self._restructure()

    def move_to(self, key: str) -> None:
        """Put the cursor on a row and bring it into sight; an unknown key changes nothing."""
        if key in self._index:
            self._move(self._index[key])

    def clear_marks(self) -> None:
        """Take all marks away."""
        self._set_marked(frozenset())

    # -- drawing

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, self._restyle)

    def on_resize(self) -> None:
        self._follow_size()

    def on_focus(self) -> None:
        self._refresh_row(self._cursor)

    def on_blur(self) -> None:
        self._refresh_row(self._cursor)

    def notify_style_update(self) -> None:
        self._palette = None
        self._strips.clear()
        super().notify_style_update()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return HEADER_LINES + max(1, len(self._rows))

    def get_content_width(self, container: Size, viewport: Size) -> int:  # noqa: ARG002
        return container.width

    def render_line(self, y: int) -> Strip:
        self._follow_size()
        palette, width = self._styles(), self.size.width
        if y < HEADER_LINES:
            return palette.strip(header_runs(self._fit(), self._sorting, width, self._glyphs), width)
        line = y - HEADER_LINES
        if not self._rows:
            return self._note(self._empty if line == 0 else "")
        if line >= self._window.body:
            return self._note(out_of_sight(self._window.top, self._window.below, self._glyphs))
        index = self._window.top + line
        return self._row_strip(index) if index < len(self._rows) else palette.strip((), width)

    def _row_strip(self, index: int) -> Strip:
        row = self._rows[index]
        look = RowLook(index == self._cursor, self.has_focus, row.key in self._marked)
        cached = self._strips.get(row.key)
        if cached is None or cached[0] != look:
            runs = row_runs(row, look, self._fit(), self._glyphs, markable=self._markable)
            strip = self._styles().strip(runs, self.size.width, cursor=look.is_cursor and look.has_focus)
            cached = self._strips[row.key] = (look, strip)
        return cached[1]

    def _note(self, text: str) -> Strip:
        shown = fit_text(" " * self._gutter + text, self.size.width, "left", self._glyphs)
        return self._styles().strip([(shown, "muted", False)], self.size.width)

    def _fit(self) -> Layout:
        if self._layout is None:
            sign = sign_width(len(self._columns), self._glyphs)
            self._layout = fit(self._columns, self.size.width, left=self._gutter, sign_width=sign,
                               sorted_key=self._sorting.column_key, step=self._step)  # fmt: skip
            self._step = self._layout.step
        return self._layout

    def _styles(self) -> Palette:
        if self._palette is None:
            self._palette = Palette(self)
        return self._palette

    def _restyle(self, theme: Theme) -> None:  # noqa: ARG002 - the signal's signature
        self._palette = None
        self._strips.clear()
        self.refresh()

    # -- what to repaint

    def _restructure(self) -> None:
        self._layout = None
        self._strips.clear()
        self.refresh()

    def _refresh_differences(self, old: Sequence[Row], old_cursor: int) -> None:
        """Ask for the lines in sight whose row is another or looks different."""
        window, layout = self._window, self._fit()
        for index in range(window.top, window.top + window.body):
            before = old[index] if index < len(old) else None
            after = self._rows[index] if index < len(self._rows) else None
            if old_cursor != self._cursor and index in (old_cursor, self._cursor):
                self._refresh_row(index)
            elif end := end_of_difference(before, after, layout, self.size.width):
                self._refresh_row(index, end)
        if len(old) != len(self._rows) and window.overflows:
            self.refresh(Region(0, HEADER_LINES + window.body, self.size.width, 1))

    def _refresh_row(self, index: int, end: int | None = None) -> None:
        width = self.size.width if end is None else end
        if width and self._window.shows(index):
            self.refresh(Region(0, HEADER_LINES + index - self._window.top, width, 1))

    def _refresh_body(self) -> None:
        height = self.size.height - HEADER_LINES
        if height > 0 and self.size.width:
            self.refresh(Region(0, HEADER_LINES, self.size.width, height))

    def _refresh_height(self) -> None:
        if self.styles.height is not None and self.styles.height.is_auto:
            self.refresh(layout=True)

    # -- moving

    def _move(self, index: int) -> None:
        if not self._rows:
            return
        old_key, old = self.cursor_key, self._cursor
        self._cursor = max(0, min(index, len(self._rows) - 1))
        self._scroll(self._window.showing(self._cursor))
        if self._cursor != old:
            self._refresh_row(old)
            self._refresh_row(self._cursor)
        self._tell_if_moved(old_key)

    def _scroll(self, window: Window) -> None:
        if window != self._window:
            self._window = window
            self._refresh_body()

    def _follow_size(self) -> None:
        """Arrange for the size in force; the first paint may come before the event that tells it."""
        if self.size != self._arranged_for:
            self._arranged_for = self.size
            self._layout = None
            self._strips.clear()
            self._refit(keep_cursor=self.has_focus or self._window.lines == 0 or self._window.shows(self._cursor))

    def _refit(self, *, keep_cursor: bool) -> None:
        """The window after rows or size changed; with `keep_cursor` the cursor stays in sight."""
        window = Window(len(self._rows), max(0, self.size.height - HEADER_LINES), self._window.top)
        self._window = window.showing(self._cursor) if keep_cursor else window.at(window.top)

    def _tell_if_moved(self, old_key: str | None) -> None:
        key = self.cursor_key
        if key is not None and key != old_key:
            self.post_message(self.RowHighlighted(self, key))

    def _set_marked(self, marked: frozenset[str]) -> None:
        changed = self._marked ^ marked
        if changed:
            self._marked = marked
            for key in changed & self._index.keys():
                self._refresh_row(self._index[key])
            self.post_message(self.MarksChanged(self, marked))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Space is left to the screen where rows cannot be marked."""
        return self._markable if action == "mark" else True

    def action_cursor(self, by: int) -> None:
        self._move(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._move(self._cursor + by * max(1, self._window.body - 1))

    def action_edge(self, last: int) -> None:
        self._move(len(self._rows) - 1 if last else 0)

    def action_columns(self, by: int) -> None:
        layout = self._fit()
        step = max(0, min(layout.last_step, layout.step + by))
        if step != layout.step:
            self._step = step
            self._restructure()

    def toggle_marks(self) -> None:
        """Mark every row, or take the marks of these rows away when all of them have one."""
        keys = frozenset(self._index)
        self._set_marked(self._marked - keys if keys <= self._marked else self._marked | keys)

    def action_mark(self) -> None:
        if (key := self.cursor_key) is not None:
            self._set_marked(self._marked ^ {key})
            self._move(self._cursor + 1)

    def action_select(self) -> None:
        if (key := self.cursor_key) is not None:
            self.post_message(self.RowSelected(self, key))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._scroll(self._window.at(self._window.top + WHEEL_ROWS))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._scroll(self._window.at(self._window.top - WHEEL_ROWS))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y < HEADER_LINES:
            self._click_header(offset.x)
        elif offset.y - HEADER_LINES < self._window.body:
            self._click_row(self._window.top + offset.y - HEADER_LINES, event.chain)

    def _click_header(self, x: int) -> None:
        layout = self._fit()
        if layout.hidden and layout.placed and x > layout.placed[-1].end:
            self.action_columns(1 if layout.step < layout.last_step else -layout.step)
        elif (column := layout.at(x)) is not None:
            self.post_message(self.HeaderClicked(self, column.key))

    def _click_row(self, index: int, chain: int) -> None:
        if index >= len(self._rows):
            return
        is_same = index == self._cursor
        if (chain == 1 and is_same) or (chain == 2 and self._clicked_new_row and is_same):
            self.action_select()
        self._clicked_new_row = chain == 1 and not is_same
        self._move(index)
