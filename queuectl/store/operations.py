"""Drains and refills under way: recorded in Redis, driven step by step by any process, picked up by the daemon when
its driver dies. A step moves at most 1,000 jobs, so the server is never held for long."""

from __future__ import annotations

import json
from dataclasses import replace

from queuectl.model import Operation
from queuectl.store import audit, keys
from queuectl.store.client import Steps, ask, command
from queuectl.store.operation_plans import Plan, plan_of
from queuectl.store.operation_steps import Result, step

DRIVER_MS = 10_000
KEEP_FINISHED_S = 7 * 86400
LOOK_BACK = 500
"""Audit entries in which a stopped operation is looked for."""


def running() -> Steps[tuple[Operation, ...]]:
    """Every operation not finished yet, oldest first."""
    names = yield from ask(command("SMEMBERS", keys.OPERATIONS))
    op_ids = sorted(name.decode().rpartition(":")[2] for name in names)
    if not op_ids:
        return ()
    records = yield tuple(command("HGETALL", keys.operation(op_id)) for op_id in op_ids)
    found = (plan_of(op_id, record).view for op_id, record in zip(op_ids, records, strict=True) if record)
    return tuple(sorted(found, key=lambda operation: operation.cause))


def read(op_id: str) -> Steps[Operation | None]:
    """One operation, running or finished within the last week."""
    record = yield from ask(command("HGETALL", keys.operation(op_id)))
    return plan_of(op_id, record).view if record else None


def stopped_last(queue: str) -> Steps[Operation | None]:
    """The newest operation of a queue that was stopped and can go on; None where the last entries tell of none."""
    for entry in (yield from audit.recent(LOOK_BACK)):
        op_id = json.loads(entry.payload or "{}").get("op") if entry.scope == queue else None
        found = (yield from read(op_id)) if op_id else None
        if found and found.finished and found.stopped:
            return found
    return None


def drive(op_id: str, *, driver: str, fence: str = "") -> Steps[Operation | None]:
    """One step, if no other process drives this operation. None: another does, or it is unknown."""
    lock = keys.operation_driver(op_id)
    taken, holder = yield command("SET", lock, driver, "NX", "PX", DRIVER_MS), command("GET", lock)
    if not taken and (holder or b"").decode() != driver:
        return None
    record, now, _ = yield (
        command("HGETALL", keys.operation(op_id)),
        command("TIME"),
        command("PEXPIRE", lock, DRIVER_MS),
    )
    if not record:
        return None
    plan = plan_of(op_id, record)
    if plan.view.finished:
        # Whoever finished it may have been killed before it said so everywhere.
        yield (
            command("SREM", keys.OPERATIONS, keys.operation(op_id)),
            command("EXPIRE", keys.operation(op_id), KEEP_FINISHED_S),
        )
        return plan.view
    if plan.stops and not (yield from _is_over(plan.stops, driver, fence)):
        return replace(plan.view, note="waits for the drain to stop", idle=True)
    result = yield from step(plan, fence, int(now[0]) + int(now[1]) / 1e6)
    return (yield from _record(plan, result))


def _is_over(op_id: str, driver: str, fence: str) -> Steps[bool]:
    earlier = yield from read(op_id)
    if earlier is None or earlier.finished:
        return True
    yield (command("HSET", keys.operation(op_id), "stopped", "1"),)
    earlier = yield from drive(op_id, driver=driver, fence=fence)
    return earlier is not None and earlier.finished


def _record(plan: Plan, result: Result) -> Steps[Operation]:
    view = plan.view
    skipped, damaged = view.skipped + result.skipped, view.damaged + result.damaged
    remarks = (result.note, f"{skipped:,} exist again already" if skipped else "", _damage(damaged))
    text = "; ".join(remark for remark in remarks if remark)
    key = keys.operation(view.op_id)
    stored = {**result.stored, "note": text, "skipped": str(skipped), "damaged": str(damaged)}
    calls = [
        command("HINCRBY", key, "done", result.moved),
        command("HSET", key, *(part for pair in stored.items() for part in pair)),
    ]
    if result.finished:
        calls += [
            command("HSET", key, "finished", "1"),
            command("HINCRBY", key, "version", 1),
            command("SREM", keys.OPERATIONS, key),
            command("EXPIRE", key, KEEP_FINISHED_S),
            command("UNLINK", keys.operation_driver(view.op_id)),
        ]
    done, *_ = yield tuple(calls)
    return replace(view, done=int(done), finished=result.finished, failed=stored.get("failed") == "1", note=text,
                   skipped=skipped, damaged=damaged, idle=result.idle)  # fmt: skip


def _damage(segments: int) -> str:
    return f"{segments:,} damaged {'segment' if segments == 1 else 'segments'} set aside" if segments else ""
