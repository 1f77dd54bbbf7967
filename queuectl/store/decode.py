"""Turn the server's replies into the model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from queuectl.model import (
    AUTOMATION,
    Control,
    Direction,
    Ledger,
    LedgerState,
    Policy,
    PoolState,
    QueueState,
    Switch,
    WorkerState,
)
from queuectl.policy.rates import Counters
from queuectl.settings.model import QueueSettings
from queuectl.store import keys
from queuectl.store.policy_hash import policy_of
from queuectl.store.segments import by_reason

GHOST_AFTER_S = 30.0
SILENT_AFTER_S = 12.0
"""A worker of ours not heard of for so long delivers nothing to judge a queue by."""
STOCK_GHOST_AFTER_S = 480.0
"""An idle stock worker beats every 405 s (worker_ttl 420 less 15)."""

LEFT = ("delivered", "deleted", "vanished", "expired", "superseded", "moved_out")
"""Counters of what is no longer here."""


ALLOWED = {
    "direction": (Direction.FIFO.value, Direction.LIFO.value),
    "shed": (Switch.ON.value, Switch.OFF.value),
    "pause": (Switch.ON.value, Switch.OFF.value),
}
"""Control -> values that an override may have."""

NAME_SEPARATOR = "~"
"""Stock workers of a pool are called POOL~HOST~NUMBER; no pool's name holds it."""


def text_map(reply: Any) -> dict[str, str]:
    """A hash reply (a mapping, or pairs out of a script) as text."""
    if isinstance(reply, Mapping):
        return {_text(key): _text(value) for key, value in reply.items()}
    return {_text(key): _text(value) for key, value in zip(reply[::2], reply[1::2], strict=True)}


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def queue_state(
    row: Sequence[Any], workers: Sequence[WorkerState], configured: QueueSettings | None
) -> tuple[QueueState, Counters]:
    """One row of read_queue.lua."""
    name, now_s = row[0].decode(), float(row[18])
    controls, ledger, waits = text_map(row[13]), text_map(row[15]), text_map(row[16])
    policy = _with_problems(policy_of(text_map(row[14]), configured), controls)
    serving = [worker for worker in workers if name in worker.queues]
    stock = [worker for worker in serving if worker.stock]
    shed_totals, overflow_totals = text_map(row[25]), text_map(row[26])
    counted_in = _number(ledger, "accepted") + _number(ledger, "moved_in")
    uncounted = _number(shed_totals, "foreign") + _number(overflow_totals, "foreign")
    foreign_seen = row[27] == 1 or uncounted > 0
    foreign_fed = _number(ledger, "adopted") > 0 or foreign_seen or (counted_in == 0 and any(row[1:7]))
    living = sum(row[1:6]) + row[7] + row[8] + row[10] + row[11] + row[19] - uncounted
    state = QueueState(
        name=name,
        policy=policy,
        direction=control_of(controls, "direction", policy.direction, now_s, automatic=policy.direction_auto),
        shed=control_of(controls, "shed", policy.shed, now_s, automatic=policy.shed_auto),
        pause=control_of(controls, "pause", Switch.OFF, now_s),
        surging=automatic_of(controls, "surge", Switch.OFF) if policy.surge else Control(Switch.OFF),
        overflowing=automatic_of(controls, "overflow", Switch.OFF) if policy.overflow else Control(Switch.OFF),
        version=_number(controls, "version"),
        depth=row[1],
        in_flight=row[2],
        scheduled=row[3],
        deferred=row[4],
        failed=row[5],
        finished=row[6],
        surge=row[7],
        overflow=row[8],
        returning=row[21],
        overflow_bytes=row[9],
        shed_stored=row[10],
        shed_reasons=by_reason(shed_totals),
        shed_damaged=_number(shed_totals, "damaged"),
        overflow_damaged=_number(overflow_totals, "damaged"),
        overflow_away=_number(overflow_totals, "away"),
        draining=row[11],
        arriving=row[22],
        blocked_keys=row[23],
        blocked_s=max(0.0, now_s - float(row[24])) if row[24] else None,
        oldest_s=float(row[12]) if row[12] else None,
        workers=len(serving),
        slots=sum(worker.slots for worker in serving),
        busy=sum(worker.busy for worker in serving),
        stock_workers=len(stock),
        aside=row[20],
        assisted=bool(stock) or foreign_fed or row[20] > 0,
        ledger=ledger_of(ledger, living, bool(stock) or foreign_fed, uncounted),
    )
    counters = Counters(
        at_s=now_s,
        depth=row[1] + row[7],
        living=living - row[5],
        arrived=counted_in,
        left=_number(ledger, "delivered") + _number(ledger, "failed"),
        stock_done=sum((worker.delivered + worker.failed) / len(worker.queues) for worker in stock),
        counted=counted_in > 0 and not foreign_fed,
        retried=_number(ledger, "retried"),
        waits={int(bucket): int(number) for bucket, number in waits.items()},
        served=state.pause.value != Switch.ON and any(is_heard(worker) for worker in serving),
    )
    return state, counters


def is_heard(worker: WorkerState) -> bool:
    """Ours beat every five seconds: what is missing after a crash is learned of before it counts as a ghost."""
    return not worker.ghost and (worker.stock or worker.heartbeat_age_s < SILENT_AFTER_S)


