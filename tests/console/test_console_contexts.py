"""Several servers in one console: switching leaves nothing of the one before, and no panel acts on another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC

import pytest
from console_support import Clock, ScriptedLink, header_text, main_screen, settle, text_of, toasts
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from queuectl.console.app import ConsoleApp
from queuectl.console.bars import ContextTabs
from queuectl.console.contexts import Contexts, Place
from queuectl.console.screens.contexts import ContextScreen
from queuectl.console.screens.panel import ActionPanel
from queuectl.console.view import line_text
from queuectl.console.view.header import environment_tone
from queuectl.model import Action, Preview, UsageError
from queuectl.settings import EnvironmentSettings, Settings

SETTINGS = Settings.model_validate(
    {
        "server": {"url": "redis://own:6379"},
        "environment": {"name": "own"},
        "console": {"refresh_s": 10.0},
        "contexts": {
            "prod": {"url": "redis://:secret@prod:6379", "name": "PROD", "production": True},
            "lab": {"url": "redis://lab:6379", "colour": "purple", "read_only": True},
        },
    }
)
Linked = dict[str, ScriptedLink]


def contexts(current: str = "default") -> tuple[Contexts, Linked]:
    links: Linked = {}

    def open_link(settings: Settings) -> ScriptedLink:
        link = ScriptedLink()
        link.address = settings.server.url.replace(":secret@", ":***@")
        links[settings.environment.name] = link
        return link

    places = [Place("default", SETTINGS), *(Place(name, SETTINGS.in_context(name)) for name in SETTINGS.contexts)]
    return Contexts(places, current, open_link), links


@asynccontextmanager
async def attached(
    current: str = "default", size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[ConsoleApp, Pilot[None], Linked]]:
    known, links = contexts(current)
    app = ConsoleApp(known.link, known.current.settings, zone=UTC, monotonic=Clock(), contexts=known)
    async with app.run_test(size=size) as pilot:
        await settle(app)
        await pilot.pause()
        yield app, pilot, links


async def switch(app: ConsoleApp, pilot: Pilot[None], name: str) -> None:
    await app.action_attach(name)
    await settle(app)
    await pilot.pause()


def test_a_context_has_its_own_server_and_environment_and_the_rest_is_shared() -> None:
    prod = SETTINGS.in_context("prod")
    assert prod.server.url == "redis://:secret@prod:6379"
    assert (prod.environment.name, prod.environment.production) == ("PROD", True)
    assert prod.console == SETTINGS.console
    lab = SETTINGS.in_context("lab").environment
    assert (lab.name, lab.production, lab.read_only, environment_tone(lab)) == ("lab", False, True, "protected")
    looking = SETTINGS.model_copy(update={"environment": EnvironmentSettings(read_only=True)})
    assert looking.in_context("prod").environment.read_only, "who may only look may only look everywhere"
    assert environment_tone(EnvironmentSettings(production=True)) == "bad"
    assert environment_tone(EnvironmentSettings(production=True, colour="green")) == "ok"


async def test_the_switcher_shows_every_server_and_attaches_to_the_chosen_one() -> None:
    async with attached() as (app, pilot, links):
        assert set(links) == {"own"}, "nothing is connected before it is shown"
        await pilot.press("C")
        await pilot.pause()
        assert isinstance(app.screen, ContextScreen)
        options = app.screen.query_one(OptionList)
        prompts = [str(options.get_option_at_index(index).prompt) for index in range(3)]
        assert ["PROD" in text and "secret" not in text for text in prompts] == [False, True, False]
        assert "attached" in prompts[0]
        assert "READ-ONLY" in prompts[2]
        await pilot.press("j", "enter")
        await settle(app)
        await pilot.pause()
        assert " PROD " in header_text(app)
        assert "redis prod:6379" in header_text(app)
        assert app.link is links["PROD"]
        assert toasts(app)[-1] == "this is PROD now: redis://:***@prod:6379"


async def test_nothing_of_the_server_before_is_left() -> None:
    async with attached() as (app, pilot, links):
        await pilot.press("slash", *"forum", "enter", "3")
        await switch(app, pilot, "prod")
        screen = main_screen(app)
        assert (screen.title_name, screen.filter_words) == ("fleet", "")
        assert len(screen.table().rows) == 5
        polls = links["own"].polls
        await settle(app)
        assert links["own"].polls == polls, "the server that was left is not asked any more"
        await switch(app, pilot, "default")
        assert " own " in header_text(app)
        assert app.link is links["own"]
    assert not any(link.closed for link in links.values()), "who ran the console closes the links"


async def test_all_links_are_closed_at_the_end() -> None:
    known, links = contexts()
    known.go("prod")
    assert known.link is known.link
    known.go("default")
    assert known.link.address == "redis://own:6379"
    assert (known.daemon("prod"), known.daemon("lab")) == ("remote", "")
    await known.close()
    assert [link.closed for link in links.values()] == [True, True]


async def test_read_only_holds_where_it_was_set_and_nowhere_else() -> None:
    async with attached() as (app, pilot, _):
        await switch(app, pilot, "lab")
        assert app.environment.read_only
        assert "READ-ONLY" in header_text(app)
        await switch(app, pilot, "prod")
        assert not app.environment.read_only


async def test_an_unknown_server_is_refused_with_those_there_are() -> None:
    async with attached() as (app, pilot, links):
        await pilot.press("colon", *"server nowhere", "enter")
        await settle(app)
        assert toasts(app)[-1] == "no context 'nowhere'; there are: default, prod, lab"
        await pilot.press("colon", *"server prod", "enter")
        await settle(app)
        assert app.link is links["PROD"]
    with pytest.raises(UsageError):
        contexts("nowhere")


@pytest.mark.parametrize(("size", "shown"), [((120, 40), True), ((80, 24), False)])
async def test_tabs_where_there_is_room_and_a_click_on_one(size: tuple[int, int], shown: bool) -> None:
    async with attached(size=size) as (app, pilot, links):
        tabs = main_screen(app).query_one(ContextTabs)
        assert tabs.display is shown
        assert main_screen(app).max_scroll_y == 0
        if shown:
            text = line_text(tabs.lines[0])
            assert text.split() == ["default", "prod", "lab", "C", "›", "switch"]
            await pilot.click(ContextTabs, offset=(text.index("prod") + 1, 0))
            await settle(app)
            assert app.link is links["PROD"]


async def test_one_server_needs_no_tabs_and_the_key_says_how_to_name_others() -> None:
    link = ScriptedLink()
    app = ConsoleApp(link, SETTINGS, zone=UTC, monotonic=Clock())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app)
        assert not main_screen(app).query(ContextTabs)
        await pilot.press("C")
        assert "add [contexts.NAME]" in toasts(app)[-1]


# Panels.


async def ready(app: ConsoleApp, pilot: Pilot[None]) -> ActionPanel:
    await settle(app)
    await pilot.pause()
    assert isinstance(app.screen, ActionPanel)
    return app.screen


async def test_a_panel_carries_the_badge_of_its_server_and_holds_the_switch() -> None:
    async with attached("prod") as (app, pilot, _):
        await pilot.press("G", "d")
        await ready(app, pilot)
        assert text_of(app, "#panel-title").startswith(" PROD ")
        await app.action_attach("lab")
        await pilot.pause()
        assert toasts(app)[-1] == "close the dialog first: it is about the server that is shown"
        assert app.contexts.current.name == "prod"


async def test_a_panel_refuses_to_act_on_a_server_other_than_the_one_shown() -> None:
    async with attached() as (app, pilot, links):
        await pilot.press("G", "d")
        panel = await ready(app, pilot)
        app.contexts.go("prod")
        app.link = app.contexts.link
        panel.query_one("#confirm").press()
        await settle(app)
        await pilot.pause()
        assert "was opened on redis://own:6379, and redis://:***@prod:6379 is shown now" in text_of(app, "#problem")
        assert [link.committed for link in links.values()] == [[], []]


async def test_a_panel_refuses_when_another_server_answers_at_the_address() -> None:
    async with attached() as (app, pilot, links):
        links["own"].change_preview = {"server": "run-1"}
        await pilot.press("G", "d")
        panel = await ready(app, pilot)
        links["own"].change_preview = {"server": "run-2"}
        panel.ask()
        await ready(app, pilot)
        assert "another server answers here" in text_of(app, "#problem")
        assert panel.query_one("#confirm").disabled
        assert links["own"].committed == []


async def test_what_undo_found_on_one_server_is_not_opened_on_the_next() -> None:
    async with attached() as (app, pilot, links):
        found = links["own"].audit
        app.contexts.go("prod")
        other = app.contexts.link

        async def while_switching(limit: int):
            app.link = other
            return await found(limit)

        links["own"].audit = while_switching  # type: ignore[method-assign]
        await pilot.press("u")
        await settle(app)
        assert not isinstance(app.screen, ActionPanel)


async def test_keys_typed_ahead_of_the_prompt_land_in_it() -> None:
    """Over a slow line keys come in bursts: the letters of a command must not act as keys."""
    async with attached() as (app, pilot, _):
        for key, character in (("colon", ":"), *((letter, letter) for letter in "drain")):
            app.post_message(Key(key, character))
        await settle(app)
        await pilot.pause()
        assert main_screen(app).query_one("#prompt-input", Input).value == "drain"
        assert not isinstance(app.screen, ActionPanel)
        for key, character in (("space", " "), *((letter, letter) for letter in "nosuch"), ("enter", "\r")):
            app.post_message(Key(key, character))
        await settle(app)
        await pilot.pause()
        assert "drain" in toasts(app)[-1]


class IdentifiedLink(ScriptedLink):
    """Previews as StoreLink makes them."""

    async def preview(self, action: Action) -> Preview:
        return replace(await super().preview(action), server="run-1")


async def test_a_confirmed_panel_hands_on_the_identity_it_was_shown_for() -> None:
    seen: list[Preview] = []

    class Keeping(IdentifiedLink):
        async def commit(self, preview: Preview, *, reason: str, typed: str):
            seen.append(preview)
            return await super().commit(preview, reason=reason, typed=typed)

    link = Keeping()
    app = ConsoleApp(link, SETTINGS, zone=UTC, monotonic=Clock())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app)
        await pilot.press("G", "d")
        panel = await ready(app, pilot)
        panel.query_one("#confirm").press()
        await pilot.pause()
        await settle(app)
        assert [preview.server for preview in seen] == ["run-1"]
