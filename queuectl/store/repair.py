"""Put back what dead workers held; promote scheduled jobs. Called by the leading daemon only."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.store import keys
from queuectl.store.claims import FAILURE_TTL_S, packed_error
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

REPAIR = load("repair_worker")
PROMOTE = load("promote_scheduled")
PROMOTE_BATCH = 500
SCHEDULER_LOCK_S = 30


@dataclass(frozen=True, slots=True)
class Repaired:
    """What one dead worker left behind."""

    worker: str
    requeued: int
    poisoned: int


def repair_workers(fence: str, *, dead_after_s: float, max_losses: int) -> Steps[tuple[Repaired, ...]]:
    """Requeue at the claiming end every message of workers not heard of for `dead_after_s`."""
    now = yield from ask(command("TIME"))
    limit = int(now[0]) - dead_after_s
    dead = yield from ask(command("ZRANGEBYSCORE", keys.WORKER_HEARTBEATS, "-inf", limit))
    repaired: tuple[Repaired, ...] = ()
    for raw in dead:
        repaired += ((yield from _repair(fence, raw.decode(), limit, max_losses)),)
    return repaired


def _repair(fence: str, worker: str, limit: float, max_losses: int) -> Steps[Repaired]:
    error = packed_error(f"the worker processing this message died {max_losses} times; given up as poison")
    requeued = poisoned = 0
    more = 1
    while more:
        reply = yield from ask(
            script(
                REPAIR,
                (keys.worker_executions(worker), keys.WORKER_HEARTBEATS),
                (fence, worker, limit, max_losses, FAILURE_TTL_S, error),
            )
        )
        requeued, poisoned, more = requeued + reply[0], poisoned + reply[1], reply[2]
    return Repaired(worker, requeued, poisoned)


def promote_scheduled(fence: str, queue: str, daemon: str) -> Steps[int]:
    """Move due scheduled jobs of `queue` to it, unless a stock RQ scheduler holds the queue's lock."""
    lock = keys.scheduler_lock(queue)
    holder = yield from ask(command("GET", lock))
    if holder is None:
        (taken,) = yield (command("SET", lock, daemon, "NX", "EX", SCHEDULER_LOCK_S),)
        if not taken:
            return 0
    elif holder.decode() == daemon:
        yield (command("EXPIRE", lock, SCHEDULER_LOCK_S),)
    else:
        return 0
    moved: int = yield from ask(
        script(
            PROMOTE,
            (keys.registry("scheduled", queue), keys.queue(queue), keys.QUEUES),
            (fence, queue, PROMOTE_BATCH),
        )
    )
    return moved
