"""Retry and delete failed jobs: the named ones at once, by a search or at a rate as an operation."""

from __future__ import annotations

import secrets

from queuectl.model import DeleteFailed, Operation, Preview, RetryFailed, UsageError
from queuectl.policy.forecast import added
from queuectl.policy.masking import mask_text
from queuectl.settings import Settings
from queuectl.store import dead_letters, keys
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import Facts, of_queue
from queuectl.store.client import Steps
from queuectl.store.operation_plans import Plan, fields_of

TYPED_ABOVE = 10_000
"""More messages lost for good than this: the operator types the queue's name."""


def change(action: RetryFailed | DeleteFailed, settings: Settings) -> Steps[Change]:
    """Act on the named failed jobs of a queue, on those that match, or on all of them."""
    facts = yield from of_queue(action.queue, settings)
    rate_per_s = action.rate_per_s if isinstance(action, RetryFailed) else None
    if rate_per_s is not None and rate_per_s <= 0:
        raise UsageError(f"rate {rate_per_s:g} is not allowed: more than 0 messages a second")
    if action.job_ids and (action.match or rate_per_s):
        raise UsageError("name jobs, or search for them and give a rate: not both")
    affected, estimated = len(action.job_ids), False
    if not action.job_ids:
        affected, estimated = yield from dead_letters.count(action.queue, action.match)
    preview = _preview(action, facts, affected, estimated)
    begun = _operation(action, affected) if action.match or rate_per_s else ()
    return Change(
        preview=preview,
        key=keys.control(action.queue),
        scope=action.queue,
        verb=_verb(action),
        before=f"{facts.queue.failed:,} failed",
        after=_which(action, affected, estimated, ""),
        fields={"last_action": "@cause"},
        expected_version=str(facts.queue.version),
        payload={"kind": "failed"},
        operation=begun,
        operation_id=secrets.token_hex(5) if begun else "",
        follow_up=None if begun else _at_once(action),
    )


def _verb(action: RetryFailed | DeleteFailed) -> str:
    return "retry" if isinstance(action, RetryFailed) else "delete"


def _which(action: RetryFailed | DeleteFailed, affected: int, estimated: bool, whose: str) -> str:
    about = "about " if estimated else ""
    matching = f' that match "{mask_text(action.match)}"' if action.match else ""
    pace = f" at {action.rate_per_s:g}/s" if isinstance(action, RetryFailed) and action.rate_per_s else ""
    return f"{about}{affected:,} failed {'message' if affected == 1 else 'messages'}{whose}{matching}{pace}"


def _preview(action: RetryFailed | DeleteFailed, facts: Facts, affected: int, estimated: bool) -> Preview:
    retrying, name = isinstance(action, RetryFailed), action.queue
    kept = facts.queue.failed - affected
    return Preview(
        action=action,
        headline=f"{_verb(action).title()} {_which(action, affected, estimated, f' of {name}')}",
        verb=f"{_verb(action).title()} {affected:,} of {name}",
        effects=("They go to the tail of the queue; their attempts are counted anew.",)
        if retrying
        else ("They are lost for good.",),
        forecast=(
            f"failed {facts.queue.failed:,} → {max(0, kept):,}",
            *facts.forecast(lambda flow: added(flow, affected) if retrying else flow),
        ),
        affected=affected,
        approximate=estimated,
        undoable=False,
        confirm_word="" if retrying or affected <= TYPED_ABOVE else name,
        nothing=affected == 0,
        token=str(facts.queue.version),
    )


def _operation(action: RetryFailed | DeleteFailed, affected: int) -> tuple[str, ...]:
    rate_per_s = action.rate_per_s if isinstance(action, RetryFailed) else None
    view = Operation(
        op_id="", kind=_verb(action), queue=action.queue, target="failed", match=action.match, rate_per_s=rate_per_s,
        limit=affected,
    )  # fmt: skip
    return fields_of(Plan(view, end="tail"))


def _at_once(action: RetryFailed | DeleteFailed) -> Steps[str]:
    act, done = (dead_letters.retry if isinstance(action, RetryFailed) else dead_letters.delete), 0
    ids = list(action.job_ids) or (yield from dead_letters.all_ids(action.queue))
    for start in range(0, len(ids), dead_letters.PAGE):
        acted, _ = yield from act(action.queue, ids[start : start + dead_letters.PAGE])
        done += acted
    became = "queued again" if isinstance(action, RetryFailed) else "deleted"
    return f"{done:,} failed messages of {action.queue} are {became}"
