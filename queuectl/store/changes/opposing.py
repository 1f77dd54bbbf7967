"""Undo of what automation decided: an operator's override of the opposite, which ends by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from queuectl.model import AuditEntry, Preview, Undo
from queuectl.policy.forecast_words import humane_s
from queuectl.store import keys
from queuectl.store.changes.change import Change
from queuectl.store.changes.replaying import Replay
from queuectl.store.changes.switches import override_fields
from queuectl.store.client import Steps, command
from queuectl.store.decode import text_map

OVERRIDE_S = 3600.0
"""So long an operator's "not so" outranks automation."""


def change(
    action: Undo, entry: AuditEntry, payload: Mapping[str, Any], replay: Replay, forecast: tuple[str, ...]
) -> Steps[Change]:
    """Override a shed, direction or number of workers with what it was before automation changed it."""
    what = payload["what"]
    key = keys.pool(entry.scope) if what == "desired" else keys.control(entry.scope)
    record, now = yield command("HGETALL", key), command("TIME")
    stored, now_s = text_map(record), int(now[0]) + int(now[1]) / 1e6
    limit = humane_s(OVERRIDE_S)
    effects = (
        f"{entry.action} of {entry.scope} is {entry.before} by your override.",
        f"After {limit} automation decides again.",
        *replay.effects,
    )
    preview = Preview(
        action=action,
        headline=f"Undo #{entry.number}: {entry.action} {entry.scope} {entry.after} → {entry.before} for {limit}",
        verb=f"Override {entry.action} of {entry.scope}",
        effects=effects,
        forecast=forecast,
        affected=replay.messages,
        undoable=False,
        refusal=_moved_on(entry, what, stored, now_s),
        token=stored.get("version", "0"),
    )
    fields = override_fields(what, entry.before, OVERRIDE_S, now_s) | {f"{what}_reason": f"undo of #{entry.number}"}
    return Change(
        preview=preview,
        key=key,
        scope=entry.scope,
        verb="undo",
        before=entry.after,
        after=f"{entry.before} for {limit}",
        fields=fields,
        expected_version=stored.get("version", "0"),
        undoes=entry.number,
        operation=replay.fields,
        operation_id=replay.op_id,
    )


def _moved_on(entry: AuditEntry, what: str, stored: Mapping[str, str], now_s: float) -> str:
    """Why the opposite would not undo it any more."""
    until = stored.get(f"{what}_until")
    if what in stored and (not until or float(until) > now_s):
        who = stored.get(f"{what}_by", "an operator")
        return f"{who} has overridden it since: {entry.action} {stored[what]} (#{stored.get(f'{what}_cause', '?')})"
    latest = stored.get(f"{what}_auto_cause")
    if latest is None:
        return f"automation does not decide {entry.action} of {entry.scope} any more"
    if latest != str(entry.number):
        return f"automation has changed {entry.action} of {entry.scope} again since (#{latest}); undo that"
    return ""
