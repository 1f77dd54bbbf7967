"""Put back what dead workers held; promote scheduled jobs. Called by the leading daemon only."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.store import keys
from queuectl.store.claims import FAILURE_TTL_S, packed_error
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

BEGIN = load("begin_repair")
REPAIR = load("repair_worker")
PROMOTE = load("promote_scheduled")
PROMOTE_BATCH = 500
SCHEDULER_LOCK_S = 30
LEAST_GAP_S = 7.0
"""The leader looks every five seconds."""
GRACE_S = 15.0
"""Living workers are heard of again within ten seconds: a beat every five, a command's time-out of five."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """What one dead worker left behind."""

    worker: str
    requeued: int
    poisoned: int
    ambiguous: int = 0
    """Failed because they may have arrived, in queues that hold such messages."""


def may_repair(fence: str, *, dead_after_s: float) -> Steps[bool]:
    """False for a while after nobody looked: where the server was away, living workers' heartbeats are as old as the
    dead ones'. To be asked before every `repair_workers`."""
    gap_s = max(LEAST_GAP_S, dead_after_s / 2)
    return bool((yield from ask(script(BEGIN, (keys.REPAIR,), (fence, gap_s, GRACE_S)))))


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
    sent = packed_error("the worker died after this message was sent: it may have arrived (on_ambiguous = hold)")
    requeued = poisoned = ambiguous = 0
    more = 1
    while more:
        reply = yield from ask(
            script(
                REPAIR,
                (keys.worker_executions(worker), keys.WORKER_HEARTBEATS),
                (fence, worker, limit, max_losses, FAILURE_TTL_S, error, sent),
            )
        )
        requeued, poisoned, ambiguous = requeued + reply[0], poisoned + reply[1], ambiguous + reply[2]
        more = reply[3]
    return Repaired(worker, requeued, poisoned, ambiguous)


@dataclass(frozen=True, slots=True)
class Promoted:
    """What one look at due jobs came to. `last_s`: where to look on; None: nothing more is due."""

    jobs: int
    retries: int
    last_s: float | None


NOTHING = Promoted(0, 0, None)


def promote_scheduled(fence: str, queue: str, daemon: str, *, retries: int = PROMOTE_BATCH,
                      after_s: float | None = None) -> Steps[Promoted]:  # fmt: skip
    """Move due scheduled jobs of `queue` to it, at most `retries` of those that were tried before, unless a stock RQ
    scheduler holds the queue's lock. `after_s`: look at those due after this time only."""
    lock = keys.scheduler_lock(queue)
    holder = yield from ask(command("GET", lock))
    if holder is None:
        (taken,) = yield (command("SET", lock, daemon, "NX", "EX", SCHEDULER_LOCK_S),)
        if not taken:
            return NOTHING
    elif holder.decode() == daemon:
        yield (command("EXPIRE", lock, SCHEDULER_LOCK_S),)
    else:
        return NOTHING
    begin = "-inf" if after_s is None else f"({after_s!r}"
    found = yield from ask(
        script(
            PROMOTE,
            (keys.registry("scheduled", queue), keys.queue(queue), keys.QUEUES),
            (fence, queue, PROMOTE_BATCH, retries, begin),
        )
    )
    return Promoted(found[0], found[1], float(found[2]) if found[2] else None)
