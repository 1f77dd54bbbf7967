"""Drains and refills under way: recorded in Redis, driven step by step by any process, picked up by the daemon when
its driver dies. A step moves at most 1,000 jobs, so the server is never held for long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from queuectl.model import Operation, Tier
from queuectl.store import keys, tiers
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

MOVE = load("move_jobs")
DRIVER_MS = 10_000
KEEP_FINISHED_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation as stored: what the operator sees, and how its steps go."""

    view: Operation
    end: str
    marked_by: str = ""
    """Move only jobs that carry this operation's mark (undo of a move)."""
    stops: str = ""
    """An operation that has to be stopped and over before this one begins (undo of a drain under way)."""


def fields_of(plan: Plan) -> list[str]:
    """Field arguments for the gate's commit."""
    view = plan.view
    stored = {
        "kind": view.kind,
        "queue": view.queue,
        "target": view.target,
        "done": "0",
        "limit": "" if view.limit is None else str(view.limit),
        "older_than_s": "" if view.older_than_s is None else f"{view.older_than_s:g}",
        "cutoff_s": "" if view.cutoff_s is None else f"{view.cutoff_s:.6f}",
        "rate_per_s": "" if view.rate_per_s is None else f"{view.rate_per_s:g}",
        "cause": "@cause",
        "only_cause": str(view.only_cause),
        "started_s": "@now",
        "end": plan.end,
        "marked_by": plan.marked_by,
        "stops": plan.stops,
    }
    return [part for pair in stored.items() for part in pair]


def running() -> Steps[tuple[Operation, ...]]:
    """Every operation not finished yet, oldest first."""
    names = yield from ask(command("SMEMBERS", keys.OPERATIONS))
    op_ids = sorted(name.decode().rpartition(":")[2] for name in names)
    if not op_ids:
        return ()
    records = yield tuple(command("HGETALL", keys.operation(op_id)) for op_id in op_ids)
    return tuple(_plan(op_id, record).view for op_id, record in zip(op_ids, records, strict=True) if record)


def read(op_id: str) -> Steps[Operation | None]:
    """One operation, running or finished within the last week."""
    record = yield from ask(command("HGETALL", keys.operation(op_id)))
    return _plan(op_id, record).view if record else None


def stop(op_id: str) -> Steps[None]:
    """Ask an operation to stop; what is staged goes back, what is packed stays (undo brings it back). One that is
    unknown or over is left alone."""
    if not (yield from ask(command("SISMEMBER", keys.OPERATIONS, keys.operation(op_id)))):
        return
    yield (command("HSET", keys.operation(op_id), "stopped", "1"),)


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
    plan = _plan(op_id, record)
    if plan.view.finished:
        return plan.view
    if plan.stops and not (yield from _is_over(plan.stops, driver, fence)):
        return replace(plan.view, note="waits for the drain to stop")
    moved, finished, note = yield from _step(plan, fence, int(now[0]) + int(now[1]) / 1e6)
    return (yield from _record(plan, moved, finished, note))


def _is_over(op_id: str, driver: str, fence: str) -> Steps[bool]:
    earlier = yield from read(op_id)
    if earlier is None or earlier.finished:
        return True
    yield from stop(op_id)
    earlier = yield from drive(op_id, driver=driver, fence=fence)
    return earlier is not None and earlier.finished


def _step(plan: Plan, fence: str, now_s: float) -> Steps[tuple[int, bool, str]]:
    """(jobs moved, finished, note)."""
    view = plan.view
    if view.stopped:
        if view.kind == "drain" and view.target in set(Tier):
            yield from tiers.unstage(view.queue, view.op_id, fence=fence, end=plan.end)
        return 0, True, "stopped"
    if view.rate_per_s is not None and view.done >= view.rate_per_s * max(0.0, now_s - view.started_s):
        return 0, False, f"at {view.rate_per_s:g}/s"
    if view.kind == "refill":
        return (yield from _refill(plan, fence))
    if view.target in set(Tier):
        return (yield from _drain_to_tier(plan, fence))
    return (yield from _drain_to_queue(plan, fence))


def _room(view: Operation) -> int:
    return tiers.SEGMENT_JOBS if view.limit is None else min(tiers.SEGMENT_JOBS, view.limit - view.done)


