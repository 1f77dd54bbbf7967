from typing import Any

from textual.app import App, ComposeResult
from textual.strip import Strip

from queuectl.console.theme import load_themes, tone_variables
from queuectl.console.widgets.chart import Chart
from queuectl.console.widgets.series import Mark, Picture, Series

END_S = 1_700_000_000.0


class CountingChart(Chart):
    """Counts what Textual asks it to draw."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drawn: list[int] = []

    def render_line(self, y: int) -> Strip:
        self.drawn.append(y)
        return super().render_line(y)


class ChartApp(App[None]):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.themes, _ = load_themes(None)
        for theme in self.themes.values():
            self.register_theme(theme)
        self.theme = "queuectl-dark"
        self.chart = CountingChart(**options)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return tone_variables(self.current_theme)

    def compose(self) -> ComposeResult:
        yield self.chart

    def show(self, value: float = 100.0, end_s: float = END_S, title: str = "", marks: tuple[Mark, ...] = ()) -> None:
        points = [(END_S - 300 + second, value) for second in range(301)]
        self.chart.show(Picture((Series("forum", "series-1", points),), marks, end_s, 300), title)


async def test_series_set_before_the_first_paint_are_drawn():
    app = ChartApp()
    app.show()
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        assert app.chart.lines[0] == "─ forum 100"
        assert len(app.chart.lines) == 12
        assert {app.chart.render_line(y).cell_length for y in range(12)} == {60}


async def test_the_same_picture_paints_nothing():
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.show(title="depth")
        await pilot.pause()
        app.chart.drawn.clear()
        app.show(title="depth", end_s=END_S + 0.01)
        await pilot.pause()
        assert app.chart.drawn == []


async def test_only_lines_that_came_out_different_are_painted():
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.show(100)
        await pilot.pause()
        app.chart.drawn.clear()
        points = [(END_S - 300 + second, 100.0 if second < 300 else 99.0) for second in range(301)]
        app.chart.show(Picture((Series("forum", "series-1", points),), (), END_S, 300))
        await pilot.pause()
        assert app.chart.drawn == [0]


async def test_the_title_goes_into_the_border():
    app = ChartApp()
    async with app.run_test(size=(60, 12)):
        app.show(title="depth")
        assert app.chart.border_title == "depth"


async def test_it_follows_its_size():
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.show(110, marks=(Mark(END_S - 150, "LIFO"),))
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert len(app.chart.lines) == 8
        assert all(len(line) <= 30 for line in app.chart.lines)
        assert any("┊LIFO" in line for line in app.chart.lines)


async def test_ascii_draws_nothing_else():
    app = ChartApp(ascii=True)
    async with app.run_test(size=(60, 12)) as pilot:
        app.show(marks=(Mark(END_S - 150, "LIFO"),))
        await pilot.pause()
        assert all(line.isascii() for line in app.chart.lines)


async def test_a_theme_change_restyles_what_is_cached():
    app = ChartApp()
    async with app.run_test(size=(60, 12)) as pilot:
        app.show()
        await pilot.pause()

        def colours() -> set[str]:
            return {segment.style.color.name for segment in app.chart.render_line(0)
                    if segment.style and segment.style.color}  # fmt: skip

        assert app.themes["queuectl-dark"].variables["tone-series-1"] in colours()
        app.theme = "winter-harbour"
        await pilot.pause()
        await pilot.pause()
        assert app.themes["winter-harbour"].variables["tone-series-1"] in colours()
