"""The one table of what keys do. Bindings, footer, help, command line and palette are all generated from it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS


class Group(StrEnum):
    """Headings of the help screen, in order."""

    ACT = "Act on the selected queue"
    LOOK = "Look"
    MOVE = "Move"
    SESSION = "Session"


@dataclass(frozen=True, slots=True)
class ConsoleAction:
    """One thing the operator can do here.

    The screen's or the app's method `do_<id>` carries it out; `id` is also the name in `[console.keymap]`.
    """

    id: str
    keys: str
    """Default keys in Textual's names, comma separated; the first is the one shown."""
    title: str
    help: str
    group: Group
    footer: bool = False
    needs_queue: bool = False
    changes: bool = False
    """It leads to a change of the deployment: always through a panel, refused when read-only."""
    command: str = ""
    """Syntax on the command line, `<required>` and `[optional]`; empty: keys only."""
    screens: frozenset[str] = frozenset()
    """Names of the screens it works on; empty: all."""


_LISTS = frozenset({"fleet", "workers", "providers", "jobs", "log"})
_QUEUES = frozenset({"fleet", "queue"})
_JOBS = frozenset({"jobs"})
_PLOTS = frozenset({"fleet", "queue", "workers", "providers", "plot"})

ACTIONS: tuple[ConsoleAction, ...] = (
    ConsoleAction("help", "question_mark,f1", "help", "every key and command", Group.SESSION, footer=True,
                  command="help"),
    ConsoleAction("shed", "s", "shed", "turn shedding of stale messages on or off", Group.ACT, footer=True,
                  needs_queue=True, changes=True, command="shed <queue> <on|off|auto>", screens=_QUEUES),
    ConsoleAction("mode", "m", "mode", "claim oldest first (FIFO) or newest first (LIFO)", Group.ACT, footer=True,
                  needs_queue=True, changes=True, command="mode <queue> <fifo|lifo|auto>", screens=_QUEUES),
    ConsoleAction("drain", "d", "drain", "move waiting messages to overflow, shed store or a queue", Group.ACT,
                  footer=True, needs_queue=True, changes=True, command="drain <queue> <overflow|shed|QUEUE>",
                  screens=_QUEUES),
    ConsoleAction("refill", "f", "refill", "bring drained or shed messages back", Group.ACT, footer=True,
                  needs_queue=True, changes=True, command="refill <queue> [overflow|shed]", screens=_QUEUES),
    ConsoleAction("scale", "w", "workers", "ask for more or fewer worker processes in a pool", Group.ACT, footer=True,
                  changes=True, command="scale <pool> <number|auto>"),
    ConsoleAction("pause", "p", "pause", "stop or resume claims from a queue", Group.ACT, footer=True,
                  needs_queue=True, changes=True, command="pause <queue>", screens=_QUEUES),
    ConsoleAction("resume", "P", "resume", "resume claims from a paused queue", Group.ACT, needs_queue=True,
                  changes=True, command="resume <queue>", screens=_QUEUES),
    ConsoleAction("policy", "e", "policy", "change a queue's max age, cap, class, what is automatic", Group.ACT,
                  needs_queue=True, changes=True, command="policy <queue> [field=value]", screens=_QUEUES),
    ConsoleAction("stop", "x", "stop drain", "stop the drain or refill under way on a queue", Group.ACT,
                  needs_queue=True, changes=True, command="stop <queue>", screens=_QUEUES),
    ConsoleAction("retry", "R", "retry", "put failed jobs back: marked, matching, or all", Group.ACT,
                  footer=True, needs_queue=True, changes=True, command="retry <queue>", screens=_JOBS),
    ConsoleAction("delete", "D,delete", "delete", "delete failed jobs for good: marked, matching, or all", Group.ACT,
                  footer=True, needs_queue=True, changes=True, command="delete <queue>", screens=_JOBS),
    ConsoleAction("undo", "u", "undo", "undo the newest undoable action, or the log's selected",
                  Group.ACT, footer=True, changes=True, command="undo [number]"),
    ConsoleAction("quit", "q,ctrl+q", "quit", "leave the console; workers and daemons elsewhere go on", Group.SESSION,
                  footer=True, command="quit"),
    ConsoleAction("filter", "slash", "filter", "show matching rows only; words are and-ed, !word hides", Group.LOOK,
                  footer=True, screens=_LISTS),
    ConsoleAction("mark", "space", "mark", "mark a job, or unmark it; marks stay while you page", Group.LOOK,
                  footer=True, screens=_JOBS),
    ConsoleAction("mark_page", "a", "mark all", "mark every job in sight, or unmark them", Group.LOOK, screens=_JOBS),
    ConsoleAction("command", "colon", "command", "type a command", Group.SESSION, footer=True),
    ConsoleAction("open", "enter", "open", "open the selected queue, job or provider", Group.LOOK, footer=True,
                  command="open <queue>"),
    ConsoleAction("fleet", "1", "fleet", "all queues", Group.LOOK, command="fleet"),
    ConsoleAction("queue", "2", "queue", "the selected queue", Group.LOOK),
    ConsoleAction("workers", "3", "pools", "pools and worker processes", Group.LOOK, command="workers"),
    ConsoleAction("providers", "4", "providers", "how much each takes, and what holds it back", Group.LOOK,
                  command="providers"),
    ConsoleAction("jobs", "5", "jobs", "jobs of the selected queue, in any state", Group.LOOK,
                  command="jobs <queue>"),
    ConsoleAction("log", "6", "log", "who changed what, and undo", Group.LOOK, command="log"),
    ConsoleAction("pane", "tab", "next pane", "next plot (small terminal), next job state", Group.LOOK),
    ConsoleAction("state_previous", "shift+tab", "previous state", "the job state before", Group.LOOK, screens=_JOBS),
    ConsoleAction("queue_next", "n", "next queue", "the same list of the next queue", Group.LOOK, screens=_JOBS),
    ConsoleAction("queue_previous", "N", "previous queue", "the same list of the queue before", Group.LOOK,
                  screens=_JOBS),
    ConsoleAction("copy", "y", "copy", "copy the selected id or name to the clipboard (OSC 52)", Group.LOOK),
    ConsoleAction("plot", "v", "plot", "one plot over the whole screen; tab for the next one", Group.LOOK,
                  footer=True, screens=_PLOTS),
    ConsoleAction("range", "T", "range", "plots show the last 5 or 15 minutes, 1, 6 or 24 hours", Group.LOOK,
                  command="range <5m|15m|1h|6h|24h>", screens=_PLOTS),
    ConsoleAction("scope", "c", "plots of", "plots show the busiest queues, or the selected one", Group.LOOK,
                  screens=frozenset({"fleet"})),
    ConsoleAction("sort", "o", "sort", "sort by the next column; a heading can be clicked too", Group.LOOK,
                  screens=frozenset({"fleet"})),
    ConsoleAction("reverse", "O", "reverse", "reverse the order", Group.LOOK, screens=frozenset({"fleet"})),
    ConsoleAction("refresh", "r", "refresh", "refresh every 0.5, 1, 2, 5, 10 s, or not at all", Group.LOOK),
    ConsoleAction("freeze", "z", "freeze", "hold the picture still; again to go on", Group.LOOK),
    ConsoleAction("theme", "t", "theme", "next theme", Group.LOOK, command="theme <name>"),
    ConsoleAction("down", "j,down", "down", "next row", Group.MOVE),
    ConsoleAction("up", "k,up", "up", "previous row", Group.MOVE),
    ConsoleAction("first", "g,home", "first", "first row", Group.MOVE),
    ConsoleAction("last", "G,end", "last", "last row", Group.MOVE),
    ConsoleAction("page_down", "pagedown", "page down", "next page", Group.MOVE),
    ConsoleAction("page_up", "pageup", "page up", "previous page", Group.MOVE),
    ConsoleAction("columns_more", "l,right", "more columns", "columns that did not fit", Group.MOVE),
    ConsoleAction("columns_back", "h,left", "columns back", "back towards the usual columns", Group.MOVE),
    ConsoleAction("back", "escape", "back", "close, clear the filter, or go back", Group.MOVE),
    ConsoleAction("context", "C", "server", "show another server of the settings' [contexts]", Group.SESSION,
                  command="server <server>"),
    ConsoleAction("palette", "ctrl+p", "palette", "search all commands", Group.SESSION),
    ConsoleAction("screenshot", "ctrl+s", "screenshot", "save the screen as SVG in the current directory",
                  Group.SESSION),
    ConsoleAction("suspend", "ctrl+z", "suspend", "back to the shell; `fg` returns", Group.SESSION),
    ConsoleAction("interrupt", "ctrl+c", "interrupt", "says how to quit", Group.SESSION),
)  # fmt: skip

