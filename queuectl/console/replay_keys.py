"""What keys do in a replay besides looking: one table for bindings, bar and palette."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from queuectl.console.replay_link import ReplayLink

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class ReplayKey:
    """One thing to do with the time line. `act` returns what to tell the operator; empty: the picture says it."""

    key: str
    """In Textual's names."""
    shown: str
    title: str
    help: str
    act: Callable[[ReplayLink], str]
    brief: str = ""
    """How the bar names this key together with the one after it; empty: with the one before, or alone."""


def _hold(link: ReplayLink) -> str:
    link.toggle_playing()
    return ""


def _step(frames: int) -> Callable[[ReplayLink], str]:
    def act(link: ReplayLink) -> str:
        link.step(frames)
        return ""

    return act


def _skip(seconds: float) -> Callable[[ReplayLink], str]:
    def act(link: ReplayLink) -> str:
        link.skip(seconds)
        return ""

    return act


def _jump(direction: int) -> Callable[[ReplayLink], str]:
    def act(link: ReplayLink) -> str:
        where = "later" if direction > 0 else "earlier"
        return "" if link.jump(direction) else f"no {where} event in this recording"

    return act


def _speed(direction: int) -> Callable[[ReplayLink], str]:
    def act(link: ReplayLink) -> str:
        link.change_speed(direction)
        return ""

    return act


REPLAY_KEYS: tuple[ReplayKey, ...] = (
    ReplayKey("space", "space", "play or hold", "let the recording run, or hold it; at its end: from the start", _hold,
              "hold"),
    ReplayKey("left_square_bracket", "[", "previous event", "to the action or transition before", _jump(-1), "event"),
    ReplayKey("right_square_bracket", "]", "next event", "to the next action or transition", _jump(+1)),
    ReplayKey("comma", ",", "step back", "hold, one picture back", _step(-1), "step"),
    ReplayKey("full_stop", ".", "step", "hold, one picture on", _step(+1)),
    ReplayKey("minus", "-", "slower", "half the speed, down to ×0.5", _speed(-1), "speed"),
    ReplayKey("plus", "+", "faster", "up to ×60", _speed(+1)),
    ReplayKey("less_than_sign", "<", "minute back", "a minute back", _skip(-MINUTE_S), "min"),
    ReplayKey("greater_than_sign", ">", "minute on", "a minute on", _skip(+MINUTE_S)),
)  # fmt: skip


def bar_hints() -> list[tuple[str, str]]:
    """(keys, word) for the bar, the most wanted first: ("[]", "event")."""
    hints: list[tuple[str, str]] = []
    for entry in REPLAY_KEYS:
        if entry.brief:
            hints.append((entry.shown, entry.brief))
        else:
            keys, word = hints[-1]
            hints[-1] = (f"{keys}{entry.shown}", word)
    return hints
