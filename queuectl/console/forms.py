"""What a panel asks for each action, and how its answers become an Action. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from queuectl.console.words import duration
from queuectl.model import (
    Action,
    Control,
    DeleteFailed,
    Direction,
    Drain,
    FleetState,
    PoolState,
    QueueState,
    Refill,
    RetryFailed,
    Scale,
    SetDirection,
    SetPause,
    SetPolicy,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
    UsageError,
)
from queuectl.store import policy_hash

AUTO = "auto"
SETTINGS = "settings"
DURATIONS = ("15m", "1h", "4h", "no expiry")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """One question. `options` empty: free text."""

    id: str
    label: str
    value: str
    options: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A panel's questions. `build` raises UsageError that says what is wrong with an answer."""

    title: str
    fields: tuple[Field, ...]
    build: Callable[[Values], Action]

    def defaults(self) -> dict[str, str]:
        return {field.id: field.value for field in self.fields}


def seconds(text: str, what: str) -> float:
    """`90s`, `15m`, `1h30m`, `2d` to seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{what}: {text!r} is not a duration such as 90s, 15m or 1h30m")
    return float(sum(float(number) * _UNIT_S[unit] for number, unit in parts))


def whole(text: str, what: str, least: int = 0) -> int:
    """A number, separators allowed."""
    digits = text.replace(",", "").replace("_", "")
    if not digits.isdecimal() or not digits.isascii() or int(digits) < least:
        raise UsageError(f"{what}: {text!r} is not a whole number of {least} or more")
    return int(digits)


def shed(queue: QueueState, value: str = "") -> Form:
    """Shedding on, off, or back to the policy."""
    options = (Switch.ON.value, Switch.OFF.value, AUTO)
    return Form(f"shed {queue.name}", (Field("value", "shedding", value or _toggled(queue.shed), options), _for()),
                lambda values: SetShed(queue.name, _switch(values["value"]), _for_s(values)))  # fmt: skip


def mode(queue: QueueState, value: str = "") -> Form:
    """Which end is claimed first."""
    other = Direction.LIFO if queue.direction.value == Direction.FIFO else Direction.FIFO
    options = (Direction.FIFO.value, Direction.LIFO.value, AUTO)
    return Form(f"mode {queue.name}", (Field("value", "claim", value or other.value, options), _for()),
                lambda values: SetDirection(queue.name, _direction(values["value"]), _for_s(values)))  # fmt: skip


def pause(queue: QueueState, value: str = "") -> Form:
    """Claims stopped or not."""
    options = (Switch.ON.value, Switch.OFF.value)
    return Form(f"pause {queue.name}", (Field("value", "paused", value or _toggled(queue.pause), options), _for()),
                lambda values: SetPause(queue.name, Switch(values["value"]), _for_s(values)))  # fmt: skip


def policy(queue: QueueState, assignment: str = "") -> Form:
    """The standing policy, field by field; `assignment`: a change typed with the command, `cap=5000`. What is emptied,
    or set to `settings`, goes back to what the settings say."""
    now = {field: text for field, text in policy_hash.spelled(queue.policy).items() if field in policy_hash.CHANGEABLE}
    typed = _assigned(assignment)
    fields = tuple(_policy_field(field, typed.get(field, _readable(field, text))) for field, text in now.items())

    def build(values: Values) -> Action:
        given = {field: values[field] for field, text in now.items() if values[field] != _readable(field, text)}
        return SetPolicy(queue.name, tuple((field, _canonical(field, text)) for field, text in given.items()))

    return Form(f"policy of {queue.name}", fields, build)


def _assigned(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    return {policy_hash.field_named(name): value} if text else {}


def _policy_field(field: str, text: str) -> Field:
    words = policy_hash.choices(field)
    return Field(field, field, text, (*words, SETTINGS) if words else (), hint="what the settings say")


def _readable(field: str, text: str) -> str:
    if field.endswith("_s"):
        return duration(float(text))
    return f"{int(text):,}" if text.isdecimal() else text


def _canonical(field: str, text: str) -> str | None:
    """As the settings spell it; None for what they say."""
    if text in ("", SETTINGS):
        return None
    return f"{seconds(text, field):.15g}" if field.endswith("_s") else text.replace(",", "")


def drain(queue: QueueState, fleet: FleetState, to: str = "") -> Form:
    """Where to, which, how many."""
    stores = (Target.OVERFLOW.value, Target.SHED.value)
    others = tuple(other.name for other in fleet.queues if other.name != queue.name)
    fields = (
        Field("to", "to", to or Target.OVERFLOW.value, (*stores, *others)),
        Field("older_than", "older than", "", hint="all; or e.g. 4h"),
        Field("limit", "at most", "", hint="all; or a number"),
    )

    def build(values: Values) -> Action:
        target = values["to"]
        older_s = seconds(values["older_than"], "older than") if values["older_than"] else None
        limit = whole(values["limit"], "at most", 1) if values["limit"] else None
        if target in stores:
            return Drain(queue.name, Target(target), "", older_s, limit)
        return Drain(queue.name, Target.QUEUE, target, older_s, limit)

    return Form(f"drain {queue.name}", fields, build)


def refill(queue: QueueState, tier: str = "") -> Form:
    """Which store, how fast, how many."""
    first = Tier.OVERFLOW if queue.overflow or not queue.shed_stored else Tier.SHED
    fields = (
        Field("tier", "from", tier or first.value, (Tier.OVERFLOW.value, Tier.SHED.value)),
        Field("rate", "per second", "", hint="what workers can take; or a number"),
        Field("limit", "at most", "", hint="all; or a number"),
    )

    def build(values: Values) -> Action:
        rate = float(whole(values["rate"], "per second", 1)) if values["rate"] else None
        limit = whole(values["limit"], "at most", 1) if values["limit"] else None
        return Refill(queue.name, Tier(values["tier"]), rate, limit)

    return Form(f"refill {queue.name}", fields, build)


def scale(pool: PoolState, workers: str = "") -> Form:
    """How many worker processes."""
    now = pool.desired if pool.desired is not None else pool.actual
    field = Field("workers", "workers", workers or str(now), hint="a number, or auto")

    def build(values: Values) -> Action:
        text = values["workers"]
        return Scale(pool.name, None if text == AUTO else whole(text, "workers"), _for_s(values))

    return Form(f"scale {pool.name}", (field, _for()), build)


@dataclass(frozen=True, slots=True)
class Picks:
    """What is marked, selected, and in sight through a filter on a list of failed jobs; job ids."""

    marked: tuple[str, ...] = ()
    selected: str = ""
    matching: tuple[str, ...] = ()
    """Those in sight that pass the filter; empty without one."""
    filter_words: str = ""


def failed(kind: type[RetryFailed | DeleteFailed], queue: QueueState, picks: Picks) -> Form:
    """Which failed jobs: those marked, else the one selected, before those of the whole list that pass the filter, and
    all of them."""
    choices: dict[str, tuple[tuple[str, ...], str]] = {}
    if picks.marked:
        choices[f"{len(picks.marked):,} marked"] = (picks.marked, "")
    elif picks.selected:
        choices["the selected one"] = ((picks.selected,), "")
    if picks.matching:
        choices[f"{len(picks.matching):,} matching in sight"] = (picks.matching, "")
    if picks.filter_words:
        choices[f"all that match {picks.filter_words}"] = ((), picks.filter_words)
    choices[f"all {queue.failed:,} failed of {queue.name}"] = ((), "")
    options = tuple(choices)
    which = Field("which", "which", options[0], options)
    if kind is DeleteFailed:
        return Form(f"delete failed of {queue.name}", (which,),
                    lambda values: DeleteFailed(queue.name, *choices[values["which"]]))  # fmt: skip

    def build(values: Values) -> Action:
        rate = float(whole(values["rate"], "per second", 1)) if values["rate"] else None
        ids, match = choices[values["which"]]
        return RetryFailed(queue.name, ids, match, None if ids else rate)

    rate = Field("rate", "per second", "", hint="at once; or a number, for more than the marked ones")
    return Form(f"retry failed of {queue.name}", (which, rate), build)


def undo(number: int) -> Form:
    """Nothing to ask."""
    return Form(f"undo {number}", (), lambda _values: Undo(number))


def _for() -> Field:
    return Field("for", "for", DURATIONS[0], DURATIONS)


def _for_s(values: Values) -> float | None:
    """An override's length; back to the policy needs none."""
    if AUTO in (values.get("value"), values.get("workers")) or values["for"] == DURATIONS[-1]:
        return None
    return seconds(values["for"], "for")


def _toggled(control: Control) -> str:
    return Switch.OFF.value if control.value == Switch.ON else Switch.ON.value


def _switch(text: str) -> Switch | None:
    return None if text == AUTO else Switch(text)


def _direction(text: str) -> Direction | None:
    return None if text == AUTO else Direction(text)
