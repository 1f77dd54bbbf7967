"""The command line: `shed forum on` to what it asks for. The registry has the syntax; nothing is carried out here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queuectl.console.actions import ACTIONS, ConsoleAction
from queuectl.model import FleetState, UsageError

ALIASES = {"q": "quit", "exit": "quit", "?": "help", "workers": "workers"}


@dataclass(frozen=True, slots=True)
class Command:
    """An action's id and the words that follow it."""

    action: str
    words: tuple[str, ...] = ()

    def word(self, index: int) -> str:
        return self.words[index] if index < len(self.words) else ""


def parse(text: str, fleet: FleetState | None, themes: Sequence[str]) -> Command | None:
    """None for an empty line. UsageError says what was wrong and what is allowed."""
    words = text.split()
    if not words:
        return None
    verb = ALIASES.get(words[0].lower(), words[0].lower())
    entry = next((entry for entry in ACTIONS if entry.command and entry.command.split()[0] == verb), None)
    if entry is None:
        known = ", ".join(sorted(one.command.split()[0] for one in ACTIONS if one.command))
        raise UsageError(f"no command {words[0]!r}; there are: {known}")
    given = tuple(words[1:])
    _check_count(entry, given)
    for position, (name, word) in enumerate(zip(_parameters(entry), given, strict=False)):
        allowed = _allowed(name, position, fleet, themes)
        if allowed and word not in allowed:
            raise UsageError(f"{verb}: {word!r} is not one of {', '.join(allowed)}")
    return Command(entry.id, given)


def completions(text: str, fleet: FleetState | None, themes: Sequence[str]) -> list[str]:
    """Whole lines that the text may become, for the prompt's suggestion."""
    *before, last = text.split(" ")
    if not before:
        options: Sequence[str] = sorted(entry.command.split()[0] for entry in ACTIONS if entry.command)
    else:
        entry = next((one for one in ACTIONS if one.command and one.command.split()[0] == before[0]), None)
        names = _parameters(entry) if entry else []
        position = len(before) - 1
        options = _allowed(names[position], position, fleet, themes) if position < len(names) else ()
    return [" ".join((*before, option)) for option in options if option.startswith(last)]


def _parameters(entry: ConsoleAction) -> list[str]:
    """`shed <queue> <on|off|auto>` -> ["queue", "on|off|auto"]."""
    return [part.strip("<>[]") for part in entry.command.split()[1:]]


def _check_count(entry: ConsoleAction, given: tuple[str, ...]) -> None:
    required = entry.command.count("<")
    if not required <= len(given) <= len(_parameters(entry)):
        raise UsageError(f"usage: {entry.command}")


def _allowed(name: str, position: int, fleet: FleetState | None, themes: Sequence[str]) -> Sequence[str]:
    """What may stand there; empty: anything, to be judged by the panel."""
    if name == "queue":
        return [queue.name for queue in fleet.queues] if fleet else ()
    if name == "pool":
        return [pool.name for pool in fleet.pools] if fleet else ()
    if name == "name":
        return themes
    if name in ("number", "number|auto", "field=value", "server") or position < 0:
        return ()
    words = name.split("|")
    if "QUEUE" in words:
        return [*words[:-1], *(queue.name for queue in fleet.queues)] if fleet else ()
    return words
