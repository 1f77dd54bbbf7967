"""The fleet screen under the keys."""

from __future__ import annotations

import asyncio

import pytest
from console_support import Clock, ScriptedLink, header_text, main_screen, opened, settle, text_of, toasts

from queuectl.console.app import ConsoleApp
from queuectl.console.widgets.chart import Chart
from queuectl.console.widgets.table import LiveTable


def table(app: ConsoleApp) -> LiveTable:
    return main_screen(app).query_one(LiveTable)


def names(app: ConsoleApp) -> list[str]:
    return [row.key for row in table(app).rows]


async def test_the_first_picture_answers_without_a_key() -> None:
    async with opened() as (app, _, _):
        assert names(app) == ["payment", "security", "legacy", "welcome", "forum"]
        assert "forum: growing 4.4k/s, will not clear" in text_of(app, "#alert")
        assert "undo: 119" in text_of(app, "#events")
        assert "leader mail-01:4711" in header_text(app)
        assert any("1.2M" in line for line in app.screen.query_one("#chart-0", Chart).lines)


@pytest.mark.parametrize(
    ("keys", "selected"),
    [
        ("j", "security"),
        ("down down", "legacy"),
        ("G", "forum"),
        ("G g", "payment"),
        ("end k", "welcome"),
        ("end up home", "payment"),
        ("pagedown pagedown pagedown", "forum"),
        ("G pageup pageup pageup", "payment"),
    ],
)
async def test_moving(keys: str, selected: str) -> None:
    async with opened() as (app, pilot, _):
        await pilot.press(*keys.split())
        assert table(app).cursor_key == selected


async def test_more_columns_and_back() -> None:
    async with opened(size=(80, 24)) as (app, pilot, _):
        before = table(app)._step
        await pilot.press("l")
        assert table(app)._step == before + 1
        await pilot.press("h")
        assert table(app)._step == before


async def test_selection_stays_on_its_queue_through_refresh_sort_and_filter() -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("j", "j")
        link.change_queue("legacy", depth=9_000_000)
        await settle(app)
        await pilot.press("o")
        assert names(app) == ["forum", "legacy", "payment", "security", "welcome"]
        await pilot.press("O")
        assert names(app)[0] == "welcome"
        await pilot.press("slash", "e", "g", "enter")
        assert names(app) == ["legacy"]
        assert table(app).cursor_key == "legacy"


async def test_sorting_goes_through_the_columns_and_ends_in_the_natural_order() -> None:
    async with opened() as (app, pilot, _):
        natural = names(app)
        screen = main_screen(app)
        for _ in range(30):
            await pilot.press("o")
            if screen._order is None:
                break
        assert screen._order is None
        assert names(app) == natural


async def test_a_click_on_a_heading_sorts_and_the_next_one_reverses() -> None:
    async with opened() as (app, pilot, _):
        header = table(app).render_line(0).text
        await pilot.click("#queues", offset=(header.index("DEPTH") + 2, 0))
        await pilot.pause()
        assert names(app)[0] == "forum"
        await pilot.click("#queues", offset=(header.index("DEPTH") + 2, 0))
        await pilot.pause()
        assert names(app)[-1] == "forum"


async def test_filter_while_typing_and_its_end() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("slash", *"!prot")
        assert names(app) == ["legacy", "welcome", "forum"]
        assert "filter '!prot': 3 of 5 queues" in text_of(app, "#alert")
        await pilot.press("enter")
        assert names(app) == ["legacy", "welcome", "forum"]
        await pilot.press("escape")
        assert len(names(app)) == 5
        await pilot.press("slash", "x", "escape")
        assert len(names(app)) == 5
        await pilot.press("j")
        assert table(app).cursor_key == "security"


async def test_a_filter_without_a_match_says_so_and_steers_nothing() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("slash", *"zzz", "enter", "s", "enter", "2")
        assert names(app) == []
        assert toasts(app) == ["shed: no queue is selected"]
        assert main_screen(app).title_name == "fleet"


def titles(app: ConsoleApp) -> list[str]:
    return [str(chart.border_title) for chart in app.screen.query(Chart) if chart.display]


async def test_one_plot_at_80x24_and_tab_turns_it() -> None:
    async with opened(size=(80, 24)) as (app, pilot, _):
        shown = [titles(app)]
        for _ in range(7):
            await pilot.press("tab")
            shown.append(titles(app))
        assert [len(one) for one in shown] == [1] * 8
        assert [one[0].split(" ·")[0] for one in shown] == [
            "waiting", "all in / out per second", "oldest", "all waiting by tier", "wait p95", "slots busy",
            "providers: used per second", "waiting"]  # fmt: skip
        assert not app.screen.query_one("#events").display


