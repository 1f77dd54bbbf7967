"""Action panels: nothing acts by itself, what is confirmed is what was shown, a refusal says why."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from console_support import ScriptedLink, opened, settle, text_of, toasts
from textual.pilot import Pilot
from textual.widgets import Button, Input

from queuectl.console.app import ConsoleApp
from queuectl.console.choice import Choice
from queuectl.console.screens.panel import ActionPanel
from queuectl.model import (
    Direction,
    Drain,
    Operation,
    Outcome,
    Preview,
    Refill,
    Scale,
    ServerError,
    SetDirection,
    SetPause,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
)


def confirm(app: ConsoleApp) -> Button:
    return app.screen.query_one("#confirm", Button)


async def ready(app: ConsoleApp, pilot: Pilot[None]) -> None:
    await settle(app)
    await pilot.pause()


async def press_confirm(app: ConsoleApp, pilot: Pilot[None]) -> None:
    confirm(app).press()
    await ready(app, pilot)


@pytest.mark.parametrize(
    ("keys", "action"),
    [
        ("G s", SetShed("forum", Switch.OFF, 900)),
        ("j j s", SetShed("legacy", Switch.ON, 900)),
        ("G m", SetDirection("forum", Direction.FIFO, 900)),
        ("G d", Drain("forum", Target.OVERFLOW)),
        ("G f", Refill("forum", Tier.OVERFLOW)),
        ("G w", Scale("bulk", 12, 900)),
        ("G p", SetPause("forum", Switch.ON, 900)),
        ("G P", SetPause("forum", Switch.OFF, 900)),
        ("u", Undo(119)),
        ("j j w", Scale("critical", 4, 900)),
    ],
)
async def test_every_action_key_opens_its_panel_and_only_the_button_acts(keys: str, action: object) -> None:
    async with opened() as (app, pilot, link):
        await pilot.press(*keys.split())
        await ready(app, pilot)
        panel = app.screen
        assert isinstance(panel, ActionPanel)
        assert panel.preview is not None
        assert str(confirm(app).label) == panel.preview.verb
        assert panel.preview.headline in text_of(app, "#headline")
        await pilot.press("enter")
        assert link.committed == []
        assert not isinstance(app.screen, ActionPanel)

        await pilot.press(keys.split()[-1])
        await ready(app, pilot)
        await press_confirm(app, pilot)
        assert [done for done, _, _ in link.committed] == [action]
        assert not isinstance(app.screen, ActionPanel)
        assert "undo: 120 (key u)" in toasts(app)[-1]


async def test_cancel_has_the_focus_and_esc_closes() -> None:
    async with opened() as (app, pilot, link):
        for way_out in ("escape", "enter", "ctrl+c"):
            await pilot.press("s")
            await ready(app, pilot)
            assert app.focused is app.screen.query_one("#cancel")
            await pilot.press(way_out)
            await pilot.pause()
            assert not isinstance(app.screen, ActionPanel)
        assert link.committed == []


async def test_effects_forecast_and_environment_are_shown() -> None:
    async with opened(environment={"name": "PROD", "production": True}) as (app, pilot, _):
        await pilot.press("j", "j", "s")
        await ready(app, pilot)
        assert text_of(app, "#panel-title") == " PROD   shed legacy "
        assert text_of(app, "#headline") == "Turn shedding on for legacy (312,000 messages)"
        assert "Messages older than 4h go to the shed store" in text_of(app, "#effects")
        assert "17m48s → 4h at most" in text_of(app, "#effects")


async def test_a_changed_answer_is_previewed_anew_before_it_can_be_confirmed() -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("j", "j", "s")
        await ready(app, pilot)
        app.screen.query_one("#field-value", Choice).focus()
        await pilot.press("l")
        await ready(app, pilot)
        assert str(confirm(app).label) == "Stop shedding legacy"
        app.screen.query_one("#field-for", Choice).focus()
        await pilot.press("right", "right", "right")
        await ready(app, pilot)
        app.screen.query_one("#reason", Input).focus()
        await pilot.press(*"calm again", "enter")
        await press_confirm(app, pilot)
        assert link.committed == [(SetShed("legacy", Switch.OFF, None), "calm again", "")]


async def test_while_an_answer_is_being_counted_nothing_can_be_confirmed() -> None:
    class SlowLink(ScriptedLink):
        gate: asyncio.Event | None = None

        async def preview(self, action: object) -> Preview:
            if self.gate is not None:
                await self.gate.wait()
            return await super().preview(action)

    link = SlowLink()
    async with opened(link) as (app, pilot, _):
        await pilot.press("G", "d")
        await ready(app, pilot)
        assert not confirm(app).disabled
        link.gate = asyncio.Event()
        app.screen.query_one("#field-limit", Input).focus()
        await pilot.press("5")
        assert confirm(app).disabled
        assert str(confirm(app).label) == "counting"
        asked = link.previews
        for _ in range(3):
            app.screen.ask()
            await pilot.pause()
        link.gate.set()
        await ready(app, pilot)
        assert link.previews == asked + 1
        assert app.screen.preview.action == Drain("forum", Target.OVERFLOW, limit=5)


async def test_numbers_stay_live_while_it_is_open() -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("G", "d")
        await ready(app, pilot)
        link.change_preview = {"verb": "Drain 50,000 from forum", "affected": 50_000, "approximate": True}
        app.screen.ask()
        await ready(app, pilot)
        assert str(confirm(app).label) == "Drain 50,000 from forum"
        assert "(about 50,000 messages)" in text_of(app, "#headline")


async def test_a_bad_answer_says_what_is_wrong() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("w")
        await ready(app, pilot)
        box = app.screen.query_one("#field-workers", Input)
        box.value = "many"
        await ready(app, pilot)
        assert "workers: 'many' is not a whole number" in text_of(app, "#problem")
        assert confirm(app).disabled
        box.value = "20"
        await ready(app, pilot)
        assert text_of(app, "#problem") == ""
        assert not confirm(app).disabled


async def test_a_protected_queue_asks_for_its_name() -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("s")
        await ready(app, pilot)
        assert app.screen.query_one("#typed-row").display
        assert confirm(app).disabled
        typed = app.screen.query_one("#typed", Input)
        typed.value = "paymen"
        await ready(app, pilot)
        assert confirm(app).disabled
        typed.value = "payment"
        await ready(app, pilot)
        await press_confirm(app, pilot)
        assert link.committed == [(SetShed("payment", Switch.ON, 900), "", "payment")]


async def test_a_refusal_stands_in_place_of_the_button() -> None:
    async with opened(environment={"read_only": True}) as (app, pilot, link):
        link.change_preview = {"refusal": "this console is read-only"}
        await pilot.press("G", "s")
        await ready(app, pilot)
        assert "this console is read-only" in text_of(app, "#problem")
        assert not confirm(app).display
        assert "READ-ONLY" in text_of(app, "#panel-title")


async def test_what_would_change_nothing_cannot_be_confirmed() -> None:
    async with opened() as (app, pilot, link):
        link.change_preview = {"nothing": True}
        await pilot.press("G", "m")
        await ready(app, pilot)
        assert "already so" in text_of(app, "#problem")
        assert confirm(app).disabled


async def test_what_cannot_be_undone_says_so() -> None:
    async with opened() as (app, pilot, link):
        link.change_preview = {"undoable": False}
        await pilot.press("G", "d")
        await ready(app, pilot)
        assert "this cannot be undone" in text_of(app, "#effects")


async def test_a_commit_that_is_refused_says_what_changed_and_counts_anew() -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("G", "m")
        await ready(app, pilot)
        link.refuse_commit = "ben switched forum to FIFO 3s ago"
        before = link.previews
        await press_confirm(app, pilot)
        assert isinstance(app.screen, ActionPanel)
        assert "refused: ben switched forum to FIFO 3s ago" in text_of(app, "#problem")
        assert link.previews > before
        link.refuse_commit = ""
        await press_confirm(app, pilot)
        assert len(link.committed) == 1


async def test_a_server_that_does_not_answer_a_commit_leaves_the_panel_open() -> None:
    class LostLink(ScriptedLink):
        async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
            raise ServerError("time-out")

    async with opened(LostLink()) as (app, pilot, link):
        await pilot.press("G", "m")
        await ready(app, pilot)
        await press_confirm(app, pilot)
        assert "look into the log before trying again" in text_of(app, "#problem")
        link.away = "gone"
        app.screen.ask()
        await ready(app, pilot)
        assert "gone" in text_of(app, "#problem")
        assert confirm(app).disabled
        await pilot.press("escape")
        assert not isinstance(app.screen, ActionPanel)


async def test_it_cannot_be_committed_twice() -> None:
    class SlowLink(ScriptedLink):
        def __init__(self) -> None:
            super().__init__()
            self.gate = asyncio.Event()

        async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
            await self.gate.wait()
            return await super().commit(preview, reason=reason, typed=typed)

    async with opened(SlowLink()) as (app, pilot, link):
        await pilot.press("G", "m")
        await ready(app, pilot)
        confirm(app).press()
        await pilot.pause()
        assert str(confirm(app).label) == "working"
        confirm(app).press()
        await pilot.press("escape")
        assert isinstance(app.screen, ActionPanel)
        link.gate.set()
        await ready(app, pilot)
        assert len(link.committed) == 1


async def test_an_operation_that_goes_on_is_said_and_can_be_stopped() -> None:
    class LongLink(ScriptedLink):
        async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
            self.running = (Operation("op7", "drain", "forum", "overflow", done=3_000),)
            return replace(await super().commit(preview, reason=reason, typed=typed), operation="op7")

    async with opened(LongLink()) as (app, pilot, link):
        await pilot.press("G", "d")
        await ready(app, pilot)
        await press_confirm(app, pilot)
        assert "goes on in the background" in toasts(app)[-1]
        await pilot.press("x")
        await ready(app, pilot)
        assert toasts(app)[-1] == "drain of forum stopped after 3,000"
        assert link.running == ()


async def test_nothing_to_undo() -> None:
    async with opened() as (app, pilot, link):
        link.state = replace(link.state, events=())
        await pilot.press("u")
        await ready(app, pilot)
        assert toasts(app) == ["nothing to undo in the last 200 entries"]


@pytest.mark.parametrize("size", [(80, 24), (40, 10)])
async def test_a_panel_fits_small_terminals_with_its_buttons_in_sight(size: tuple[int, int]) -> None:
    async with opened(size=size) as (app, pilot, _):
        await pilot.press("s")
        await ready(app, pilot)
        for selector in ("#cancel", "#confirm"):
            button = app.screen.query_one(selector)
            assert app.screen.get_widget_at(*button.region.offset)[0] is button


async def test_a_click_chooses() -> None:
    async with opened() as (app, pilot, _):
        await pilot.press("G", "s")
        await ready(app, pilot)
        shown = app.screen.query_one("#field-for", Choice).render().plain
        await pilot.click("#field-for", offset=(shown.index("4h"), 0))
        await ready(app, pilot)
        assert app.screen.query_one("#field-for", Choice).value == "4h"
        assert app.screen.preview.action == SetShed("forum", Switch.OFF, 14_400)


async def test_many_options_show_that_there_are_more() -> None:
    link = ScriptedLink()
    forum = link.queue("forum")
    link.state = replace(link.state, queues=(forum, *(replace(forum, name=f"queue-{n:02}") for n in range(50))))
    async with opened(link) as (app, pilot, _):
        await pilot.press("d")
        await ready(app, pilot)
        choice = app.screen.query_one("#field-to", Choice)
        assert choice.render().plain.endswith("›")
        choice.focus()
        await pilot.press(*["l"] * 30)
        assert f"[{choice.value}]" in choice.render().plain
        assert choice.render().plain.startswith("‹")