def _drain_to_tier(plan: Plan, fence: str) -> Steps[tuple[int, bool, str]]:
    view = plan.view
    staging = tiers.Staging(view.queue, view.op_id, Tier(view.target), "operator", view.cause, plan.end)
    packed = yield from tiers.pack_staged(staging, fence=fence)
    if packed:
        return packed, False, ""
    room = _room(view)
    if room <= 0:
        return 0, True, ""
    staged, looked_at = yield from tiers.stage(
        view.queue, view.op_id, fence=fence, end=plan.end, most=room, cutoff_s=view.cutoff_s,
        shedding=view.target == Tier.SHED,
    )  # fmt: skip
    if not staged:
        return 0, True, _staying(looked_at)
    packed = yield from tiers.pack_staged(staging, fence=fence)
    return packed, False, ""


def _staying(looked_at: int) -> str:
    """Why a drain is over before its limit: nothing but these lies at the end it takes from."""
    return f"{looked_at:,} with an ordering key stay at the end of the queue" if looked_at else ""


def _drain_to_queue(plan: Plan, fence: str) -> Steps[tuple[int, bool, str]]:
    view = plan.view
    if plan.marked_by and view.limit is None:
        view = replace(view, limit=(yield from _once_around(view)))
    room = _room(view)
    if room <= 0:
        return 0, True, ""
    moved, looked_at = yield from ask(
        script(
            MOVE,
            (keys.queue(view.queue), keys.queue(view.target), keys.ledger(view.queue), keys.ledger(view.target),
             keys.QUEUES),
            (fence, view.target, plan.end, room, "" if view.cutoff_s is None else f"{view.cutoff_s:.6f}",
             view.op_id, plan.marked_by),
        )
    )  # fmt: skip
    if plan.marked_by:
        return looked_at, looked_at == 0, ""
    return moved, moved == 0, "" if moved else _staying(looked_at)


def _once_around(view: Operation) -> Steps[int]:
    """An undone move looks at everything that waits as it begins, which is after the move has stopped."""
    depth: int = yield from ask(command("LLEN", keys.queue(view.queue)))
    yield (command("HSET", keys.operation(view.op_id), "limit", depth),)
    return depth


def _refill(plan: Plan, fence: str) -> Steps[tuple[int, bool, str]]:
    view = plan.view
    if view.limit is not None and view.done >= view.limit:
        return 0, True, ""
    restored = yield from tiers.restore_next(
        view.queue, Tier(view.target), fence=fence, only_cause=view.only_cause, to_head=plan.end == "head"
    )
    note = f"{restored.skipped} exist again already" if restored.skipped else ""
    return restored.jobs, restored.segments_left == 0, note


def _record(plan: Plan, moved: int, finished: bool, note: str) -> Steps[Operation]:
    view = plan.view
    key = keys.operation(view.op_id)
    calls = [command("HINCRBY", key, "done", moved), command("HSET", key, "note", note)]
    if finished:
        calls += [
            command("HSET", key, "finished", "1"),
            command("SREM", keys.OPERATIONS, key),
            command("EXPIRE", key, KEEP_FINISHED_S),
            command("UNLINK", keys.operation_driver(view.op_id)),
        ]
    done, *_ = yield tuple(calls)
    return replace(view, done=int(done), finished=finished, note=note)


def _plan(op_id: str, record: Mapping[bytes, bytes]) -> Plan:
    text = {field.decode(): value.decode() for field, value in record.items()}

    def number(field: str) -> float | None:
        return float(text[field]) if text.get(field) else None

    limit = number("limit")
    view = Operation(
        op_id=op_id,
        kind=text.get("kind", ""),
        queue=text.get("queue", ""),
        target=text.get("target", ""),
        done=int(text.get("done", "0")),
        limit=None if limit is None else int(limit),
        older_than_s=number("older_than_s"),
        cutoff_s=number("cutoff_s"),
        rate_per_s=number("rate_per_s"),
        cause=int(text.get("cause", "0")),
        only_cause=int(text.get("only_cause", "0")),
        started_s=number("started_s") or 0.0,
        finished=text.get("finished") == "1",
        stopped=text.get("stopped") == "1",
        note=text.get("note", ""),
    )
    return Plan(view, text.get("end", "tail"), text.get("marked_by", ""), text.get("stops", ""))
