from collections.abc import Sequence
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.message import Message
from textual.pilot import Pilot
from textual.strip import Strip

from queuectl.console.theme import load_themes, tone_variables
from queuectl.console.widgets.table import Cell, Column, LiveTable, Row

COLUMNS = (
    Column("name", "QUEUE", 10),
    Column("depth", "DEPTH", 8, "right"),
    Column("note", "NOTE", 6, priority=1),
)


class CountingTable(LiveTable):
    """Counts what Textual asks it to draw."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return super().render_line(y)


class TableApp(App[None]):
    def __init__(self, rows: Sequence[Row], **options: Any) -> None:
        super().__init__()
        self.themes, _ = load_themes(None)
        for theme in self.themes.values():
            self.register_theme(theme)
        self.theme = "queuectl-dark"
        self.first = rows
        self.table = CountingTable(options.pop("columns", COLUMNS), **options)
        self.posted: list[tuple[str, object]] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return tone_variables(self.current_theme)

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()
        self.table.set_rows(self.first)

    def _keep(self, message: Message, value: object) -> None:
        self.posted.append((type(message).__name__, value))

    def on_live_table_row_selected(self, message: LiveTable.RowSelected) -> None:
        self._keep(message, message.key)

    def on_live_table_row_highlighted(self, message: LiveTable.RowHighlighted) -> None:
        self._keep(message, message.key)

    def on_live_table_header_clicked(self, message: LiveTable.HeaderClicked) -> None:
        self._keep(message, message.column_key)

    def on_live_table_marks_changed(self, message: LiveTable.MarksChanged) -> None:
        self._keep(message, message.marked)

    @property
    def lines(self) -> list[str]:
        return [self.table.render_line(y).text for y in range(self.table.size.height)]

    def styles_of(self, line: int) -> set[str]:
        return {str(segment.style.color.name) for segment in self.table.render_line(line)
                if segment.style and segment.style.color and segment.text.strip()}  # fmt: skip


def _row(number: int, depth: int = 0, **more: Any) -> Row:
    return Row(f"q{number}", {"name": Cell(f"queue-{number}"), "depth": Cell(f"{depth:,}")}, **more)


def _rows(count: int) -> list[Row]:
    return [_row(number) for number in range(count)]


async def _settled(pilot: Pilot[None], app: TableApp) -> None:
    """All is painted; from here on only what happens next counts."""
    await pilot.pause()
    app.table.drawn.clear()
    app.posted.clear()


async def test_rows_set_before_the_first_paint_are_shown():
    app = TableApp(_rows(3))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert app.lines[0].split() == ["QUEUE", "DEPTH", "NOTE"]
        assert [line.split() for line in app.lines[1:4]] == [["▌queue-0", "0"], ["queue-1", "0"], ["queue-2", "0"]]
        assert app.lines[4].strip() == ""


async def test_nothing_changed_paints_nothing():
    app = TableApp(_rows(20))
    async with app.run_test(size=(60, 30)) as pilot:
        await _settled(pilot, app)
        app.table.set_rows(_rows(20))
        app.table.set_columns(COLUMNS)
        app.table.set_sorted(None, False)
        await pilot.pause()
        assert app.table.drawn == []
        assert app.posted == []


async def test_only_changed_lines_are_painted():
    app = TableApp(_rows(20))
    async with app.run_test(size=(60, 30)) as pilot:
        await _settled(pilot, app)
        app.table.set_rows([_row(number, 5 if number in (3, 11) else 0) for number in range(20)])
        await pilot.pause()
        assert sorted(app.table.drawn) == [4, 12]


async def test_changes_out_of_sight_paint_nothing():
    app = TableApp(_rows(50))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        app.table.set_rows([_row(number, 5 if number > 20 else 0) for number in range(50)])
        await pilot.pause()
        assert app.table.drawn == []
        await pilot.press("G")
        assert app.lines[1].split()[-1] == "5"


async def test_moving_the_cursor_paints_two_lines():
    app = TableApp(_rows(20))
    async with app.run_test(size=(60, 30)) as pilot:
        await _settled(pilot, app)
        await pilot.press("j")
        await pilot.pause()
        assert sorted(app.table.drawn) == [1, 2]


async def test_the_cursor_stays_on_its_key_through_sorting_and_filtering():
    app = TableApp(_rows(5))
    async with app.run_test(size=(60, 30)) as pilot:
        app.table.move_to("q3")
        await _settled(pilot, app)
        app.table.set_rows(list(reversed(_rows(5))))
        assert app.table.cursor_key == "q3"
        app.table.set_rows([_row(1), _row(3)])
        await pilot.pause()
        assert app.table.cursor_key == "q3"
        assert app.lines[2].startswith("▌queue-3")
        assert not any(line.startswith("▌") for line in (app.lines[1], *app.lines[3:]))
        assert app.posted == []


async def test_when_its_row_goes_the_cursor_takes_the_next_and_says_so():
    app = TableApp(_rows(5))
    async with app.run_test(size=(60, 30)) as pilot:
        app.table.move_to("q4")
        await _settled(pilot, app)
        app.table.set_rows(_rows(3))
        await pilot.pause()
        assert app.table.cursor_key == "q2"
        assert app.posted == [("RowHighlighted", "q2")]


async def test_a_longer_list_counts_what_is_out_of_sight():
    app = TableApp(_rows(20))
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert app.lines[9].strip() == "↓ 12 more"
        await pilot.press("G")
        assert app.lines[9].strip() == "↑ 12 above"
        await pilot.press("k", "pageup")
        assert app.lines[9].strip().startswith("↓ ")


async def test_growing_past_the_edge_puts_up_the_sign():
    app = TableApp(_rows(9))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        assert "queue-8" in app.lines[9]
        app.table.set_rows(_rows(11))
        await pilot.pause()
        assert app.lines[9].strip() == "↓ 3 more"
        assert 9 in app.table.drawn


@pytest.mark.parametrize(
    ("keys", "key"),
    [("j j", "q2"), ("down down k", "q1"), ("G", "q29"), ("end up", "q28"), ("G g", "q0"), ("pagedown", "q7"),
     ("pagedown pageup", "q0"), ("k", "q0"), ("G home", "q0")],
)  # fmt: skip
async def test_keys_move_the_cursor(keys: str, key: str):
    app = TableApp(_rows(30))
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press(*keys.split())
        assert app.table.cursor_key == key
        assert any(line.startswith("▌") for line in app.lines)


async def test_enter_opens_the_row():
    app = TableApp(_rows(3))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        await pilot.press("j", "enter")
        assert app.posted == [("RowHighlighted", "q1"), ("RowSelected", "q1")]


async def test_one_click_moves_and_a_click_on_the_selected_row_opens():
    app = TableApp(_rows(5))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        await pilot.click(app.table, offset=(4, 3))
        assert app.posted == [("RowHighlighted", "q2")]
        await pilot.click(app.table, offset=(4, 1), times=2)
        assert app.posted[1:] == [("RowHighlighted", "q0"), ("RowSelected", "q0")]


async def test_a_double_click_on_the_selected_row_opens_it_once():
    app = TableApp(_rows(5))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        await pilot.click(app.table, offset=(4, 1), times=2)
        assert app.posted == [("RowSelected", "q0")]


async def test_a_click_below_the_rows_does_nothing():
    app = TableApp(_rows(2))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        await pilot.click(app.table, offset=(4, 6))
        assert app.posted == []


async def test_a_click_on_a_title_tells_the_column():
    app = TableApp(_rows(2))
    async with app.run_test(size=(60, 10)) as pilot:
        await _settled(pilot, app)
        await pilot.click(app.table, offset=(app.lines[0].index("DEPTH"), 0))
        assert app.posted == [("HeaderClicked", "depth")]


async def test_the_sorted_column_has_an_arrow():
    app = TableApp(_rows(2))
    async with app.run_test(size=(60, 10)) as pilot:
        app.table.set_sorted("depth", True)
        await pilot.pause()
        assert "DEPTH↓" in app.lines[0]
        app.table.set_sorted("depth", False)
        assert "DEPTH↑" in app.lines[0]


async def test_dropped_columns_are_signed_and_can_be_reached():
    app = TableApp([Row("a", {"name": Cell("forum"), "depth": Cell("12"), "note": Cell("late")})])
    async with app.run_test(size=(22, 10)) as pilot:
        await pilot.pause()
        assert app.lines[0].endswith("… +1 ›")
        assert "12" in app.lines[1]
        await pilot.resize_terminal(60, 10)
        await pilot.pause()
        assert "late" in app.lines[1]
        assert "+" not in app.lines[0]


async def test_l_and_h_go_through_dropped_columns():
    columns = (Column("name", "QUEUE", 8), *(Column(f"c{n}", f"C{n}", 6, priority=n) for n in range(1, 6)))
    app = TableApp([Row("a", {f"c{n}": Cell(f"v{n}") for n in range(1, 6)})], columns=columns)
    async with app.run_test(size=(34, 5)) as pilot:
        await pilot.pause()
        assert "v5" not in app.lines[1]
        first = app.lines
        for _ in range(5):
            await pilot.press("l")
        assert "v5" in app.lines[1]
        assert "‹" in app.lines[0]
        assert not app.lines[0].endswith("›")
        for _ in range(5):
            await pilot.press("h")
        assert app.lines == first


async def test_a_cut_cell_shows_it():
    app = TableApp([Row("a", {"name": Cell("a-very-long-queue-name"), "depth": Cell("1,234,567,890")})])
    async with app.run_test(size=(60, 5)) as pilot:
        await pilot.pause()
        assert "a-very-lo…" in app.lines[1]
        assert "1,234,5…" in app.lines[1]


async def test_ascii_draws_nothing_else():
    rows = [Row(f"q{n}", {"name": Cell("café-très-longue"), "depth": Cell("1")}) for n in range(20)]
    app = TableApp(rows, ascii=True, markable=True)
    async with app.run_test(size=(24, 8)) as pilot:
        app.table.set_sorted("depth", True)
        await pilot.press("space")
        assert all(line.isascii() for line in app.lines)
        assert app.lines[0].endswith("+1 >")
        assert "*caf?" in app.lines[1]
        assert "~" in app.lines[1]
        assert app.lines[7].strip() == "v 14 more"


async def test_space_marks_and_goes_on():
    app = TableApp(_rows(4), markable=True)
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("space", "space", "k", "space")
        assert app.table.marked == {"q0"}
        await pilot.press("j", "space")
        assert app.table.marked == {"q0", "q3"}
        assert [line[1] for line in app.lines[1:5]] == ["◆", " ", " ", "◆"]
        app.table.clear_marks()
        await pilot.pause()
        assert app.posted[-1] == ("MarksChanged", frozenset())


async def test_space_is_left_alone_where_rows_cannot_be_marked():
    app = TableApp(_rows(2))
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.press("space")
        assert app.table.marked == frozenset()
        assert app.table.cursor_key == "q0"


async def test_the_wheel_scrolls_and_leaves_the_cursor():
    app = TableApp(_rows(30))
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot._post_mouse_events([MouseScrollDown], app.table, (4, 4))
        assert app.table.top == 3
        assert app.table.cursor_key == "q0"
        app.table.set_rows([_row(number, 7) for number in range(30)])
        assert app.table.top == 3


async def test_an_empty_table_says_so():
    app = TableApp([], empty="no queue matches")
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert app.lines[1].strip() == "no queue matches"
        assert app.table.cursor_key is None
        await pilot.press("j", "enter", "G")
        app.table.set_rows(_rows(1))
        await pilot.pause()
        assert "queue-0" in app.lines[1]


async def test_a_theme_change_restyles_what_is_cached():
    app = TableApp([_row(0), Row("q1", {"name": Cell("forum", "bad")})])
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        dark = app.themes["queuectl-dark"].variables["tone-bad"]
        light = app.themes["queuectl-light"].variables["tone-bad"]
        assert dark in app.styles_of(2)
        app.theme = "queuectl-light"
        await pilot.pause()
        await pilot.pause()
        assert light in app.styles_of(2)
        assert dark not in app.styles_of(2)


async def test_rows_out_of_date_are_dimmed():
    app = TableApp([_row(0), Row("q1", {"name": Cell("forum", "bad", bold=True)}, dim=True)])
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert app.styles_of(2) == {app.themes["queuectl-dark"].variables["tone-muted"]}


async def test_without_colour_the_cursor_is_reversed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")
    app = TableApp(_rows(2))
    async with app.run_test(size=(60, 10)) as pilot:
        await pilot.pause()
        assert all(segment.style and segment.style.reverse for segment in app.table.render_line(1))
        assert not any(segment.style and segment.style.reverse for segment in app.table.render_line(2))


async def test_every_line_is_exactly_as_wide_as_the_table():
    rows = [Row("a", {"name": Cell("日本語のキュー名"), "depth": Cell("1")}), *_rows(3)]
    app = TableApp(rows)
    async with app.run_test(size=(57, 12)) as pilot:
        for width in (57, 33, 20, 8, 3):
            await pilot.resize_terminal(width, 12)
            await pilot.pause()
            assert {app.table.render_line(y).cell_length for y in range(12)} == {width}
