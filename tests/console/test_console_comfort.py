"""First-run hint, bell and title, themes read again, help that is searched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from console_support import ScriptedLink, opened, settle, toasts
from textual.pilot import Pilot

from queuectl.console.actions import resolve
from queuectl.console.alarm import Alarm, Bell
from queuectl.console.app import ConsoleApp
from queuectl.console.bars import Lines
from queuectl.console.run import console_app
from queuectl.console.screens.help import HelpScreen, help_lines, matching
from queuectl.console.view import Look, line_text
from queuectl.model import FleetState
from queuectl.settings import Settings

THEME = (Path(__file__).parents[2] / "themes" / "queuectl-dark.toml").read_text("utf-8")


def stalled(link: ScriptedLink, *names: str) -> FleetState:
    """The fleet with nobody listening to these queues."""
    queues = (replace(queue, workers=0, stock_workers=0, slots=0, busy=0) if queue.name in names else queue
              for queue in link.state.queues)  # fmt: skip
    return replace(link.state, queues=tuple(queues))


# The bell.


def test_each_trouble_rings_once_and_not_when_attaching() -> None:
    link, alarm = ScriptedLink(), Alarm()
    pictures = [stalled(link, "forum"), stalled(link, "forum"), stalled(link, "forum", "payment"), stalled(link),
                stalled(link, "forum")]  # fmt: skip
    heard = [alarm.hear(fleet) for fleet in pictures]
    assert [ring for ring, _ in heard] == [False, False, True, False, True]
    assert heard[3][1] == "queuectl"
    assert heard[0][1].startswith("! forum: ")
    assert heard[2][1].endswith(" +1 - queuectl")


def test_a_title_holds_nothing_the_terminal_would_obey() -> None:
    link = ScriptedLink()
    link.change_queue("forum", name="x\x07\x1b]0;")
    _, title = Alarm().hear(stalled(link, "x\x07\x1b]0;"))
    assert title.isprintable()


def test_a_title_is_written_when_it_changes_and_calm_at_the_end() -> None:
    link, written, rung = ScriptedLink(), [], []
    bell = Bell(lambda: rung.append(1), written.append)
    for fleet in (stalled(link), stalled(link, "payment"), stalled(link, "payment")):
        bell.hear(fleet)
    bell.rest()
    assert [title.split(":")[0] for title in written] == ["queuectl", "! payment", "queuectl"]
    assert rung == [1]


async def test_bell_and_title_only_where_asked_for(monkeypatch) -> None:
    rung: list[str] = []
    monkeypatch.setattr(ConsoleApp, "bell", lambda self: rung.append("bell"))
    monkeypatch.setattr(ConsoleApp, "set_terminal_title", lambda self, text: rung.append(text))
    for wanted, heard in ((False, 0), (True, 3)):
        rung.clear()
        async with opened(console={"bell": wanted}) as (app, _, link):
            link.state = stalled(link, "payment")
            await settle(app)
            assert len(rung) == heard


# Themes.


@asynccontextmanager
async def themed(folder: Path, theme: str = "queuectl-dark") -> AsyncIterator[tuple[ConsoleApp, Pilot[None]]]:
    settings = Settings.model_validate({"console": {"theme": theme}})
    app = ConsoleApp(ScriptedLink(), settings, theme_dir=folder)
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app)
        yield app, pilot


async def read_again(app: ConsoleApp, pilot: Pilot[None]) -> list[str]:
    """What is said of it."""
    before = len(toasts(app))
    app._read_themes_again()
    await pilot.pause()
    return toasts(app)[before:]


async def test_a_theme_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(THEME.replace('"queuectl-dark"', '"mine"'))
    async with themed(tmp_path, "mine") as (app, pilot):
        assert await read_again(app, pilot) == []
        background = app.themes["mine"].background
        path.write_text(THEME.replace('"queuectl-dark"', '"mine"').replace(str(background), "#123456"))
        assert await read_again(app, pilot) == ["themes read again"]
        assert app.current_theme.background == "#123456"

        path.write_text("name = ")
        (said,) = await read_again(app, pilot)
        assert "not valid TOML" in said
        assert app.current_theme.background == "#123456"

        path.unlink()
        assert await read_again(app, pilot) == ["themes read again"]
        assert app.theme == "queuectl-dark"
        assert "mine" not in app.themes


async def test_a_new_file_is_a_new_theme(tmp_path: Path) -> None:
    async with themed(tmp_path) as (app, pilot):
        (tmp_path / "mine.toml").write_text(THEME.replace('"queuectl-dark"', '"mine"'))
        assert await read_again(app, pilot) == ["themes read again"]
        app.theme = "mine"
        assert app.current_theme.name == "mine"


# The first run.


async def test_the_hint_is_for_the_first_time_only(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "LANG": "C.UTF-8"}
    said = []
    for _ in range(2):
        app = console_app(ScriptedLink(), Settings(), environ=environ)
        app.driver_class = None
        async with app.run_test(size=(100, 30)) as pilot:
            await settle(app)
            await pilot.pause()
            said.append([note.title for note in app._notifications])
    assert said == [["first time here?"], []]


# Help.


def test_help_is_narrowed_to_the_words_under_their_headings() -> None:
    lines = help_lines(resolve({}), Look(), read_only=False)
    found = [line_text(line) for line in matching(lines, "failed DELETE")]
    assert found[0] == "Act on the selected queue"
    assert any(line.startswith("  D delete") for line in found)
    assert len(found) == 2
    assert matching(lines, "  ") == lines
    assert "no key or command with 'zzz'" in line_text(matching(lines, "zzz")[0])


async def test_slash_searches_help_and_escape_ends_first_the_search() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("question_mark", "slash", *"overflow", "enter")
        await pilot.pause()
        shown = app.screen.query_one("#help-lines", Lines).lines
        assert 0 < len(shown) < 8
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert len(app.screen.query_one("#help-lines", Lines).lines) > 40
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)
