"""What a queue's policy hash holds: each field's value in force, and beside it what the settings say (`FIELD_settings`)
and who changed it live (`FIELD_by`, `_reason`, `_since`, `_cause`).

The scripts read the values in force only. The leader publishes the settings every few seconds: they come into force
where nobody changed the field live, so that live changes survive that, a restart of the daemon, and another leader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of_dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, get_args

from pydantic import ValidationError

from queuectl.model import AUTOMATION, LiveField, Policy, Switch, UsageError
from queuectl.settings.model import QueueSettings
from queuectl.store import automatic, keys
from queuectl.store.client import Call, Steps, ask, command, script
from queuectl.store.scripts import load

PUBLISH = load("publish_policy")
LIVE_PARTS = ("_by", "_reason", "_since", "_cause")
_OF_POLICY = {field.name for field in fields_of_dataclass(Policy)}
PUBLISHED = tuple(field.alias or name for name, field in QueueSettings.model_fields.items() if name in _OF_POLICY)
"""What everybody has to know of a queue's settings, as the settings spell it; the rest is its workers' own affair."""
CHANGEABLE = tuple(field for field in PUBLISHED if field != "provider")
"""What may be changed live: workers take their provider and its limits from their settings."""
_MARK = f"{PUBLISHED[0]}_settings"
"""Present once the settings were published."""


def field_named(name: str) -> str:
    """The field that an operator means: `max_age` is `max_age_s`. Raises UsageError that says what there is."""
    for field in (name, f"{name}_s"):
        if field in CHANGEABLE:
            return field
    everything = {field.alias or known for known, field in QueueSettings.model_fields.items()}
    if name in everything:
        raise UsageError(f"{name} is not changed live: workers read it from their settings file")
    raise UsageError(f"no field {name!r}; those of a policy are: {', '.join(CHANGEABLE)}")


def spelled(policy: Policy) -> dict[str, str]:
    """A policy's fields as the settings spell them."""
    return {field.alias or name: _spelled(policy, name) for name, field in QueueSettings.model_fields.items()
            if name in _OF_POLICY}  # fmt: skip


def _spelled(policy: Policy, name: str) -> str:
    value = getattr(policy, name)
    if value is True or getattr(policy, f"{name}_auto", False):
        return AUTOMATION
    return Switch.OFF.value if value is False else _text(value)


def choices(field: str) -> tuple[str, ...]:
    """The words that a field takes; none where it takes a number."""
    annotation = next(
        info.annotation for name, info in QueueSettings.model_fields.items() if field in (name, info.alias)
    )
    return tuple(dict.fromkeys(_words(annotation)))


def _words(annotation: Any) -> Iterator[str]:
    """Enums before `auto`."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        yield from annotation
    for part in reversed(get_args(annotation)):
        if isinstance(part, str):
            yield part
        else:
            yield from _words(part)


def described(field: str) -> str:
    """What the settings say about a field, in one line."""
    found = next(info for name, info in QueueSettings.model_fields.items() if field in (name, info.alias))
    return " ".join((found.description or "").split())


def encoded(settings: QueueSettings) -> dict[str, str]:
    """The published fields as text."""
    tree = settings.model_dump(mode="json", by_alias=True)
    return {field: _text(tree[field]) for field in PUBLISHED}


def _text(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def policy_of(stored: Mapping[str, str], configured: QueueSettings | None) -> Policy:
    """The policy in Redis; for fields that are not there, or make no sense, the settings' or the default."""
    values = tuple((field, stored[field]) for field in PUBLISHED if field in stored)
    policy = _decoded(values, configured or QueueSettings())
    version, live = number(stored, "version"), tuple(_live(stored))
    return replace(policy, version=version, live=live) if version or live else policy


@lru_cache(maxsize=4096)
def _decoded(values: tuple[tuple[str, str], ...], configured: QueueSettings) -> Policy:
    """Cached: a picture a second reads the same hundred policies."""
    standing = configured.model_dump(mode="json", by_alias=True)
    try:
        return QueueSettings.model_validate(standing | dict(values)).policy()
    except ValidationError as error:
        wrong = {str(problem["loc"][0]): problem for problem in error.errors() if problem["loc"]}
    problems = tuple(
        f"{field} is {problem['input']!r} in Redis, {standing[field]} holds: {problem['msg']}"
        for field, problem in wrong.items()
    )
    sound = standing | {field: value for field, value in values if field not in wrong}
    return replace(QueueSettings.model_validate(sound).policy(), problems=problems)


def _live(stored: Mapping[str, str]) -> Iterator[LiveField]:
    for field in CHANGEABLE:
        if f"{field}_since" in stored:
            yield LiveField(
                field=field,
                by=stored.get(f"{field}_by", ""),
                reason=stored.get(f"{field}_reason", ""),
                since_s=number(stored, f"{field}_since", float),
                cause=number(stored, f"{field}_cause"),
            )


def number(stored: Mapping[str, str], field: str, kind: Any = int) -> Any:
    """A number we wrote ourselves; 0 where it is missing or somebody else wrote over it."""
    try:
        return kind(stored.get(field, 0))
    except ValueError:
        return 0


def publication(name: str, configured: QueueSettings) -> Call:
    """The call that makes the settings' policy of a queue known, live changes spared. What automation decided ends with
    its permission: a later one begins anew."""
    published = encoded(configured)
    arguments = [str(len(published))]
    for field, value in published.items():
        arguments += (field, value)
    for control, field in automatic.FIELDS.items():
        if field in published:
            decided = automatic.fields_of(control)
            arguments += (field, str(len(decided)), *decided)
    return script(PUBLISH, (keys.policy(name), keys.control(name)), arguments)


def publish_first(name: str, configured: QueueSettings | None) -> Steps[None]:
    """Make the settings' policy known where none is yet: before a first change."""
    if configured is None or (yield from ask(command("HEXISTS", keys.policy(name), _MARK))):
        return
    yield (publication(name, configured),)


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field as an operator reads it. `origin`: live, settings or default."""

    field: str
    value: Any
    origin: str
    standing: Any
    """What the settings say, or the default; what a reset goes back to."""
    live: LiveField | None = None


def view(name: str, configured: QueueSettings | None) -> Steps[tuple[int, tuple[FieldView, ...]]]:
    """The policy's version, and each field that may be changed live with where it comes from."""
    reply = yield from ask(command("HGETALL", keys.policy(name)))
    stored = {field.decode(): value.decode("utf-8", "replace") for field, value in reply.items()}
    standing, default = encoded(configured or QueueSettings()), encoded(QueueSettings())
    live = {field.field: field for field in _live(stored)}
    rows = []
    for field in CHANGEABLE:
        of_settings = stored.get(f"{field}_settings", standing[field])
        origin = "live" if field in live else "default" if of_settings == default[field] else "settings"
        rows.append(
            FieldView(
                field=field,
                value=_typed(field, stored.get(field, of_settings)),
                origin=origin,
                standing=_typed(field, of_settings),
                live=live.get(field),
            )
        )
    return number(stored, "version"), tuple(rows)


def _typed(field: str, text: str) -> Any:
    """A number where the field is one; text that makes no sense stays as it is."""
    try:
        return QueueSettings.model_validate({field: text}).model_dump(mode="json", by_alias=True)[field]
    except ValidationError:
        return text
