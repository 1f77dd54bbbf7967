"""Refreshing, themes, commands, going from screen to screen, leaving."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_support import ScriptedLink, header_text, main_screen, opened, settle, text_of, toasts
from textual.content import Content
from textual.widgets import Input, OptionList

from queuectl.console.actions import ACTIONS
from queuectl.console.app import ConsoleApp
from queuectl.console.screens.base import ConsoleScreen
from queuectl.console.widgets.chart import Chart
from queuectl.console.widgets.table import LiveTable


def table(app: ConsoleApp) -> LiveTable:
    return main_screen(app).query_one(LiveTable)


def names(app: ConsoleApp) -> list[str]:
    return [row.key for row in table(app).rows]


# Refreshing, freezing, themes, commands, going.


async def test_refresh_interval_and_freeze_are_shown() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("r")
        assert "refresh off" in header_text(app)
        await pilot.press("r")
        assert "every 0.5s" in header_text(app)
        await pilot.press("z")
        assert "FROZEN" in header_text(app)
        await pilot.press("z")
        assert "FROZEN" not in header_text(app)


async def test_themes_go_round() -> None:
    async with opened() as (app, pilot, _):
        seen = [app.theme]
        for _ in app.themes:
            await pilot.press("t")
            seen.append(app.theme)
        assert seen[0] == seen[-1] == "queuectl-dark"
        assert set(seen) == set(app.themes)


async def test_an_unknown_theme_in_the_settings_is_said_and_replaced() -> None:
    async with opened(console={"theme": "pink"}) as (app, _, _):
        assert app.theme == "queuectl-dark"
        assert "theme 'pink' does not exist; there are: queuectl-dark" in toasts(app)[0]


@pytest.mark.parametrize(
    ("line", "screen"),
    [
        ("shed forum off", "ActionPanel"),
        ("mode forum fifo", "ActionPanel"),
        ("drain forum shed", "ActionPanel"),
        ("scale bulk 20", "ActionPanel"),
        ("pause legacy", "ActionPanel"),
        ("resume legacy", "ActionPanel"),
        ("refill forum", "ActionPanel"),
        ("undo 117", "ActionPanel"),
        ("undo", "ActionPanel"),
        ("help", "HelpScreen"),
        ("open forum", "QueueScreen"),
        ("workers", "WorkersScreen"),
        ("log", "LogScreen"),
        ("fleet", "FleetScreen"),
        ("", "FleetScreen"),
    ],
)
async def test_command_lines(line: str, screen: str) -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("colon")
        app.screen.query_one("#prompt-input", Input).value = line
        await pilot.press("enter")
        await settle(app)
        await pilot.pause()
        assert app.screen.__class__.__name__ == screen
        assert link.committed == []


async def test_command_line_for_a_theme_and_for_leaving() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("colon", *"theme queuectl-light", "enter")
        assert app.theme == "queuectl-light"
        await pilot.press("colon", "q", "enter")
        await pilot.pause()
        assert app.return_code == 0
        assert not app.is_running or app._exit


async def test_a_bad_command_says_what_is_allowed() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("colon", *"undo x", "enter", "colon", *"stop forum", "enter")
        await settle(app)
        assert toasts(app) == [
            "undo: 'x' is not a whole number of 1 or more",
            "no drain or refill is under way on forum",
        ]


async def test_the_prompt_completes_with_the_right_arrow() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("colon", *"shed fo")
        await pilot.pause()
        await pilot.press("right")
        assert app.screen.query_one("#prompt-input", Input).value == "shed forum"


async def test_screens_and_the_way_back() -> None:
    async with opened() as (app, pilot, _):
        seen = []
        for key in ("G", "enter", "escape", "2", "1", "3", "6", "2", "escape", "escape"):
            await pilot.press(key)
            await settle(app)
            seen.append(main_screen(app).title_name)
        assert seen == ["fleet", "queue", "fleet", "queue", "fleet", "workers", "log", "log", "fleet", "fleet"]
        assert len(app.screen_stack) == 2


async def test_actions_that_do_not_belong_here_say_so() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("3")
        await settle(app)
        await pilot.press("s", "o")
        assert toasts(app) == ["shed: not on the workers screen", "sort: not on the workers screen"]


async def test_screenshot_is_saved_as_svg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened() as (app, pilot, _):
        await pilot.press("ctrl+s")
        saved = list(tmp_path.glob("queuectl-*.svg"))
        assert len(saved) == 1
        assert "saved " in toasts(app)[0]
        monkeypatch.chdir("/proc")
        await pilot.press("ctrl+s")
        assert "screenshot not saved" in toasts(app)[1]


async def test_ctrl_c_says_how_to_quit_and_q_quits() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("ctrl+c")
        assert toasts(app) == ["press q to quit"]
        await pilot.press("q")
        await pilot.pause()
        assert app._exit
        assert app.return_code == 0


async def test_palette_opens_a_queue() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("ctrl+p", *"open forum")
        found = app.screen.query_one(OptionList)
        while not found.option_count:
            await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await settle(app)
        assert main_screen(app).title_name == "queue"


@pytest.mark.parametrize("size", [(40, 10), (12, 3)])
async def test_no_action_fails_on_a_small_terminal(size: tuple[int, int]) -> None:
    async with opened(size=size) as (app, pilot, link):
        for home in ("fleet", "queue", "workers", "log"):
            for entry in ACTIONS:
                if entry.id not in ("quit", "suspend", "screenshot"):
                    await app.action_do(home)
                    await app.action_do(entry.id)
                    await settle(app)
                    await pilot.pause()
                    if not isinstance(app.screen, ConsoleScreen):
                        await app.pop_screen()
        assert app.return_code is None
        assert link.committed == []


async def test_a_tiny_terminal_says_so_and_comes_back() -> None:
    async with opened(size=(24, 5)) as (app, pilot, _):
        assert str(app.screen.query_one("#too-small").content) == "too small: 24x5, needs 30x6"
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert not app.screen.has_class("-too-small")
        assert len(names(app)) == 5


async def test_environment_and_read_only_are_shown() -> None:
    async with opened(environment={"name": "PROD", "production": True, "read_only": True}) as (app, pilot, _):
        assert " PROD " in header_text(app)
        assert "READ-ONLY" in header_text(app)
        await pilot.press("question_mark")
        assert "PROD" in app.screen.query_one("#help-title").render().plain


async def test_words_of_others_are_never_markup() -> None:
    link = ScriptedLink()
    link.change_queue("forum", name="[red]x[/]")
    async with opened(link) as (app, pilot, _):
        await pilot.press("G", "c", "s")
        await settle(app)
        assert text_of(app, "#panel-title").strip() == "shed [red]x[/]"
        assert str(app.screen.query_one("#confirm").label).endswith("[red]x[/]")
        await pilot.press("escape", "enter")
        await settle(app)
        await pilot.pause()
        title = str(app.screen.query_one("#chart-0", Chart).border_title)
        assert Content.from_markup(title).plain == "[red]x[/]: waiting by tier"
