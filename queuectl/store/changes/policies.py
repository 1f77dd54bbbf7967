"""Change a queue's standing policy live, field by field, and give fields back to the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from queuectl.model import AuditEntry, Policy, Preview, SetPolicy, Undo, UsageError
from queuectl.policy.forecast import Flow
from queuectl.policy.forecast_words import humane_s
from queuectl.settings import Settings
from queuectl.settings.model import QueueSettings
from queuectl.store import audit, automatic, keys
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import Facts, count_older, of_queue
from queuectl.store.client import Steps, ask, command
from queuectl.store.decode import text_map
from queuectl.store.policy_hash import CHANGEABLE, LIVE_PARTS, described, encoded, field_named, policy_of

GONE = "\0"
_PARTS = ("", *LIVE_PARTS)
_RESERVED = "Workers reserve slots for the queues that their settings call protected, whatever is changed here."


@dataclass(frozen=True, slots=True)
class _Row:
    """One field: what it is, what it becomes, and whether it is live before and after."""

    field: str
    before: str
    after: str
    was_live: bool
    live: bool

    @property
    def same(self) -> bool:
        return self.before == self.after and self.was_live == self.live

    def __str__(self) -> str:
        old, new = (_shown(self.field, text) for text in (self.before, self.after))
        return f"{self.field} {old} → {new}{'' if self.live else ' (settings)'}"


def change(action: SetPolicy, settings: Settings) -> Steps[Change]:
    """Change fields, or give them back. Raises UsageError for an unknown field or a value that is not allowed."""
    facts = yield from of_queue(action.queue, settings)
    stored = text_map((yield from ask(command("HGETALL", keys.policy(action.queue)))))
    configured = settings.queues.get(action.queue) or QueueSettings()
    version = stored.get("version", "0")
    rows = [row for row in _rows(action, stored, configured) if not row.same]
    wanted = policy_of(stored | {row.field: row.after for row in rows}, configured)
    preview = yield from _preview(action, facts, rows, wanted, version)
    return Change(
        preview=preview,
        key=keys.policy(action.queue),
        scope=action.queue,
        verb="policy",
        before=", ".join(f"{row.field} {_shown(row.field, row.before)}" for row in rows),
        after=", ".join(
            f"{row.field} {_shown(row.field, row.after)}{'' if row.live else ' (settings)'}" for row in rows
        ),
        fields=_fields(rows, stored),
        expected_version=version,
        payload={
            "kind": "policy",
            "restore": {row.field: [stored.get(f"{row.field}{part}", GONE) for part in _PARTS] for row in rows},
        },
        follow_up=_settled(action.queue, rows, preview.headline),
    )


def _rows(action: SetPolicy, stored: Mapping[str, str], configured: QueueSettings) -> list[_Row]:
    live = {field for field in CHANGEABLE if f"{field}_since" in stored}
    now = encoded(configured) | {field: stored[field] for field in CHANGEABLE if field in stored}
    given = [(field_named(name), text) for name, text in action.changes]
    asked = dict(given)
    if len(asked) < len(given):
        raise UsageError("a field is given twice")
    new = _validated(action.queue, now, {field: text for field, text in asked.items() if text is not None})
    standing = encoded(configured)
    return [
        _Row(
            field=field,
            before=now[field],
            after=new[field] if text is not None else stored.get(f"{field}_settings", standing[field]),
            was_live=field in live,
            live=text is not None,
        )
        for field, text in asked.items()
    ]


def _validated(queue: str, now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """All values in force after the change, as the settings' own rules have it."""
    try:
        return encoded(QueueSettings.model_validate({**_sound(now), **wanted}))
    except ValidationError as error:
        raise UsageError("\n".join(_told(queue, error))) from None


def _told(queue: str, error: ValidationError) -> Iterator[str]:
    """One line a field: one that takes words or `auto` fails once for each kind."""
    problems: dict[str, list[str]] = {}
    for problem in error.errors():
        value = f" = {problem['input']!r}" if problem["loc"] else ""
        key = f"{problem['loc'][0]}{value}: " if problem["loc"] else ""
        problems.setdefault(key, []).append(problem["msg"].removeprefix("Value error, ").removeprefix("Input "))
    for key, said in problems.items():
        yield f"policy of {queue}: {key}{', or '.join(said)}"


def _sound(now: Mapping[str, str]) -> dict[str, str]:
    """What is in force now without what makes no sense: a change must be able to mend that."""
    return encoded(QueueSettings()) | {field: text for field, text in now.items() if _is_sound(field, text)}


def _is_sound(field: str, text: str) -> bool:
    try:
        QueueSettings.model_validate({field: text})
    except ValidationError as error:
        return not any(problem["loc"] for problem in error.errors())
    return True


