"""Turn the server's replies into the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from queuectl.model import (
    AUTOMATION,
    Control,
    Direction,
    Ledger,
    LedgerState,
    Objective,
    Policy,
    PoolState,
    QueueClass,
    QueueState,
    Switch,
    WorkerState,
)
from queuectl.policy.rates import Counters
from queuectl.store import keys

GHOST_AFTER_S = 30.0
SILENT_AFTER_S = 12.0
"""A worker of ours not heard of for so long delivers nothing to judge a queue by."""
STOCK_GHOST_AFTER_S = 480.0
"""An idle stock worker beats every 405 s (worker_ttl 420 less 15)."""


def text_map(reply: Any) -> dict[str, str]:
    """A hash reply (a mapping, or pairs out of a script) as text."""
    if isinstance(reply, Mapping):
        return {_text(key): _text(value) for key, value in reply.items()}
    return {_text(key): _text(value) for key, value in zip(reply[::2], reply[1::2], strict=True)}


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def queue_state(
    row: Sequence[Any], workers: Sequence[WorkerState], configured: Policy | None
) -> tuple[QueueState, Counters]:
    """One row of read_queue.lua."""
    name, now_s = row[0].decode(), float(row[18])
    controls, ledger, waits = text_map(row[13]), text_map(row[15]), text_map(row[16])
    policy = policy_of(text_map(row[14]), configured)
    serving = [worker for worker in workers if name in worker.queues]
    stock = [worker for worker in serving if worker.stock]
    counted_in = _number(ledger, "accepted") + _number(ledger, "moved_in")
    foreign_fed = _number(ledger, "adopted") > 0 or (counted_in == 0 and any(row[1:7]))
    living = sum(row[1:6]) + row[7] + row[8] + row[10] + row[11] + row[19]
    state = QueueState(
        name=name,
        policy=policy,
        direction=control_of(controls, "direction", policy.direction, now_s, automatic=policy.direction_auto),
        shed=control_of(controls, "shed", policy.shed, now_s, automatic=policy.shed_auto),
        pause=control_of(controls, "pause", Switch.OFF, now_s),
        version=_number(controls, "version"),
        depth=row[1],
        in_flight=row[2],
        scheduled=row[3],
        deferred=row[4],
        failed=row[5],
        finished=row[6],
        surge=row[7],
        overflow=row[8],
        overflow_bytes=row[9],
        shed_stored=row[10],
        draining=row[11],
        oldest_s=float(row[12]) if row[12] else None,
        workers=len(serving),
        slots=sum(worker.slots for worker in serving),
        busy=sum(worker.busy for worker in serving),
        stock_workers=len(stock),
        assisted=bool(stock) or foreign_fed,
        ledger=ledger_of(ledger, living, bool(stock) or foreign_fed),
    )
    counters = Counters(
        at_s=now_s,
        depth=row[1],
        living=living - row[5],
        arrived=counted_in,
        left=_number(ledger, "delivered") + _number(ledger, "failed"),
        stock_done=sum((worker.delivered + worker.failed) / len(worker.queues) for worker in stock),
        counted=counted_in > 0 and not foreign_fed,
        waits={int(bucket): int(number) for bucket, number in waits.items()},
        served=state.pause.value != Switch.ON and any(is_heard(worker) for worker in serving),
    )
    return state, counters


def is_heard(worker: WorkerState) -> bool:
    """Ours beat every five seconds: what is missing after a crash is learned of before it counts as a ghost."""
    return not worker.ghost and (worker.stock or worker.heartbeat_age_s < SILENT_AFTER_S)


def policy_of(stored: Mapping[str, str], configured: Policy | None) -> Policy:
    """The policy in Redis; where none is, the settings'; where none is either, the defaults."""
    default = configured or Policy()
    if not stored:
        return default
    direction, shed = stored.get("direction", default.direction), stored.get("shed", default.shed)
    return Policy(
        queue_class=QueueClass(stored.get("class", default.queue_class)),
        max_age_s=float(stored.get("max_age_s", default.max_age_s)),
        target_wait_s=float(stored.get("target_wait_s", default.target_wait_s)),
        cap=int(stored.get("cap", default.cap)),
        direction=default.direction if direction == AUTOMATION else Direction(direction),
        shed=default.shed if shed == AUTOMATION else Switch(shed),
        provider=stored.get("provider", default.provider),
        version=int(stored.get("version", 0)),
        objective=Objective(stored.get("objective", default.objective)),
        shed_auto=shed == AUTOMATION,
        direction_auto=direction == AUTOMATION,
    )


