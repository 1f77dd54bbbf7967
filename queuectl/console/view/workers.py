"""Pools and worker processes as rows."""

from __future__ import annotations

from queuectl.console import words
from queuectl.console.view.look import Look
from queuectl.console.widgets.table import Cell, Column, Row
from queuectl.model import FleetState, PoolState, WorkerState

POOL_PREFIX = "pool:"

COLUMNS: tuple[Column, ...] = (
    Column("name", "POOL / WORKER", 24, "left", 0, True),
    Column("state", "STATE", 9, "left", 1),
    Column("actual", "WORKERS", 9, "right", 1),
    Column("slots", "BUSY/SLOTS", 11, "right", 2),
    Column("used", "USED", 5, "right", 2),
    Column("delivered", "DELIVERED", 10, "right", 3),
    Column("failed", "FAILED", 7, "right", 4),
    Column("beat", "BEAT", 6, "right", 3),
    Column("age", "UP", 7, "right", 5),
    Column("host", "HOST", 10, "left", 4),
    Column("queues", "QUEUES", 20, "left", 5),
    Column("job", "NOW", 18, "left", 6),
)


def rows(fleet: FleetState, look: Look, *, dim: bool = False) -> list[Row]:
    """Each pool, its workers below it; workers of no pool at the end."""
    shown: list[Row] = []
    for pool in fleet.pools:
        shown.append(_pool(pool, look, dim))
        shown += [_worker(worker, look, dim) for worker in fleet.workers if worker.pool == pool.name]
    known = {pool.name for pool in fleet.pools}
    return shown + [_worker(worker, look, dim) for worker in fleet.workers if worker.pool not in known]


def pool_of(key: str, fleet: FleetState) -> str:
    """The pool that a row belongs to; empty: none."""
    if key.startswith(POOL_PREFIX):
        return key.removeprefix(POOL_PREFIX)
    return next((worker.pool for worker in fleet.workers if worker.name == key), "")


def _pool(pool: PoolState, look: Look, dim: bool) -> Row:
    signs = look.signs
    amount = f"{pool.actual}" if pool.desired in (None, pool.actual) else f"{pool.actual} {signs.arrow} {pool.desired}"
    state = "unmanaged" if pool.desired is None else "override" if pool.by else "auto"
    share = pool.busy / pool.slots if pool.slots else None
    cells = {
        "name": Cell(words.plain(pool.name, signs), "title", True),
        "state": Cell(state, "accent" if pool.by else "muted", False),
        "actual": Cell(amount, "warn" if pool.desired not in (None, pool.actual) else "", True),
        "slots": Cell(f"{pool.busy:,}/{pool.slots:,}", "", True),
        "used": Cell(words.percent(share, signs), "warn" if share is not None and share >= 0.95 else "", True),
        "queues": Cell(words.plain(" ".join(pool.queues), signs), "", False),
        "job": Cell(words.plain(f"{pool.by}: {pool.reason}" if pool.by else "", signs), "muted", False),
    }
    return Row(POOL_PREFIX + pool.name, cells, dim)


def _worker(worker: WorkerState, look: Look, dim: bool) -> Row:
    signs = look.signs
    state = "ghost" if worker.ghost else worker.state
    cells = {
        "name": Cell(f"  {words.plain(worker.name, signs)}", "bad" if worker.ghost else "", False),
        "state": Cell(
            words.plain(state, signs), "bad" if worker.ghost else "ok" if state == "busy" else "muted", False
        ),
        "actual": Cell("rq" if worker.stock else "", "muted", False),
        "slots": Cell(f"{worker.busy}/{worker.slots}", "", False),
        "used": Cell(words.percent(worker.busy / worker.slots if worker.slots else None, signs), "", False),
        "delivered": Cell(words.count(worker.delivered), "", False),
        "failed": Cell(words.count(worker.failed), "bad" if worker.failed else "muted", False),
        "beat": Cell(words.age(worker.heartbeat_age_s, signs), "bad" if worker.ghost else "muted", False),
        "age": Cell(words.age(worker.age_s, signs), "muted", False),
        "host": Cell(words.plain(worker.host, signs), "", False),
        "queues": Cell(words.plain(" ".join(worker.queues), signs), "muted", False),
        "job": Cell(words.plain(worker.current_job, signs), "muted", False),
    }
    return Row(worker.name, cells, dim)