def _preview(action: SetPolicy, facts: Facts, rows: list[_Row], wanted: Policy, version: str) -> Steps[Preview]:
    stale = yield from count_older(action.queue, facts.now_s - wanted.max_age_s)
    name, policy = action.queue, facts.queue.policy
    what = ", ".join(map(str, rows)) or "nothing differs"
    return Preview(
        action=action,
        headline=f"Policy of {name}: {what}",
        verb=f"{'Reset' if rows and not any(row.live for row in rows) else 'Change'} the policy of {name}",
        effects=(
            *(f"{row.field}: {described(row.field)}" for row in rows),
            *(_RESERVED for row in rows if row.field == "class"),
            "It stays until it is changed or reset, also when daemons restart or the settings are read again.",
        ),
        forecast=facts.forecast(lambda flow: _under(flow, facts, wanted), stale=stale),
        confirm_word=name if policy.protected and not wanted.protected else "",
        refusal=(yield from _moved_on(action, version)),
        nothing=not rows,
        token=version,
    )


def _under(flow: Flow, facts: Facts, wanted: Policy) -> Flow:
    """The flow under another policy: only what automation does not decide can be foretold."""
    shed, direction = facts.queue.shed, facts.queue.direction
    shedding = flow.shedding if shed.overridden or wanted.shed_auto else wanted.shed == "on"
    newest = flow.newest_first if direction.overridden or wanted.direction_auto else wanted.direction == "lifo"
    return replace(flow, shedding=shedding, newest_first=newest, max_age_s=wanted.max_age_s, cap=wanted.cap)


def _moved_on(action: SetPolicy, version: str) -> Steps[str]:
    if action.expect_version is None or str(action.expect_version) == version:
        return ""
    what = yield from audit.what_changed(action.queue, policy=True)
    return f"the policy has version {version}, not {action.expect_version}: {what}"


def _fields(rows: list[_Row], stored: Mapping[str, str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for row in rows:
        name = row.field
        if row.live:
            fields |= {name: row.after, f"{name}_by": "@by", f"{name}_reason": "@reason", f"{name}_since": "@now"}
        else:
            published = f"{name}_settings" in stored
            fields |= {name: row.after if published else GONE}
            fields |= {f"{name}{part}": GONE for part in LIVE_PARTS}
        fields[f"{name}_cause"] = "@cause"
    return fields


def _settled(queue: str, rows: list[_Row], done: str) -> Steps[str]:
    """What automation decided ends with its permission."""
    taken = {row.field for row in rows if row.before == "auto" and row.after != "auto"}
    calls = [
        command("HDEL", keys.control(queue), *automatic.fields_of(control))
        for control, field in automatic.FIELDS.items()
        if field in taken
    ]
    if calls:
        yield tuple(calls)
    return done


def undo(action: Undo, entry: AuditEntry, payload: Mapping[str, Any], settings: Settings) -> Steps[Change]:
    """Give each field what it had, unless it was changed again; one that was the settings' is the settings' now."""
    facts = yield from of_queue(entry.scope, settings)
    stored = text_map((yield from ask(command("HGETALL", keys.policy(entry.scope)))))
    restore: Mapping[str, list[str]] = payload["restore"]
    later = sorted({stored.get(f"{field}_cause", "0") for field in restore} - {str(entry.number)})
    fields: dict[str, str] = {}
    for field, parts in restore.items():
        fields |= {f"{field}{part}": text for part, text in zip(_PARTS, parts, strict=True)}
        if parts[_PARTS.index("_since")] == GONE:
            fields[field] = stored.get(f"{field}_settings", GONE)
    configured = settings.queues.get(entry.scope)
    wanted = policy_of({k: v for k, v in (stored | fields).items() if v != GONE}, configured)
    refusal = f"the policy of {entry.scope} was changed again by #{', #'.join(later)}; undo that first" if later else ""
    preview = Preview(
        action=action,
        headline=f"Undo #{entry.number}: policy of {entry.scope}: {entry.after} → {entry.before}",
        verb=f"Undo the policy of {entry.scope}",
        effects=("Every field goes back to what it was.",),
        forecast=facts.forecast(lambda flow: _under(flow, facts, wanted)),
        undoable=False,
        refusal=refusal,
        token=stored.get("version", "0"),
    )
    return Change(
        preview=preview,
        key=keys.policy(entry.scope),
        scope=entry.scope,
        verb="undo",
        before=entry.after,
        after=entry.before,
        fields=fields,
        expected_version=stored.get("version", "0"),
        undoes=entry.number,
    )


def _shown(field: str, text: str) -> str:
    """Times and numbers as people read them."""
    try:
        return humane_s(float(text)) if field.endswith("_s") else f"{int(text):,}"
    except ValueError:
        return text
