"""Drain and refill: changes that start an operation."""

from __future__ import annotations

import secrets

from queuectl.model import Direction, Drain, Operation, Preview, Refill, Target, Tier, UsageError
from queuectl.policy.forecast import added, parked, without
from queuectl.policy.forecast_words import humane_s
from queuectl.policy.replay import rate_words, replay_per_s
from queuectl.settings import Settings
from queuectl.store import keys, segments
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import Facts, count_older, of_queue
from queuectl.store.client import Steps
from queuectl.store.operation_plans import Plan, fields_of
from queuectl.store.segment_ids import slug
from queuectl.store.segments import Selection

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
    plan = Plan(
        Operation(
            op_id="", kind="drain", queue=action.queue, target=target, limit=affected,
            older_than_s=action.older_than_s, cutoff_s=cutoff_s,
        ),
        end=_end(action, facts, cutoff_s, affected),
    )  # fmt: skip
    op_id = secrets.token_hex(5)
    preview = Preview(
        action=action,
        headline=f"Drain {affected:,} messages from {action.queue} to {_target_words(action)}",
        verb=f"Drain {affected:,} from {action.queue}",
        effects=_drain_effects(action, facts),
        forecast=facts.forecast(lambda flow: (without if action.target is Target.QUEUE else parked)(flow, affected)),
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
        operation=fields_of(plan),
        operation_id=op_id,
    )


def _end(action: Drain, facts: Facts, cutoff_s: float | None, affected: int) -> str:
    """Old messages lie at the head; else the end is taken that would be delivered last. A whole queue moves head first,
    which keeps its order."""
    newest_first = facts.queue.direction.value == Direction.LIFO and not facts.queue.stock_workers
    whole = action.target is Target.QUEUE and affected >= facts.queue.depth
    return "head" if cutoff_s is not None or newest_first or whole else "tail"


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


def refill(action: Refill, settings: Settings) -> Steps[Change]:
    """Bring packed messages back. What was shed comes at a rate that the workers can take, where none is given."""
    facts = yield from of_queue(action.queue, settings)
    _check(action)
    which = Selection(0, None if action.since_s is None else facts.now_s - action.since_s, action.reason)
    stored = facts.queue.overflow if action.tier is Tier.OVERFLOW else facts.queue.shed_stored
    matching = yield from _count(action, which, stored, facts)
    affected = matching if action.limit is None else min(matching, action.limit)
    rate_per_s = action.rate_per_s
    if rate_per_s is None and action.tier is Tier.SHED:
        rate_per_s = replay_per_s(facts.queue.service_per_s, facts.queue.in_per_s)
    op_id = secrets.token_hex(5)
    plan = Plan(
        Operation(
            op_id="", kind="refill", queue=action.queue, target=action.tier.value, limit=action.limit,
            rate_per_s=rate_per_s, packed_after_s=which.packed_after_s, reason=which.reason,
        ),
        end="tail",
    )  # fmt: skip
    pace = f" at {rate_words(rate_per_s)}/s" if rate_per_s else ""
    preview = Preview(
        action=action,
        headline=f"Refill {action.queue} with {affected:,} messages from {action.tier.value}{_which(action)}{pace}",
        verb=f"Refill {affected:,} into {action.queue}",
        effects=_refill_effects(action.tier, affected, rate_per_s),
        forecast=facts.forecast(lambda flow: added(flow, affected)),
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
        after=f"{affected:,} back{_which(action)}",
        fields={"last_action": "@cause"},
        expected_version=str(facts.queue.version),
        payload={"kind": "refill", "op": op_id},
        operation=fields_of(plan),
        operation_id=op_id,
    )


def _check(action: Refill) -> None:
    if action.rate_per_s is not None and action.rate_per_s <= 0:
        raise UsageError(f"rate {action.rate_per_s:g} is not allowed: more than 0 messages a second")
    if action.limit is not None and action.limit < 1:
        raise UsageError(f"limit {action.limit} is not allowed: at least 1")
    if action.since_s is not None and action.since_s <= 0:
        raise UsageError("since must be longer than nothing")


def _count(action: Refill, which: Selection, stored: int, facts: Facts) -> Steps[int]:
    """How many match. Raises UsageError for a reason that nothing was packed for."""
    if not which.filtered:
        return stored - (facts.queue.overflow_damaged if action.tier is Tier.OVERFLOW else facts.queue.shed_damaged)
    reasons = {segment.reason for segment in (yield from segments.of_selection(action.queue, action.tier, Selection()))}
    if which.reason and reasons and slug(which.reason) not in reasons:
        known = ", ".join(sorted(reasons))
        raise UsageError(
            f"nothing of {action.queue} in {action.tier.value} is there for {which.reason!r}, but: {known}"
        )
    return segments.jobs_in((yield from segments.of_selection(action.queue, action.tier, which)))


def _which(action: Refill) -> str:
    since = f" of the last {humane_s(action.since_s)}" if action.since_s else ""
    return f"{since}{f' for {action.reason}' if action.reason else ''}"


def _refill_effects(tier: Tier, affected: int, rate_per_s: float | None) -> tuple[str, ...]:
    takes = f"At that rate it takes {humane_s(affected / rate_per_s)}." if rate_per_s and affected > rate_per_s else ""
    spared = "Shedding passes over what was shed before." if tier is Tier.SHED else ""
    again = "Those whose id exists again are skipped and counted."
    return tuple(line for line in ("Oldest first, to the tail of the queue.", again, spared, takes) if line)