_NAMES = {"question_mark": "?", "slash": "/", "colon": ":", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys in force after the operator's keymap, and what was wrong with that keymap."""

    by_id: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()

    def shown(self, action_id: str) -> str:
        """The action's first key as people write it: `?`, `ctrl+p`, `G`."""
        return display(self.by_id[action_id][0])

    def all_shown(self, action_id: str) -> str:
        return " ".join(display(key) for key in self.by_id[action_id])


def action(action_id: str) -> ConsoleAction:
    return next(entry for entry in ACTIONS if entry.id == action_id)


def display(key: str) -> str:
    """A key's name as people write it."""
    return _NAMES.get(key, key)


def resolve(keymap: Mapping[str, str]) -> Keys:
    """Apply `[console.keymap]`: an unknown action or a key that is already taken is reported and left alone."""
    defaults = {entry.id: _split(entry.keys) for entry in ACTIONS}
    problems = [f"keymap: {name!r} is not an action; see help for the names" for name in keymap if name not in defaults]
    wanted = {name: _split(keys) for name, keys in keymap.items() if name in defaults}
    merged = {**defaults, **wanted}
    for name in keymap:
        if name not in wanted:
            continue
        rival = _taken(name, merged)
        if not merged[name] or rival:
            what = f"{keymap[name]!r} is taken by {rival!r}" if rival else "no key given"
            problems.append(f"keymap: {name} = {keymap[name]!r} ignored: {what}")
            merged[name] = defaults[name]
    return Keys(merged, tuple(problems))


def bindings(keys: Keys) -> Iterable[Binding]:
    """Textual's bindings for the app, one for each key of each action."""
    for entry in ACTIONS:
        yield Binding(",".join(keys.by_id[entry.id]), f"do('{entry.id}')", entry.title, show=entry.footer,
                      tooltip=entry.help, id=entry.id)  # fmt: skip


def _split(keys: str) -> tuple[str, ...]:
    return tuple(_canonical(key.strip()) for key in keys.split(",") if key.strip())


def _canonical(key: str) -> str:
    """Textual's name for a key given as a character: `?` is `question_mark`."""
    if len(key) != 1 or key.isalnum():
        return key
    name = unicodedata.name(key).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _taken(name: str, merged: Mapping[str, tuple[str, ...]]) -> str:
    mine = set(merged[name])
    return next((other for other, keys in merged.items() if other != name and mine & set(keys)), "")
