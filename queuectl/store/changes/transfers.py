"""Drain and refill: changes that start an operation."""

from __future__ import annotations

import secrets

from queuectl.model import Direction, Drain, Operation, Preview, Refill, Target, Tier, UsageError
from queuectl.policy.forecast import Flow, added, without
from queuectl.settings import Settings
from queuectl.store import keys, operations, tiers
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import Facts, count_older, eta_words, humane_s, of_queue
from queuectl.store.client import Steps

RESERVED = frozenset(tier.value for tier in Tier)


def drain(action: Drain, settings: Settings) -> Steps[Change]:
    """Move waiting messages out of the primary tier."""
    facts = yield from of_queue(action.queue, settings)
    if action.limit is not None and action.limit < 1:
        raise UsageError(f"limit {action.limit} is not allowed: at least 1")
    if action.older_than_s is not None and action.older_than_s < 0:
        raise UsageError("older-than cannot be negative")
    cutoff_s = None if action.older_than_s is None else facts.now_s - action.older_than_s
    eligible = facts.queue.depth if cutoff_s is None else (yield from count_older(action.queue, cutoff_s))
    affected = eligible if action.limit is None else min(eligible, action.limit)
    target = action.to_queue if action.target is Target.QUEUE else action.target.value
    refusal = yield from _drain_refusal(action, settings)
    to_shed = action.target is Target.SHED
    plan = operations.Plan(
        Operation(
            op_id="", kind="drain", queue=action.queue, target=target, limit=affected,
            older_than_s=action.older_than_s, cutoff_s=cutoff_s,
        ),
        end=_end(facts, cutoff_s),
    )  # fmt: skip
    op_id = secrets.token_hex(5)
    preview = Preview(
        action=action,
        headline=f"Drain {affected:,} messages from {action.queue} to {_target_words(action)}",
        verb=f"Drain {affected:,} from {action.queue}",
        effects=_drain_effects(action, facts),
        forecast=_after_leaving(facts, affected),
        affected=affected,
        approximate=cutoff_s is not None,
        confirm_word=action.queue if facts.queue.policy.protected and to_shed else "",
        refusal=refusal,
        nothing=affected == 0,
        token=str(facts.queue.version),
    )
    return Change(
        preview=preview,
        key=keys.control(action.queue),
        scope=action.queue,
        verb="drain",
        before=f"{facts.queue.depth:,} waiting",
        after=f"{affected:,} to {target}",
        fields={"last_action": "@cause"},
        expected_version=str(facts.queue.version),
        payload={
            "kind": "drain",
            "target": target,
            "tier": target if target in RESERVED else "",
            "end": plan.end,
            "op": op_id,
        },
        operation=tuple(operations.fields_of(plan)),
        operation_id=op_id,
    )


def _end(facts: Facts, cutoff_s: float | None) -> str:
    """Old messages lie at the head; else the end is taken that would be delivered last."""
    newest_first = facts.queue.direction.value == Direction.LIFO and not facts.queue.stock_workers
    return "head" if cutoff_s is not None or newest_first else "tail"


def _drain_refusal(action: Drain, settings: Settings) -> Steps[str]:
    if action.target is not Target.QUEUE:
        return ""
    if action.to_queue in RESERVED or not action.to_queue:
        raise UsageError("name the queue to drain to; `overflow` and `shed` are tiers, not queues")
    if action.to_queue == action.queue:
        return f"{action.queue} cannot be drained into itself"
    yield from of_queue(action.to_queue, settings)
    return ""


def _target_words(action: Drain) -> str:
    if action.target is Target.QUEUE:
        return f"queue {action.to_queue}"
    return {"overflow": "overflow", "shed": "the shed store"}[action.target.value]


def _drain_effects(action: Drain, facts: Facts) -> tuple[str, ...]:
    which = (
        "what would be delivered last, first"
        if action.older_than_s is None
        else f"those older than {humane_s(action.older_than_s)}"
    )
    if action.target is Target.QUEUE:
        return (f"Moved: {which}. They are delivered by the workers of {action.to_queue}.",
                "Messages with an ordering key stay.")  # fmt: skip
    memory = f"Each takes ~45 bytes packed instead of ~{440 if not facts.queue.assisted else 1600:,}."
    if action.target is Target.SHED:
        return (f"Taken out: {which}. They are not delivered unless replayed or undone.",
                "Messages with an ordering key stay.", memory)  # fmt: skip
    return f"Packed away: {which}. Nobody delivers them until they are refilled.", memory


def _after_leaving(facts: Facts, messages: int) -> tuple[str, ...]:
    flow = facts.flow
    return (
        f"waiting {facts.queue.depth:,} → {facts.queue.depth - messages:,}",
        f"primary clears in {eta_words(flow)} → {_clears_after(flow, messages)}",
    )


def _clears_after(flow: Flow | None, messages: int) -> str:
    if flow and flow.in_per_s > flow.service_per_s and messages:
        return f"grows again by {flow.in_per_s - flow.service_per_s:,.0f}/s"
    return eta_words(without(flow, messages) if flow else None)


def refill(action: Refill, settings: Settings) -> Steps[Change]:
    """Bring packed messages back."""
    facts = yield from of_queue(action.queue, settings)
    if action.rate_per_s is not None and action.rate_per_s <= 0:
        raise UsageError(f"rate {action.rate_per_s:g} is not allowed: more than 0 messages a second")
    if action.limit is not None and action.limit < 1:
        raise UsageError(f"limit {action.limit} is not allowed: at least 1")
    stored = facts.queue.overflow if action.tier is Tier.OVERFLOW else facts.queue.shed_stored
    affected = stored if action.limit is None else min(stored, action.limit)
    to_head = bool(action.cause) and (yield from tiers.took_from_head(action.queue, action.tier, action.cause))
    plan = operations.Plan(
        Operation(
            op_id="", kind="refill", queue=action.queue, target=action.tier.value, limit=action.limit,
            rate_per_s=action.rate_per_s, only_cause=action.cause,
        ),
        end="head" if to_head else "tail",
    )  # fmt: skip
    op_id = secrets.token_hex(5)
    pace = f" at {action.rate_per_s:g}/s" if action.rate_per_s else ""
    flow = facts.flow
    preview = Preview(
        action=action,
        headline=f"Refill {action.queue} with {affected:,} messages from {action.tier.value}{pace}",
        verb=f"Refill {affected:,} into {action.queue}",
        effects=("Oldest first, in whole segments of up to 1,000, to the tail of the queue.",),
        forecast=(
            f"waiting {facts.queue.depth:,} → {facts.queue.depth + affected:,}",
            f"clears in {eta_words(flow)} → {eta_words(added(flow, affected) if flow else None)}",
        ),
        affected=affected,
        undoable=False,
        nothing=affected == 0,
        token=str(facts.queue.version),
    )
    return Change(
        preview=preview,
        key=keys.control(action.queue),
        scope=action.queue,
        verb="refill",
        before=f"{stored:,} in {action.tier.value}",
        after=f"{affected:,} back",
        fields={"last_action": "@cause"},
        expected_version=str(facts.queue.version),
        payload={"kind": "refill", "op": op_id},
        operation=tuple(operations.fields_of(plan)),
        operation_id=op_id,
    )
