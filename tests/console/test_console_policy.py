"""The policy panel: opened on a queue, previewed as it is filled in, committed with what was changed only."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_support import opened, settle, text_of
from textual.widgets import Button, Input

from queuectl.console.screens.panel import ActionPanel
from queuectl.console.screens.queue import QueueScreen
from queuectl.console.view import Look, line_text
from queuectl.console.view import queue as queue_view
from queuectl.model import LiveField, Policy, QueueState, SetPolicy


async def test_the_policy_is_changed_from_the_queue_screen() -> None:
    async with opened(size=(120, 40)) as (app, pilot, link):
        await pilot.press("G", "2")
        await settle(app)
        assert isinstance(app.screen, QueueScreen)
        await pilot.press("e")
        await settle(app)
        assert isinstance(app.screen, ActionPanel)
        assert app.screen.preview.action == SetPolicy("forum")
        field = app.screen.query_one("#field-cap", Input)
        field.value = "5,000"
        app.screen.query_one("#field-max_age_s", Input).value = "90m"
        await settle(app)
        await pilot.pause()
        wanted = SetPolicy("forum", (("max_age_s", "5400"), ("cap", "5000")))
        assert app.screen.preview.action == wanted
        assert "cap → 5000" in text_of(app, "#headline")
        app.screen.query_one("#reason", Input).value = "smaller"
        app.screen.query_one("#confirm", Button).press()
        await settle(app)
        assert link.committed == [(wanted, "smaller", "")]


async def test_a_bad_answer_is_told_and_cannot_be_confirmed() -> None:
    async with opened() as (app, pilot, link):
        await pilot.press("G", "e")
        await settle(app)
        app.screen.query_one("#field-max_age_s", Input).value = "soon"
        await settle(app)
        await pilot.pause()
        assert "max_age_s: 'soon' is not a duration" in text_of(app, "#problem")
        assert app.screen.query_one("#confirm", Button).disabled
        assert link.committed == []


async def test_a_command_opens_it_filled_in() -> None:
    async with opened() as (app, pilot, _):
        app.steering.run_line("policy forum cap=7")
        await settle(app)
        await pilot.pause()
        assert app.screen.query_one("#field-cap", Input).value == "7"
        assert app.screen.preview.action == SetPolicy("forum", (("cap", "7"),))


@pytest.mark.parametrize("live", [(), (LiveField("cap", "ana@mx1", "spike", 0.0, 7), LiveField("shed", "ben@mx2"))])
def test_the_queue_screen_says_who_changed_what_live(live: tuple[LiveField, ...]) -> None:
    queue = replace(QueueState("forum"), policy=Policy(live=live))
    said = [line_text(line) for line in queue_view.policy(queue, Look())]
    found = [line.strip() for line in said if line.startswith(" live")]
    assert found == (['live     cap by ana@mx1  "spike"', "live     shed by ben@mx2"] if live else [])
