"""Drains and refills as Redis holds them: what the operator sees, and how their steps go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queuectl.model import Operation


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation as stored."""

    view: Operation
    end: str
    """head or tail: where a drain takes from, where a refill brings to."""
    push_end: str = "tail"
    """Where a move to another queue puts them."""
    marked_by: str = ""
    """Move only jobs that carry this operation's mark (undo of a move)."""
    stops: str = ""
    """An operation that has to be stopped and over before this one begins (undo of a drain under way)."""
    pace_from_s: float = 0.0
    """Since when the rate counts, server time; anew when a stopped operation is continued."""
    pace_done: int = 0
    """What was done by then."""
    collected: bool = False
    """A move has all it takes in its staging list."""
    around: int | None = None
    """An undone move, and one over failed jobs, looks at everything that was there as it began, once: so many are left
    to look at."""
    cursor: str = ""
    """Where a replay with a filter looks next; of failed jobs, how many were passed over."""

    def due(self, now_s: float) -> float:
        """Messages that may be moved now, by the rate: a second's worth at once, then as time passes."""
        if self.view.rate_per_s is None:
            return float("inf")
        return self.view.rate_per_s * max(1.0, now_s - self.pace_from_s + 1.0) - (self.view.done - self.pace_done)


def fields_of(plan: Plan) -> tuple[str, ...]:
    """Field arguments for the gate's commit."""
    view = plan.view
    stored = {
        "kind": view.kind,
        "queue": view.queue,
        "target": view.target,
        "match": view.match,
        "done": "0",
        "limit": "" if view.limit is None else str(view.limit),
        "older_than_s": "" if view.older_than_s is None else f"{view.older_than_s:g}",
        "cutoff_s": "" if view.cutoff_s is None else f"{view.cutoff_s:.6f}",
        "rate_per_s": "" if view.rate_per_s is None else f"{view.rate_per_s:g}",
        "cause": "@cause",
        "only_cause": str(view.only_cause),
        "packed_after_s": "" if view.packed_after_s is None else f"{view.packed_after_s:.6f}",
        "reason": view.reason,
        "started_s": "@now",
        "pace_from_s": "@now",
        "end": plan.end,
        "push_end": plan.push_end,
        "marked_by": plan.marked_by,
        "stops": plan.stops,
    }
    return tuple(part for pair in stored.items() for part in pair)


def continued(view: Operation) -> dict[str, str]:
    """Fields that let a stopped operation go on; NUL deletes."""
    gone = dict.fromkeys(("finished", "stopped", "failed", "collected", "note"), "\0")
    return {**gone, "pace_from_s": "@now", "pace_done": str(view.done)}


def plan_of(op_id: str, record: Mapping[bytes, bytes]) -> Plan:
    """A plan out of its hash."""
    text = {field.decode(): value.decode() for field, value in record.items()}

    def number(field: str) -> float | None:
        return float(text[field]) if text.get(field) else None

    def whole(field: str) -> int:
        return int(text.get(field) or 0)

    view = Operation(
        op_id=op_id,
        kind=text.get("kind", ""),
        queue=text.get("queue", ""),
        target=text.get("target", ""),
        match=text.get("match", ""),
        done=whole("done"),
        limit=int(text["limit"]) if text.get("limit") else None,
        older_than_s=number("older_than_s"),
        cutoff_s=number("cutoff_s"),
        rate_per_s=number("rate_per_s"),
        cause=whole("cause"),
        only_cause=whole("only_cause"),
        packed_after_s=number("packed_after_s"),
        reason=text.get("reason", ""),
        started_s=number("started_s") or 0.0,
        finished=text.get("finished") == "1",
        stopped=text.get("stopped") == "1",
        failed=text.get("failed") == "1",
        skipped=whole("skipped"),
        damaged=whole("damaged"),
        note=text.get("note", ""),
        version=whole("version"),
    )
    return Plan(
        view,
        end=text.get("end", "tail"),
        push_end=text.get("push_end", "tail"),
        marked_by=text.get("marked_by", ""),
        stops=text.get("stops", ""),
        pace_from_s=number("pace_from_s") or 0.0,
        pace_done=whole("pace_done"),
        collected=text.get("collected") == "1",
        around=int(text["around"]) if text.get("around") else None,
        cursor=text.get("cursor", ""),
    )
