"""Undo: the inverse of an audited action, refused where the world has moved on."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from queuectl.model import (
    AuditEntry,
    ContinueOperation,
    Operation,
    Preview,
    StopOperation,
    Switch,
    Tier,
    Undo,
)
from queuectl.policy.forecast import added
from queuectl.settings import Settings
from queuectl.store import aside, audit, keys, operations, segments, tiers
from queuectl.store.changes import opposing, policies, replaying, running, suppressing, switches
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import of_queue
from queuectl.store.changes.replaying import Replay
from queuectl.store.client import Steps, ask, command
from queuectl.store.decode import text_map
from queuectl.store.operation_plans import Plan, fields_of
from queuectl.store.segments import Selection


def change(action: Undo, settings: Settings) -> Steps[Change]:
    """Reverse the action with this audit number. Raises UsageError when there is none."""
    entry = yield from audit.find(action.number)
    payload: dict[str, Any] = json.loads(entry.payload or "{}")
    kind = payload.get("kind", "")
    if entry.undone_by or not entry.undoable:
        return _impossible(action, entry)
    match kind:
        case "drain":
            return (yield from _undo_drain(action, entry, payload, settings))
        case "policy":
            return (yield from policies.undo(action, entry, payload, settings))
        case "operation":
            return (yield from _undo_operation(action, entry, payload, settings))
        case "suppression":
            return (yield from suppressing.undo(action, entry, payload))
        case "automatic":
            shed = payload["what"] == "shed" and entry.after == Switch.ON
            replay = (yield from replaying.of_cause(entry.scope, entry.number, settings)) if shed else Replay()
            forecast = yield from _switched_back(entry, payload, settings)
            return (yield from opposing.change(action, entry, payload, replay, forecast))
        case "control" | "pool":
            return (yield from _undo_switch(action, entry, payload, settings))
        case _:
            return _impossible(action, entry)


def _impossible(action: Undo, entry: AuditEntry) -> Change:
    why = f"#{entry.number} was undone by #{entry.undone_by}" if entry.undone_by else f"a {entry.action} has no undo"
    preview = Preview(action, f"Undo #{entry.number}", "Undo", undoable=False, refusal=why)
    return Change(preview, keys.control(entry.scope), entry.scope, "undo", "", "", {}, "")


def _undo_switch(action: Undo, entry: AuditEntry, payload: dict[str, Any], settings: Settings) -> Steps[Change]:
    what = payload["what"]
    key = keys.pool(entry.scope) if payload["kind"] == "pool" else keys.control(entry.scope)
    stored = text_map((yield from ask(command("HGETALL", key))))
    latest = stored.get(f"{what}_cause", "0")
    refusal = ""
    if latest != str(entry.number):
        refusal = f"{what} of {entry.scope} was changed again by #{latest}; undo that first"
    sheds = bool(payload.get("replay"))
    replay = (yield from replaying.of_cause(entry.scope, entry.number, settings)) if sheds else Replay()
    preview = Preview(
        action=action,
        headline=f"Undo #{entry.number}: {entry.action} {entry.scope} {entry.after} → {entry.before}",
        verb=f"Undo {entry.action} of {entry.scope}",
        effects=(f"{what} of {entry.scope} goes back to {entry.before}.", *replay.effects),
        forecast=(yield from _switched_back(entry, payload, settings)),
        affected=replay.messages,
        undoable=False,
        refusal=refusal,
        token=stored.get("version", "0"),
    )
    return Change(
        preview=preview,
        key=key,
        scope=entry.scope,
        verb="undo",
        before=entry.after,
        after=entry.before,
        fields=payload["restore"],
        expected_version=stored.get("version", "0"),
        undoes=entry.number,
        operation=replay.fields,
        operation_id=replay.op_id,
        follow_up=_obey_pause(entry.scope, preview.headline) if what == "pause" else None,
    )


def _switched_back(entry: AuditEntry, payload: Mapping[str, Any], settings: Settings) -> Steps[tuple[str, ...]]:
    if payload["what"] == "desired":
        served = yield from ask(command("HGET", keys.pool(entry.scope), "queues"))
        queues = [queue for queue in (served or b"").decode().split(",") if queue]
        return (yield from switches.pool_forecast(queues, settings, _workers(entry.after), _workers(entry.before)))
    facts = yield from of_queue(entry.scope, settings)
    return facts.forecast(lambda flow: switches.switched(flow, payload["what"], entry.before))


def _workers(text: str) -> int:
    """`12`, or `12 (auto)`."""
    return int(text.split(maxsplit=1)[0])


def _obey_pause(queue: str, headline: str) -> Steps[str]:
    yield from aside.obey(queue)
    return headline


def _undo_operation(action: Undo, entry: AuditEntry, payload: Mapping[str, Any], settings: Settings) -> Steps[Change]:
    """A stopped drain or refill goes on, one that was continued stops."""
    kind = ContinueOperation if payload["stopped"] else StopOperation
    opposite = yield from running.change(kind(payload["op"]), settings)
    headline = f"Undo #{entry.number}: {opposite.preview.headline}"
    refusal = opposite.preview.refusal or ("it is so already" if opposite.preview.nothing else "")
    preview = replace(
        opposite.preview, action=action, headline=headline, undoable=False, refusal=refusal, nothing=False
    )
    return replace(opposite, preview=preview, verb="undo", undoes=entry.number)


def _undo_drain(action: Undo, entry: AuditEntry, payload: dict[str, Any], settings: Settings) -> Steps[Change]:
    facts = yield from of_queue(entry.scope, settings)
    operation = yield from operations.read(payload["op"])
    tier = payload["tier"]
    moved = (yield from _left(entry, payload)) if tier else operation.done if operation else 0
    under_way = operation is not None and not operation.finished
    gone = "" if moved or under_way else f"nothing of it is left in {payload['target']}: it went on from there"
    op_id = secrets.token_hex(5)
    if tier:
        fields = _refill_fields(entry, Tier(tier), payload["end"], after=payload["op"])
    else:
        fields = _move_back_fields(entry, payload)
    preview = Preview(
        action=action,
        headline=f"Undo #{entry.number}: bring {moved:,} messages back to {entry.scope} from {payload['target']}",
        verb=f"Bring {moved:,} back to {entry.scope}",
        effects=("What is still there of this drain comes back; what has been delivered or refilled does not.",),
        forecast=facts.forecast(lambda flow: added(flow, moved)),
        affected=moved,
        approximate=not tier,
        undoable=False,
        refusal=gone,
        token=str(facts.queue.version),
    )
    return Change(
        preview=preview,
        key=keys.control(entry.scope),
        scope=entry.scope,
        verb="undo",
        before=entry.after,
        after=entry.before,
        fields={"last_action": "@cause"},
        expected_version=str(facts.queue.version),
        undoes=entry.number,
        operation=fields,
        operation_id=op_id,
        payload={"kind": "undo-drain", "op": op_id},
    )


def _left(entry: AuditEntry, payload: Mapping[str, Any]) -> Steps[int]:
    """Messages of a drain that are still in its tier, or on their way there."""
    found = yield from segments.of_selection(entry.scope, Tier(payload["tier"]), Selection(entry.number))
    staged = yield from tiers.staged_owners(entry.scope)
    return segments.jobs_in(found) + staged.get(payload["op"], 0)


def _refill_fields(entry: AuditEntry, tier: Tier, end: str, after: str) -> tuple[str, ...]:
    view = Operation(op_id="", kind="refill", queue=entry.scope, target=tier.value, only_cause=entry.number)
    return fields_of(Plan(view, end, stops=after))


def _move_back_fields(entry: AuditEntry, payload: dict[str, Any]) -> tuple[str, ...]:
    view = Operation(op_id="", kind="drain", queue=payload["target"], target=entry.scope)
    return fields_of(Plan(view, "head", payload["end"], marked_by=payload["op"], stops=payload["op"]))