def control_of(
    controls: Mapping[str, str], what: str, standing: str, now_s: float, *, automatic: bool = False
) -> Control:
    """The same rule as lib/control.lua: an override until it expires, else `automatic_of` or the policy."""
    value, until = controls.get(what), controls.get(f"{what}_until") or None
    if value is None or (until is not None and float(until) <= now_s):
        return automatic_of(controls, what, standing) if automatic else Control(str(standing))
    since = controls.get(f"{what}_since")
    return Control(
        value=value,
        overridden=True,
        until_s=float(until) if until else None,
        since_s=float(since) if since else None,
        by=controls.get(f"{what}_by", ""),
        reason=controls.get(f"{what}_reason", ""),
        cause=int(controls.get(f"{what}_cause", 0)),
    )


def automatic_of(controls: Mapping[str, str], what: str, standing: str) -> Control:
    """What automation decided, with its reason; `standing` until it has."""
    value, since = controls.get(f"{what}_auto"), controls.get(f"{what}_auto_since")
    if value is None:
        return Control(str(standing))
    return Control(
        value=value,
        since_s=float(since) if since else None,
        by=AUTOMATION,
        reason=controls.get(f"{what}_auto_reason", ""),
        cause=int(controls.get(f"{what}_auto_cause", 0)),
    )


def ledger_of(counted: Mapping[str, str], living: int, foreign: bool) -> Ledger:
    """accepted + adopted + moved in = delivered + deleted + vanished + moved out + every living place."""
    came = sum(_number(counted, field) for field in ("accepted", "adopted", "moved_in"))
    left = sum(_number(counted, field) for field in ("delivered", "deleted", "vanished", "moved_out"))
    residue = came - left - living
    if came == 0:
        state = LedgerState.UNKNOWN if living or left else LedgerState.BALANCED
    elif foreign:
        state = LedgerState.PARTIAL
    else:
        state = LedgerState.RESIDUE if residue else LedgerState.BALANCED
    return Ledger(
        accepted=_number(counted, "accepted"),
        adopted=_number(counted, "adopted"),
        moved_in=_number(counted, "moved_in"),
        delivered=_number(counted, "delivered"),
        deleted=_number(counted, "deleted"),
        vanished=_number(counted, "vanished"),
        moved_out=_number(counted, "moved_out"),
        refused=_number(counted, "refused"),
        duplicates=_number(counted, "duplicates"),
        retried=_number(counted, "retried"),
        residue=residue,
        state=state,
    )


def worker_state(key: str, reply: Any, now_s: float) -> WorkerState:
    """One worker hash, ours or rq's."""
    record = text_map(reply)
    ours = "queuectl" in record
    state = record.get("state", "?")
    heartbeat_age_s = max(0.0, now_s - (_stamp(record.get("last_heartbeat")) or now_s))
    return WorkerState(
        name=key.removeprefix(keys.worker("")),
        host=record.get("hostname", ""),
        pid=_number(record, "pid"),
        queues=tuple(queue for queue in record.get("queues", "").split(",") if queue),
        state=state,
        pool=record.get("pool", ""),
        slots=_number(record, "slots") or 1,
        busy=_number(record, "busy") if ours else int(state == "busy"),
        delivered=_number(record, "successful_job_count"),
        failed=_number(record, "failed_job_count"),
        heartbeat_age_s=heartbeat_age_s,
        age_s=max(0.0, now_s - (_stamp(record.get("birth")) or now_s)),
        stock=not ours,
        ghost=heartbeat_age_s > (GHOST_AFTER_S if ours else STOCK_GHOST_AFTER_S),
    )


def pool_state(name: str, reply: Any, workers: Sequence[WorkerState], now_s: float) -> PoolState:
    """A pool's hash, with what its workers report."""
    record = text_map(reply)
    own = [worker for worker in workers if worker.pool == name]
    scaling = (_number(record, "scaling_min"), _number(record, "scaling_max")) if "scaling_max" in record else None
    configured = automatic_of(record, "desired", record.get("configured", "0")) if scaling else None
    standing = int(configured.value) if configured else _number(record, "configured")
    if scaling:
        standing = min(max(standing, scaling[0]), scaling[1])
    wanted = control_of(record, "desired", str(standing), now_s, automatic=scaling is not None)
    return PoolState(
        name=name,
        queues=tuple(queue for queue in record.get("queues", "").split(",") if queue),
        desired=int(wanted.value) if wanted.overridden else standing,
        actual=len(own),
        slots=sum(worker.slots for worker in own),
        busy=sum(worker.busy for worker in own),
        concurrency=_number(record, "concurrency") or 1,
        by=wanted.by,
        reason=wanted.reason,
        until_s=wanted.until_s,
        configured=standing,
        scaling=scaling,
    )


def _number(record: Mapping[str, str], field: str) -> int:
    try:
        return int(float(record.get(field) or 0))
    except ValueError:
        return 0


def _stamp(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
