"""Stop a drain or refill under way, and let a stopped one go on."""

from __future__ import annotations

from queuectl.model import ContinueOperation, Operation, Preview, StopOperation, Tier, UsageError
from queuectl.policy.forecast import Flow, added, flow_of, parked
from queuectl.policy.forecast_words import compare
from queuectl.settings import Settings
from queuectl.store import keys, operations
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import of_queue
from queuectl.store.client import Steps, ask, command
from queuectl.store.operation_plans import continued


def change(action: StopOperation | ContinueOperation, settings: Settings) -> Steps[Change]:
    """Raises UsageError for an operation that is not known (any more)."""
    operation = yield from operations.read(action.op_id)
    if operation is None:
        raise UsageError(f"no operation {action.op_id!r}: it is unknown, or over for more than a week")
    forecast = yield from _forecast(operation, settings, stopping=isinstance(action, StopOperation))
    if isinstance(action, StopOperation):
        stop = {"stopped": "1"}
        return _change(action, operation, "stop", "stopped", stop, forecast=forecast, nothing=operation.finished)
    refusal = yield from _why_not(operation)
    fields, nothing = continued(operation), not operation.finished
    return _change(
        action, operation, "continue", "goes on", fields, forecast=forecast, refusal=refusal, nothing=nothing
    )


def _forecast(operation: Operation, settings: Settings, *, stopping: bool) -> Steps[tuple[str, ...]]:
    """With what is left done, and without."""
    facts = yield from of_queue(operation.queue, settings)
    queue, limit = facts.queue, operation.limit
    stored = {Tier.OVERFLOW: queue.overflow, Tier.SHED: queue.shed_stored}
    left = stored.get(Tier(operation.target), 0) if limit is None and operation.kind == "refill" else (limit or 0)
    left = max(0, left - (operation.done if limit is not None else 0))
    now = flow_of(queue)
    done = {"drain": parked, "refill": added, "retry": added}.get(operation.kind, _untouched)(now, left)
    return compare(done, now) if stopping else compare(now, done)


def _untouched(flow: Flow, _: int) -> Flow:
    return flow


def _why_not(operation: Operation) -> Steps[str]:
    if not operation.finished:
        return ""
    if not operation.stopped:
        return f"the {operation.kind} of {operation.queue} is over: {operation.done:,} done"
    undone = yield from ask(command("HGET", keys.AUDIT_UNDONE, operation.cause))
    return f"#{operation.cause} was undone by #{undone.decode()}" if undone else ""


def _change(
    action: StopOperation | ContinueOperation, operation: Operation, verb: str, after: str, fields: dict[str, str], *,
    forecast: tuple[str, ...], refusal: str = "", nothing: bool = False,
) -> Change:  # fmt: skip
    stopping = verb == "stop"
    toward = {"drain": f" to {operation.target}", "refill": f" from {operation.target}"}.get(operation.kind, "")
    name = f"{operation.kind}{toward}"
    preview = Preview(
        action=action,
        headline=f"{verb.title()} the {name} of {operation.queue}, {operation.done:,} so far",
        verb=f"{verb.title()} the {operation.kind}",
        effects=("What was moved stays moved; what was taken and not yet moved goes back.",) if stopping else (),
        forecast=forecast,
        refusal=refusal,
        nothing=nothing,
        token=str(operation.version),
    )
    return Change(
        preview=preview,
        key=keys.operation(operation.op_id),
        scope=operation.queue,
        verb=verb,
        before=f"{name}, {operation.done:,} done",
        after=after,
        fields=fields,
        expected_version=str(operation.version),
        payload={"kind": "operation", "op": operation.op_id, "stopped": stopping},
        operation_id=operation.op_id,
    )
