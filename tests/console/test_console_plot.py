"""One plot over the whole screen: drawn with plotext, turned with tab, left to where one came from."""

from __future__ import annotations

from datetime import UTC

import pytest
from console_support import Clock, ScriptedLink, main_screen, opened, settle, text_of

from queuectl.console.app import ConsoleApp
from queuectl.console.glyphs import ASCII, UNICODE
from queuectl.console.widgets.large import Inks, draw_large, legend
from queuectl.console.widgets.large_plot import LargePlot
from queuectl.console.widgets.plot import Style
from queuectl.console.widgets.series import Mark, Picture, Series
from queuectl.model import ReplyHistory, ServerError

END_S = 1_700_000_100.0
NO_INKS = Inks({})


def flat(value: float | None, name: str = "forum") -> Series:
    return Series(name, "series-1", [(END_S - 600 + second, value) for second in range(0, 601, 5)])


def drawn(picture: Picture, glyphs=UNICODE, inks: Inks = NO_INKS) -> list[str]:
    return draw_large(picture, 100, 24, Style(glyphs, clock=True, zone=UTC), inks).split("\n")


def test_it_has_the_size_asked_for_and_axes_in_real_units() -> None:
    lines = drawn(Picture((flat(1068),), end_s=END_S, span_s=600, unit="s"))
    assert len(lines) == 24
    assert max(map(len, lines)) == 100
    assert "20m" in lines[1]
    assert "10m" in "".join(lines)
    assert lines[-1].split() == ["22:05", "22:06", "22:08", "22:10", "22:11", "22:13", "22:15"]


def test_events_stand_by_name_one_below_the_other() -> None:
    marks = tuple(Mark(END_S - 300 + at, name, rule=at != 2) for at, name in enumerate(("shed", "LIFO", "surge")))
    lines = drawn(Picture((flat(1),), marks, END_S, 600))
    found = {name: index for index, line in enumerate(lines) for name in ("shed", "LIFO", "surge") if name in line}
    assert len(set(found.values())) == 3
    assert "▼ surge" in lines[found["surge"]]
    assert any("│" in line[10:-1] for line in lines[8:20]), "an operator's act is a rule across the plot"
    old = drawn(Picture((flat(1),), (Mark(END_S - 700, "old"),), END_S, 600))
    assert not any("old" in line for line in old)


def test_layers_and_curves_differ_without_colour() -> None:
    parts = (flat(40, "primary"), flat(30, "surge"), flat(30, "overflow"))
    lines = drawn(Picture(parts, end_s=END_S, span_s=600, stacked=True))
    column = "".join(line[50] for line in lines[1:-2])
    assert {"█", "▒", "░"} <= set(column)
    assert column.index("░") < column.index("▒") < column.index("█")
    curves = "".join(drawn(Picture((flat(40), flat(30, "payment")), end_s=END_S, span_s=600)))
    assert "*" in curves
    assert "+" in curves


def test_ascii_is_nothing_else() -> None:
    parts = (flat(40, "primary"), flat(30, "surge"))
    for stacked in (True, False):
        assert all(line.isascii() for line in drawn(Picture(parts, end_s=END_S, span_s=600, stacked=stacked), ASCII))
    entries = legend(Picture(parts, end_s=END_S, stacked=True), Style(ASCII), NO_INKS)
    assert [text for text, _ in entries] == ["# primary 40", "+ surge 30"]


def test_colours_are_the_themes_and_gaps_stay_empty() -> None:
    inks = Inks({"series-1": (1, 2, 3)})
    assert "38;2;1;2;3" in "\n".join(drawn(Picture((flat(5),), end_s=END_S, span_s=600), inks=inks))
    points = [(at, value) for at, value in flat(5).points if not END_S - 400 < at < END_S - 200]
    whole, gapped = (
        "".join(drawn(Picture((Series("a", "", points),), end_s=END_S, span_s=600, gap_s=gap_s)))
        for gap_s in (None, 25.0)
    )
    assert gapped.count("*") < whole.count("*")
    assert drawn(Picture((flat(None),), end_s=END_S, span_s=600))


def heading(app: ConsoleApp) -> str:
    return text_of(app, "#plot-title")


async def test_the_large_plot_of_the_fleet_and_back() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("v")
        await settle(app)
        await pilot.pause()
        assert main_screen(app).title_name == "plot"
        assert heading(app).startswith(" waiting · busiest 4 of 5 · last 15m · 1 of 10 ")
        assert "forum 1.2M" in heading(app)
        lines = app.screen.query_one(LargePlot).lines
        assert len(lines) == app.screen.query_one(LargePlot).size.height
        assert "1.5M" in lines[1]
        await pilot.press("escape")
        assert main_screen(app).title_name == "fleet"


async def test_tab_and_the_moving_keys_turn_it_and_replies_come_last() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("v")
        await settle(app)
        await pilot.press("tab")
        assert heading(app).startswith(" all in / out per second")
        await pilot.press("k", "k")
        assert heading(app).startswith(" postmark: replies a minute by class")
        await pilot.press("g")
        assert heading(app).startswith(" waiting")
        await pilot.press("G", "k")
        assert heading(app).startswith(" ses: replies a minute by class")
        assert "throttled" in heading(app)


async def test_of_a_queue_it_leads_back_to_the_queue() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("G", "enter", "v")
        await settle(app)
        await pilot.pause()
        assert heading(app).startswith(" forum: waiting by tier · last 15m · 1 of 6 ")
        await pilot.press("y")
        assert app.clipboard == "forum"
        await pilot.press("v")
        assert main_screen(app).title_name == "queue"


@pytest.mark.parametrize(("key", "title"), [("3", " slots busy"), ("4", " providers: used per second")])
async def test_it_begins_with_what_the_screen_is_about(key: str, title: str) -> None:
    async with opened() as (app, pilot, _):
        await pilot.press(key, "v")
        await settle(app)
        await pilot.pause()
        assert heading(app).startswith(title)


async def test_another_range_and_another_theme_are_drawn_at_once() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("v")
        await settle(app)
        await pilot.pause()
        before = app.screen.query_one(LargePlot).render()
        await pilot.press("t")
        await pilot.pause()
        assert app.screen.query_one(LargePlot).render() != before
        await pilot.press("T", "T", "T", "T")
        await settle(app)
        await pilot.pause()
        assert "last 5m" in heading(app)


async def test_it_is_redrawn_every_few_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, shown = Clock(), []
    async with opened(clock=clock) as (app, pilot, link):
        await pilot.press("v")
        await settle(app)
        monkeypatch.setattr(LargePlot, "show", lambda _self, picture: shown.append(picture))
        for _ in range(3):
            link.change_queue("forum", depth=1)
            await settle(app)
        assert shown == []
        clock.now_s += 5
        await settle(app)
        assert len(shown) == 1


async def test_replies_that_cannot_be_read_leave_the_other_plots() -> None:
    class Silent(ScriptedLink):
        async def replies(self, provider: str, span_s: float) -> ReplyHistory:
            raise ServerError("gone")

    async with opened(Silent()) as (app, pilot, _):
        await pilot.press("v")
        await settle(app)
        await pilot.pause()
        assert "1 of 7" in heading(app)


async def test_the_prompt_and_a_small_terminal() -> None:
    async with opened(size=(40, 12)) as (app, pilot, _):
        await pilot.press("v")
        await settle(app)
        await pilot.press("colon", *"range 1h", "enter")
        await settle(app)
        await pilot.pause()
        assert main_screen(app).title_name == "plot"
        await pilot.press("tab")
        assert heading(app).startswith(" all in")