async def test_tab_turns_three_plots_at_a_time() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("tab")
        assert titles(app) == ["all waiting by tier", "wait p95 · busiest 4 of 5", "slots busy"]
        await pilot.press("tab")
        assert titles(app)[:2] == ["providers: used per second", "waiting · busiest 4 of 5"]


async def test_plots_of_the_selected_queue() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("c")
        await pilot.pause()
        assert titles(app)[0] == "payment: waiting by tier"
        await pilot.press("G")
        await pilot.pause()
        assert titles(app)[0] == "forum: waiting by tier"
        await pilot.press("c")
        await pilot.pause()
        assert "busiest" in titles(app)[0]


async def test_plots_are_redrawn_every_five_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, drawn = Clock(), []
    monkeypatch.setattr(Chart, "show", lambda self, *_args: drawn.append(self.id))
    async with opened(clock=clock) as (app, _, link):
        drawn.clear()
        for _ in range(5):
            link.change_queue("forum", depth=1)
            await settle(app)
        assert drawn == []
        clock.now_s += 5
        await settle(app)
        assert len(drawn) == 3


async def test_another_range_is_drawn_at_once_and_a_long_one_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, drawn = Clock(), []
    async with opened(clock=clock) as (app, pilot, _):
        monkeypatch.setattr(Chart, "show", lambda _self, picture, _title: drawn.append(picture.span_s))
        await pilot.press("T")
        await settle(app)
        assert drawn
        assert toasts(app) == ["plots show the last 1h"]
        drawn.clear()
        clock.now_s += 14
        await settle(app)
        assert drawn == []
        clock.now_s += 1
        await settle(app)
        assert len(drawn) == 3
        await pilot.press("colon", *"range 5m", "enter")
        await settle(app)
        assert set(drawn[3:]) == {300.0}


async def test_nothing_is_painted_when_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as (app, pilot, link):
        await pilot.pause()
        painted: list[object] = []
        monkeypatch.setattr(app, "_display", lambda *args: painted.append(args))
        await settle(app)
        await pilot.pause()
        assert painted == []
        link.change_queue("forum", depth=48_113)
        await settle(app)
        await pilot.pause()
        assert painted


# The server goes away, or is slow.


async def test_disconnected_keeps_the_last_picture_dimmed_and_every_key_working() -> None:
    clock = Clock()
    async with opened(clock=clock) as (app, pilot, link):
        link.away = "Error 111 connecting to 10.0.0.5:6379. Connection refused."
        clock.now_s += 12
        await settle(app)
        assert "disconnected 12s · retrying" in header_text(app)
        assert "Connection refused" in text_of(app, "#alert")
        assert names(app)
        assert all(row.dim for row in table(app).rows)
        assert app.screen.has_class("-stale")
        clock.now_s += 5
        app._age()
        assert "disconnected 17s" in header_text(app)
        await pilot.press("j", "question_mark")
        assert table(app).cursor_key == "security"
        assert app.screen.__class__.__name__ == "HelpScreen"
        await pilot.press("escape", "s")
        assert app.screen.__class__.__name__ == "ActionPanel"
        await pilot.press("escape")
        link.away = ""
        await settle(app)
        assert "every 10s" in header_text(app)
        assert not any(row.dim for row in table(app).rows)


async def test_no_server_from_the_start() -> None:
    link = ScriptedLink()
    link.away = "no server at redis://10.0.0.5:6379/0"
    async with opened(link) as (app, pilot, _):
        assert "no server at" in text_of(app, "#alert")
        await pilot.press("j", "s", "2", "o", "tab", "colon", *"shed forum on", "enter")
        assert toasts(app)[-1] == "there is no picture of the server yet"


async def test_a_slow_answer_holds_up_no_key() -> None:
    clock, link = Clock(), ScriptedLink()
    async with opened(link, clock=clock) as (app, pilot, _):
        link.hold = asyncio.Event()
        app.feed.poke()
        while not link.open_polls:
            await pilot.pause()
        await pilot.press("j", "j")
        assert table(app).cursor_key == "legacy"
        clock.now_s += 15
        app._age()
        assert "stale 15s" in header_text(app)
        link.hold.set()


def depth_shown(app: ConsoleApp, queue: str) -> str:
    return next(row for row in table(app).rows if row.key == queue).cells["depth"].text


async def test_a_terminal_that_lags_is_spared_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as (app, _, link):
        monkeypatch.setattr(ConsoleApp, "_lagging", property(lambda self: True))
        link.change_queue("forum", depth=1)
        await settle(app)
        assert depth_shown(app, "forum") == "48,112"
        monkeypatch.setattr(ConsoleApp, "_lagging", property(lambda self: False))
        app.paint()
        assert depth_shown(app, "forum") == "1"
