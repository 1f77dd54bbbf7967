"""The console on a recording: each key of the time line does what it says, and the screens follow."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path

import pytest
from console_support import Clock, header_text, main_screen, settle, text_of, toasts
from textual.pilot import Pilot

from queuectl.console.actions import ACTIONS, resolve
from queuectl.console.bars import KeyBar, Lines
from queuectl.console.replay_app import ReplayApp, ReplayBar, ReplayCommands
from queuectl.console.replay_keys import REPLAY_KEYS
from queuectl.console.replay_link import ReplayLink
from queuectl.console.view import line_text
from queuectl.console.widgets.chart import Chart
from queuectl.record.player import Recording
from queuectl.record.recorder import Recorder
from queuectl.settings import Settings

sys.path.insert(0, str(Path(__file__).parents[1] / "record"))

from fleets import START_S, fleet


@asynccontextmanager
async def replaying(
    folder: Path, *, size: tuple[int, int] = (120, 40), ascii_only: bool = False
) -> AsyncIterator[tuple[ReplayApp, Pilot[None], Clock]]:
    """A replay of a minute, on a clock that the test moves."""
    with Recorder(folder / "spike.qrec") as recorder:
        for second in range(61):
            recorder.add(fleet(second))
    clock = Clock()
    settings = Settings.model_validate({"environment": {"name": "REPLAY", "read_only": True}})
    with Recording(folder / "spike.qrec") as recording:
        link = ReplayLink(recording, clock)
        app = ReplayApp(link, settings, ascii_only=ascii_only, zone=UTC, monotonic=clock)
        async with app.run_test(size=size) as pilot:
            await settle(app)
            await pilot.pause()
            yield app, pilot, clock


def bar_text(app: ReplayApp) -> str:
    return main_screen(app).query_one(ReplayBar).render().plain


def shown_s(app: ReplayApp) -> float:
    taken = app.picture().fleet
    assert taken
    return taken.taken_at_s - START_S


async def press(app: ReplayApp, pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await settle(app)
    await pilot.pause()


async def test_the_screens_show_the_recorded_time(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, clock):
        clock.now_s += 20
        await settle(app)
        await pilot.pause()
        assert shown_s(app) == 20
        assert "recording spike.qrec" in header_text(app)
        assert "REPLAY" in header_text(app)
        assert "READ-ONLY" in header_text(app)
        assert "ana@mail-01" in text_of(app, "#events")
        assert bar_text(app).startswith(" PLAY  16:00:20 ×1 ")


@pytest.mark.parametrize(("keys", "second", "playing"), [
    (["space"], 20, False), (["space", "space"], 20, True), (["full_stop"], 21, False), (["comma", "comma"], 18, False),
    (["right_square_bracket"], 41, True), (["left_square_bracket"], 13, True), (["greater_than_sign"], 60, True),
    (["less_than_sign"], 0, True),
])  # fmt: skip
async def test_keys_move_through_time(tmp_path: Path, keys: list[str], second: int, playing: bool) -> None:
    async with replaying(tmp_path) as (app, pilot, clock):
        clock.now_s += 20
        await press(app, pilot, *keys)
        assert (shown_s(app), app.replay.playing) == (second, playing)


async def test_speed_and_the_end_stand_in_the_bar(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        await press(app, pilot, "plus", "plus", "minus")
        assert "×2" in bar_text(app)
        await press(app, pilot, "space")
        assert bar_text(app).startswith(" HELD ")
        await press(app, pilot, "space", "greater_than_sign")
        assert bar_text(app).startswith(" END ")
        await press(app, pilot, "space")
        assert (shown_s(app), app.replay.playing) == (0, True)


async def test_the_curves_follow_a_jump_back(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, clock):
        clock.now_s += 50
        await settle(app)
        await press(app, pilot, "left_square_bracket")
        samples = app.picture().samples
        assert [sample.at_s - START_S for sample in samples] == list(range(42))


async def test_plots_are_drawn_anew_at_once_after_a_jump(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        before = main_screen(app).query_one("#chart-0", Chart).render_line(5).text
        await press(app, pilot, "right_square_bracket")
        assert main_screen(app).query_one("#chart-0", Chart).render_line(5).text != before


async def test_a_jump_that_leads_nowhere_says_so(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        await press(app, pilot, "left_square_bracket")
        assert toasts(app)[-1] == "no earlier event in this recording"


async def test_a_click_on_the_time_line_goes_there(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        text = bar_text(app)
        await pilot.click(ReplayBar, offset=(text.rindex("─"), 0))
        await settle(app)
        assert shown_s(app) == 60


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_bar_fits_80_columns_and_shows_that_there_is_more(tmp_path: Path, ascii_only: bool) -> None:
    async with replaying(tmp_path, size=(80, 24), ascii_only=ascii_only) as (app, _, _):
        text = bar_text(app)
        assert len(text) <= 80
        assert text.isascii() == ascii_only
        assert "? help" in text
        assert text.endswith(app.look.signs.more)


async def test_the_bar_is_on_every_screen_and_names_every_key(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        for key in ("1", "2", "3", "6"):
            await press(app, pilot, key)
            assert all(entry.shown in bar_text(app) for entry in REPLAY_KEYS)
            assert not main_screen(app).query_one(KeyBar).display
            assert not main_screen(app).show_vertical_scrollbar


async def test_a_cut_off_recording_is_told(tmp_path: Path) -> None:
    with Recorder(tmp_path / "cut.qrec") as recorder:
        for second in range(25):
            recorder.add(fleet(second))
    whole = (tmp_path / "cut.qrec").read_bytes()
    (tmp_path / "cut.qrec").write_bytes(whole[:-50])
    with Recording(tmp_path / "cut.qrec") as recording:
        app = ReplayApp(ReplayLink(recording, Clock()), Settings(), zone=UTC)
        async with app.run_test() as pilot:
            await settle(app)
            await pilot.pause()
            assert any("cut off or damaged" in said for said in toasts(app))


async def test_help_begins_with_the_time_line(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        await press(app, pilot, "question_mark")
        shown = "\n".join(line_text(line) for line in app.screen.query_one("#help-replay", Lines).lines)
        assert all(entry.help in shown for entry in REPLAY_KEYS)


async def test_the_palette_offers_the_time_line(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, _, _):
        titles = [entry.title for entry, _ in ReplayCommands(app.screen)._entries()]
        assert titles == [entry.title for entry in REPLAY_KEYS]


async def test_nothing_can_be_changed(tmp_path: Path) -> None:
    async with replaying(tmp_path) as (app, pilot, _):
        for entry in ACTIONS:
            if entry.changes:
                await press(app, pilot, entry.keys.split(",")[0], "escape")
        assert await app.link.operations() == ()


def test_no_key_of_the_registry_is_taken_but_space() -> None:
    taken = {key for keys in resolve({}).by_id.values() for key in keys}
    assert taken & {entry.key for entry in REPLAY_KEYS} <= {"space"}