def control_of(
    controls: Mapping[str, str], what: str, standing: str, now_s: float, *, automatic: bool = False
) -> Control:
    """The same rule as lib/control.lua: an override until it expires, else `automatic_of` or the policy."""
    value, until_s = controls.get(what), _float(controls, f"{what}_until")
    if value is None or _problem(controls, what) or (until_s is not None and until_s <= now_s):
        return automatic_of(controls, what, standing) if automatic else Control(str(standing))
    return Control(
        value=value,
        overridden=True,
        until_s=until_s,
        since_s=_float(controls, f"{what}_since"),
        by=controls.get(f"{what}_by", ""),
        reason=controls.get(f"{what}_reason", ""),
        cause=_number(controls, f"{what}_cause"),
    )


def _problem(controls: Mapping[str, str], what: str) -> str:
    """What makes no sense in an override, so that it does not hold; empty: nothing."""
    value, until = controls.get(what), f"{what}_until"
    allowed = ALLOWED.get(what, ())
    if value is not None and allowed and value not in allowed:
        return f"{what} is {value!r} in Redis, the policy's value holds: it must be {' or '.join(allowed)}"
    if what == "desired" and value is not None and not value.isdecimal():
        return f"{what} is {value!r} in Redis, the configured number holds"
    if controls.get(until) and _float(controls, until) is None:
        return f"{until} is {controls[until]!r} in Redis, the override does not hold: it must be a time in seconds"
    return ""


def _with_problems(policy: Policy, controls: Mapping[str, str]) -> Policy:
    """With what makes no sense among the overrides named as well."""
    found = tuple(problem for what in ("direction", "shed", "pause") if (problem := _problem(controls, what)))
    return replace(policy, problems=policy.problems + found) if found else policy


def automatic_of(controls: Mapping[str, str], what: str, standing: str) -> Control:
    """What automation decided, with its reason; `standing` until it has."""
    value = controls.get(f"{what}_auto")
    if value is None or value not in ALLOWED.get(what, (value,)) or (what == "desired" and not value.isdecimal()):
        return Control(str(standing))
    return Control(
        value=value,
        since_s=_float(controls, f"{what}_auto_since"),
        by=AUTOMATION,
        reason=controls.get(f"{what}_auto_reason", ""),
        cause=_number(controls, f"{what}_auto_cause"),
    )


def ledger_of(counted: Mapping[str, str], living: int, foreign: bool, uncounted: int = 0) -> Ledger:
    """accepted + adopted + moved in = delivered + deleted + vanished + expired + superseded + moved out + living.

    `uncounted`: packed jobs that are not in `living`, since nobody counted them in. Where stock producers feed a queue,
    what lives beyond the balance is theirs.
    """
    came = sum(_number(counted, field) for field in ("accepted", "adopted", "moved_in"))
    left = sum(_number(counted, field) for field in LEFT)
    residue = came - left - living
    if came == 0:
        state = LedgerState.UNKNOWN if living or left else LedgerState.BALANCED
    elif foreign:
        state = LedgerState.PARTIAL
    else:
        state = LedgerState.RESIDUE if residue else LedgerState.BALANCED
    if residue < 0 and state is not LedgerState.RESIDUE:
        uncounted, residue = uncounted - residue, 0
    return Ledger(
        accepted=_number(counted, "accepted"),
        adopted=_number(counted, "adopted"),
        moved_in=_number(counted, "moved_in"),
        delivered=_number(counted, "delivered"),
        deleted=_number(counted, "deleted"),
        vanished=_number(counted, "vanished"),
        expired=_number(counted, "expired"),
        superseded=_number(counted, "superseded"),
        moved_out=_number(counted, "moved_out"),
        refused=_number(counted, "refused"),
        duplicates=_number(counted, "duplicates"),
        unrouted=_number(counted, "unrouted"),
        retried=_number(counted, "retried"),
        uncounted=uncounted,
        residue=residue,
        state=state,
    )


def worker_state(key: str, reply: Any, now_s: float) -> WorkerState:
    """One worker hash, ours or rq's."""
    record = text_map(reply)
    ours = "queuectl" in record
    state = record.get("state", "?")
    silent_s = now_s - (_stamp(record.get("last_heartbeat")) or now_s)
    heartbeat_age_s = max(0.0, silent_s)
    return WorkerState(
        name=key.removeprefix(keys.worker("")),
        host=record.get("hostname", ""),
        pid=_number(record, "pid"),
        queues=tuple(queue for queue in record.get("queues", "").split(",") if queue),
        state=state,
        pool=record.get("pool", "") if ours else pool_of_name(key),
        slots=_number(record, "slots") or 1,
        busy=_number(record, "busy") if ours else int(state == "busy"),
        delivered=_number(record, "successful_job_count"),
        failed=_number(record, "failed_job_count"),
        heartbeat_age_s=heartbeat_age_s,
        age_s=max(0.0, now_s - (_stamp(record.get("birth")) or now_s)),
        stock=not ours,
        ahead_s=max(0.0, -silent_s),
        ghost=heartbeat_age_s > (GHOST_AFTER_S if ours else STOCK_GHOST_AFTER_S),
    )


def pool_of_name(worker: str) -> str:
    """The pool of a stock worker that a daemon of ours started, which its name says; '' of any other."""
    pool, *rest = worker.removeprefix(keys.worker("")).split(NAME_SEPARATOR)
    return pool if len(rest) == 2 else ""


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
    except (ValueError, OverflowError):
        return 0


def _float(record: Mapping[str, str], field: str) -> float | None:
    """None where it is missing, or says nothing sensible."""
    try:
        found = float(record.get(field) or "nan")
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _stamp(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except ValueError:
        return None
