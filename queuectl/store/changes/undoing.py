"""Undo: the inverse of an audited action, refused where the world has moved on."""

from __future__ import annotations

import json
import secrets
from typing import Any

from queuectl.model import AuditEntry, Operation, Preview, Tier, Undo
from queuectl.settings import Settings
from queuectl.store import audit, keys, operations, tiers
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import of_queue
from queuectl.store.client import Steps, ask, command
from queuectl.store.decode import text_map


def change(action: Undo, settings: Settings) -> Steps[Change]:
    """Reverse the action with this audit number. Raises UsageError when there is none."""
    entry = yield from audit.find(action.number)
    payload: dict[str, Any] = json.loads(entry.payload or "{}")
    kind = payload.get("kind", "")
    if entry.undone_by or not entry.undoable or kind not in {"control", "pool", "drain"}:
        return _impossible(action, entry)
    if kind == "drain":
        return (yield from _undo_drain(action, entry, payload, settings))
    return (yield from _undo_switch(action, entry, payload))


def _impossible(action: Undo, entry: AuditEntry) -> Change:
    why = f"#{entry.number} was undone by #{entry.undone_by}" if entry.undone_by else f"a {entry.action} has no undo"
    preview = Preview(action, f"Undo #{entry.number}", "Undo", undoable=False, refusal=why)
    return Change(preview, keys.control(entry.scope), entry.scope, "undo", "", "", {}, "")


def _undo_switch(action: Undo, entry: AuditEntry, payload: dict[str, Any]) -> Steps[Change]:
    what = payload["what"]
    key = keys.pool(entry.scope) if payload["kind"] == "pool" else keys.control(entry.scope)
    stored = text_map((yield from ask(command("HGETALL", key))))
    latest = stored.get(f"{what}_cause", "0")
    refusal = ""
    if latest != str(entry.number):
        refusal = f"{what} of {entry.scope} was changed again by #{latest}; undo that first"
    replayed = yield from _shed_by(entry) if payload.get("replay") else _nothing()
    op_id = secrets.token_hex(5)
    effects = [f"{what} of {entry.scope} goes back to {entry.before}."]
    if replayed:
        effects.append(f"{replayed:,} messages shed since then come back to the tail of the queue.")
    preview = Preview(
        action=action,
        headline=f"Undo #{entry.number}: {entry.action} {entry.scope} {entry.after} → {entry.before}",
        verb=f"Undo {entry.action} of {entry.scope}",
        effects=tuple(effects),
        affected=replayed,
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
        operation=_refill_fields(entry, Tier.SHED, "tail") if replayed else (),
        operation_id=op_id if replayed else "",
    )


def _nothing() -> Steps[int]:
    return 0
    yield


def _shed_by(entry: AuditEntry) -> Steps[int]:
    """Messages in segments that this action's shedding packed (an upper bound: whole segments are counted full)."""
    index = yield from ask(command("ZRANGE", keys.tier_index(Tier.SHED.value, entry.scope), 0, -1))
    mine = [raw for raw in index if raw.decode().startswith(f"{entry.number}.")]
    if not mine:
        return 0
    total = yield from ask(command("HGET", keys.tier_totals(Tier.SHED.value, entry.scope), "jobs"))
    return min(int(total or 0), tiers.SEGMENT_JOBS * len(mine))


def _undo_drain(action: Undo, entry: AuditEntry, payload: dict[str, Any], settings: Settings) -> Steps[Change]:
    facts = yield from of_queue(entry.scope, settings)
    operation = yield from operations.read(payload["op"])
    moved = operation.done if operation else 0
    tier = payload["tier"]
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
        forecast=(f"waiting {facts.queue.depth:,} → {facts.queue.depth + moved:,}",),
        affected=moved,
        approximate=not tier,
        undoable=False,
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


def _refill_fields(entry: AuditEntry, tier: Tier, end: str, after: str = "") -> tuple[str, ...]:
    view = Operation(op_id="", kind="refill", queue=entry.scope, target=tier.value, only_cause=entry.number)
    return tuple(operations.fields_of(operations.Plan(view, end, stops=after)))


def _move_back_fields(entry: AuditEntry, payload: dict[str, Any]) -> tuple[str, ...]:
    view = Operation(op_id="", kind="drain", queue=payload["target"], target=entry.scope)
    return tuple(operations.fields_of(operations.Plan(view, "head", marked_by=payload["op"], stops=payload["op"])))
