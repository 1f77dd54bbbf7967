"""Keys, footer, help, command line and palette come from one table, and none of them drifts."""

from __future__ import annotations

import pytest
from console_support import opened

from queuectl.console import actions
from queuectl.console.actions import ACTIONS, resolve
from queuectl.console.app import ConsoleApp
from queuectl.console.bars import KeyBar, footer_entries, works_on
from queuectl.console.commandline import parse
from queuectl.console.palette import RegistryCommands
from queuectl.console.screens.base import ConsoleScreen
from queuectl.console.screens.fleet import FleetScreen
from queuectl.console.screens.help import help_lines
from queuectl.console.screens.jobs import JobsScreen
from queuectl.console.screens.log import LogScreen
from queuectl.console.screens.providers import ProvidersScreen
from queuectl.console.screens.queue import QueueScreen
from queuectl.console.screens.workers import WorkersScreen
from queuectl.console.steering import PANELS
from queuectl.console.view import Look, line_text
from queuectl.model import UsageError

SCREENS: tuple[type[ConsoleScreen], ...] = (
    FleetScreen, QueueScreen, WorkersScreen, ProvidersScreen, JobsScreen, LogScreen,
)  # fmt: skip
IDS = {entry.id for entry in ACTIONS}


def test_ids_and_keys_are_unique() -> None:
    keys = [key for keys in resolve({}).by_id.values() for key in keys]
    assert len(IDS) == len(ACTIONS)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_action_is_carried_out_on_every_screen_it_works_on(screen: type[ConsoleScreen]) -> None:
    for entry in ACTIONS:
        if works_on(entry, screen.title_name):
            assert entry.id in PANELS or hasattr(screen, f"do_{entry.id}") or hasattr(ConsoleApp, f"do_{entry.id}"), (
                entry
            )


@pytest.mark.parametrize("owner", [*SCREENS, ConsoleApp])
def test_every_handler_is_in_the_registry(owner: type) -> None:
    assert {name.removeprefix("do_") for name in dir(owner) if name.startswith("do_")} <= IDS


def test_bindings_are_the_registry() -> None:
    bound = {binding.id for binding in ConsoleApp.BINDINGS}
    assert bound == IDS


def test_help_lists_every_key_help_text_and_command_and_fits_80_columns() -> None:
    lines = [line_text(line) for line in help_lines(resolve({}), Look(), read_only=False)]
    text = "\n".join(lines)
    for entry in ACTIONS:
        assert entry.help in text
        assert entry.command in text
        assert any(line.strip().startswith(resolve({}).all_shown(entry.id)) for line in lines)
    assert max(map(len, lines)) <= 75


def test_commands_parse_as_the_registry_spells_them() -> None:
    example = {"<queue>": "forum", "[number]": "118", "<pool>": "bulk", "<number|auto>": "12", "<name>": "any"}
    for entry in ACTIONS:
        if entry.command:
            words = [example.get(part, part.strip("<>[]").split("|")[0]) for part in entry.command.split()]
            command = parse(" ".join(words), None, [])
            assert command is not None
            assert command.action == entry.id


def test_a_command_that_is_no_entry_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="no command 'shd'; there are: delete, drain, fleet"):
        parse("shd forum on", None, [])


async def test_footer_shows_the_registry_and_a_click_does_it() -> None:
    async with opened() as (app, pilot, _):
        bar = app.screen.query_one(KeyBar)
        shown = bar.render().plain
        for entry in footer_entries("fleet"):
            assert f"{app.keys.shown(entry.id)} {entry.title}" in shown
        await pilot.click(KeyBar, offset=(shown.index("s shed"), 0))
        assert app.screen.__class__.__name__ == "ActionPanel"


async def test_footer_shows_that_there_is_more() -> None:
    async with opened(size=(50, 20)) as (app, _, _):
        assert app.screen.query_one(KeyBar).render().plain.rstrip().endswith("›")


async def test_palette_offers_every_action_but_moving() -> None:
    async with opened() as (app, _, _):
        texts = [text for text, _, _ in RegistryCommands(app.screen)._entries()]
        for entry in ACTIONS:
            if entry.group is not actions.Group.MOVE and entry.id != "palette":
                assert any(text.startswith(entry.title) for text in texts)
        assert "open forum" in texts
        assert "theme queuectl-light" in texts


# The operator's keymap.


def test_a_keymap_moves_keys() -> None:
    keys = resolve({"shed": "S", "help": "f2,?"})
    assert keys.by_id["shed"] == ("S",)
    assert keys.by_id["help"] == ("f2", "question_mark")
    assert keys.problems == ()


def test_an_unknown_action_and_a_stolen_key_are_reported_and_left_alone() -> None:
    keys = resolve({"sched": "x", "mode": "s", "undo": ""})
    assert keys.by_id == resolve({}).by_id
    assert keys.problems == (
        "keymap: 'sched' is not an action; see help for the names",
        "keymap: mode = 's' ignored: 's' is taken by 'shed'",
        "keymap: undo = '' ignored: no key given",
    )


def test_two_actions_may_swap_keys() -> None:
    keys = resolve({"shed": "m", "mode": "s"})
    assert (keys.by_id["shed"], keys.by_id["mode"], keys.problems) == (("m",), ("s",), ())


async def test_a_keymap_is_in_force_and_shown() -> None:
    async with opened(console={"keymap": {"shed": "S", "mode": "p"}}) as (app, pilot, _):
        assert "S shed" in app.screen.query_one(KeyBar).render().plain
        assert [note.message for note in app._notifications] == ["keymap: mode = 'p' ignored: 'p' is taken by 'pause'"]
        await pilot.press("s")
        assert len(app.screen_stack) == 2
        await pilot.press("S")
        assert app.screen.__class__.__name__ == "ActionPanel"


async def test_swapped_keys_really_swap() -> None:
    async with opened(console={"keymap": {"shed": "m", "mode": "s"}}) as (app, pilot, _):
        await pilot.press("m")
        assert app.screen._form.title.startswith("shed")
