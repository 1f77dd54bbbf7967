"""Retry and delete failed jobs, in bounded batches."""

from __future__ import annotations

from queuectl.model import DeleteFailed, Preview, RetryFailed
from queuectl.settings import Settings
from queuectl.store import keys
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import of_queue
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

RETRY = load("retry_failed")
DELETE = load("delete_failed")
BATCH = 500
TYPED_ABOVE = 10_000
"""More messages lost for good than this: the operator types the queue's name."""


def change(action: RetryFailed | DeleteFailed, settings: Settings) -> Steps[Change]:
    """Act on the named failed jobs of a queue, or on all of them."""
    facts = yield from of_queue(action.queue, settings)
    affected = len(action.job_ids) if action.job_ids else facts.queue.failed
    retrying = isinstance(action, RetryFailed)
    verb = "retry" if retrying else "delete"
    words = f"{affected:,} failed {'message' if affected == 1 else 'messages'}"
    preview = Preview(
        action=action,
        headline=f"{verb.title()} {words} of {action.queue}",
        verb=f"{verb.title()} {affected:,} of {action.queue}",
        effects=(
            ("They go to the tail of the queue; their attempts are counted anew.",)
            if retrying
            else ("They are lost for good.",)
        ),
        affected=affected,
        undoable=False,
        confirm_word="" if retrying or affected <= TYPED_ABOVE else action.queue,
        nothing=affected == 0,
        token=str(facts.queue.version),
    )
    return Change(
        preview=preview,
        key=keys.control(action.queue),
        scope=action.queue,
        verb=verb,
        before=f"{facts.queue.failed:,} failed",
        after=words,
        fields={"last_action": "@cause"},
        expected_version=str(facts.queue.version),
        follow_up=_retry(action) if isinstance(action, RetryFailed) else _delete(action),
    )


def _retry(action: RetryFailed) -> Steps[str]:
    done = 0
    for batch in (yield from _batches(action)):
        requeued, _ = yield from ask(
            script(
                RETRY,
                (keys.registry("failed", action.queue), keys.queue(action.queue), keys.QUEUES,
                 keys.order(action.queue), keys.registry("deferred", action.queue)),
                (action.queue, *batch),
            )
        )  # fmt: skip
        done += requeued
    return f"{done:,} failed messages of {action.queue} are queued again"


def _delete(action: DeleteFailed) -> Steps[str]:
    done = 0
    for batch in (yield from _batches(action)):
        done += yield from ask(
            script(DELETE, (keys.registry("failed", action.queue), keys.ledger(action.queue)), (action.queue, *batch))
        )
    return f"{done:,} failed messages of {action.queue} are deleted"


def _batches(action: RetryFailed | DeleteFailed) -> Steps[list[list[str]]]:
    ids = list(action.job_ids)
    if not ids:
        raw = yield from ask(command("ZRANGE", keys.registry("failed", action.queue), 0, -1))
        ids = [found.decode() for found in raw]
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
