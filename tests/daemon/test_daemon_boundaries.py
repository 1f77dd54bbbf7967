"""A process that is killed after any call it makes to the server, and the leader that tidies up after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemon_runs import Leader
from redis import Redis

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from store_world import DRIVER, OPERATOR, SETTINGS, age, census, commit, done, end, mail, put, take

from queuectl.model import (
    Action,
    DeleteFailed,
    Drain,
    Outcome,
    Policy,
    QueueState,
    Refill,
    RetryFailed,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
)
from queuectl.store import admission, assist, claims, keys, operations, ordering, repair
from queuectl.store.claims import Claim, End, Finish
from queuectl.store.client import Call, Steps, Store
from queuectl.store.connect import open_async_store
from queuectl.store.gate import Gate
from queuectl.store.reader import Reader

QUEUES = ("a", "b")
MOST_CALLS = 200
MOST_TICKS = 12


def killed_after(steps: Steps[Any], calls: int) -> Iterator[tuple[Call, ...]]:
    """`steps` until so many calls have reached the server, also in the middle of a round trip."""
    replies = None
    while calls > 0:
        try:
            wanted = steps.send(replies)
        except StopIteration:
            return
        replies = yield wanted[:calls]
        calls -= len(wanted)
    steps.close()


def drive(outcome: Outcome) -> Steps[None]:
    while (operation := (yield from operations.drive(outcome.operation, driver=DRIVER))) and not operation.finished:
        pass


def act(action: Action) -> Steps[None]:
    """An operator's whole action, gate and all."""
    gate = Gate(SETTINGS, OPERATOR)
    preview = yield from gate.preview(action)
    outcome = yield from gate.commit(preview, typed=preview.confirm_word)
    if outcome.operation:
        yield from drive(outcome)


def drained(target: Target, **options: Any) -> Callable[[Store, Redis], Steps[Any]]:
    def scene(store: Store, redis: Redis) -> Steps[Any]:
        age(redis, put(store, "a", 6)[:4], 7200)
        put(store, "a", 2, ordering_key="k")
        return act(Drain("a", target, "b" if target is Target.QUEUE else "", **options))

    return scene


def brought_back(target: Target, back: Action) -> Callable[[Store, Redis], Steps[Any]]:
    def scene(store: Store, redis: Redis) -> Steps[Any]:
        put(store, "a", 6)
        put(store, "a", 2, ordering_key="k")
        done(store, Drain("a", target, "b" if target is Target.QUEUE else ""))
        return act(back)

    return scene


def shed_by_age(store: Store, redis: Redis) -> Steps[Any]:
    age(redis, [*put(store, "a", 4), *put(store, "a", 3, ordering_key="k")], 9e5)
    commit(store, SetShed("a", Switch.ON))
    take(store, "a", 3)
    state = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert state is not None
    return assist.shed(state, fence="", sweep=True)


def claimed(store: Store, number: int = 12) -> list[Claim]:
    """Some of them with an ordering key; their worker is found dead by whoever looks."""
    put(store, "a", number)
    put(store, "a", 2, ordering_key="k")
    return take(store, "a", number + 1)


def finished(store: Store, _: Redis) -> Steps[Any]:
    every = [*End] * 4
    ended = [Finish(claim, every[index], delay_s=900, attempts=1) for index, claim in enumerate(claimed(store))]
    return claims.finish("w1", ended, busy_s=1, keep_delivered_s=0)


def repaired(store: Store, redis: Redis) -> Steps[Any]:
    claimed(store)
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    return repair.repair_workers("", dead_after_s=30, max_losses=3)


def admitted(store: Store, _: Redis) -> Steps[Any]:
    messages = [mail(index, ordering_key="k" if index % 3 else "") for index in range(12)]
    return admission.admit("a", messages)


def failed(action: Action) -> Callable[[Store, Redis], Steps[Any]]:
    def scene(store: Store, redis: Redis) -> Steps[Any]:
        end(store, claimed(store), End.FAILED)
        return act(action)

    return scene


def impatient(store: Store, redis: Redis) -> Steps[Any]:
    end(store, claimed(store), End.RETRY, delay_s=900, attempts=1)
    return ordering.end_blocking(QueueState("a", Policy(order_block_s=0.0)), fence="")


SCENES: dict[str, Callable[[Store, Redis], Steps[Any]]] = {
    "drain to overflow": drained(Target.OVERFLOW),
    "drain to shed": drained(Target.SHED),
    "move": drained(Target.QUEUE),
    "refill": brought_back(Target.OVERFLOW, Refill("a")),
    "replay": brought_back(Target.SHED, Refill("a", Tier.SHED)),
    "undo of a drain": brought_back(Target.OVERFLOW, Undo(1)),
    "undo of a move": brought_back(Target.QUEUE, Undo(1)),
    "shedding": shed_by_age,
    "finish": finished,
    "repair": repaired,
    "admission": admitted,
    "retry of the failed": failed(RetryFailed("a")),
    "deletion of the failed": failed(DeleteFailed("a")),
    "end of blocking": impatient,
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one call for a handful of messages."""
    monkeypatch.setattr(claims, "FINISH_BATCH", 4)
    monkeypatch.setattr(admission, "BATCH", 5)


@pytest.mark.parametrize("scene", SCENES)
async def test_each_is_in_one_place_wherever_a_process_was_killed(scene: str, redis: Redis, redis_url: str) -> None:
    store = Store(redis)
    for calls in range(1, MOST_CALLS):
        redis.flushall()
        whole = Counted(SCENES[scene](store, redis))
        store.run(killed_after(whole.steps(), calls))
        await tidy_up(redis, redis_url)
        all_is_accounted_for(store, redis)
        if whole.over:
            break
    assert whole.over
    assert calls > 2


class Counted:
    """Steps that tell whether they came to their end."""

    def __init__(self, steps: Steps[Any]) -> None:
        self._steps = steps
        self.over = False

    def steps(self) -> Steps[None]:
        yield from self._steps
        self.over = True


async def tidy_up(redis: Redis, url: str) -> None:
    """The locks and heartbeats of whoever was killed have expired, and another daemon leads."""
    redis.delete(*redis.keys(keys.operation_driver("*")), keys.LEASE)
    if redis.exists(keys.WORKER_HEARTBEATS):
        redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1}, xx=True)
    store = await open_async_store(url)
    leader = await Leader.elected(store, SETTINGS)
    try:
        for _ in range(MOST_TICKS):
            await leader.tick()
            busy = [queue for queue in (await leader.picture()).queues if queue.draining + queue.in_flight]
            if not busy and not redis.exists(keys.OPERATIONS):
                return
        pytest.fail(f"the leader leaves something half done: {redis.smembers(keys.OPERATIONS)}, {busy}")
    finally:
        await leader.duties.leave()
        await store.close()


def all_is_accounted_for(store: Store, redis: Redis) -> None:
    now = census(redis, QUEUES)
    assert [places for places in now.places.values() if len(places) > 1] == []
    assert now.records == set(now.places) - now.packed
    for queue in store.run(Reader(SETTINGS).fleet()).queues:
        assert queue.ledger.residue == 0
    for queue in QUEUES:
        for job_id in redis.hvals(keys.order(queue)):
            assert now.places[job_id.decode()][0].split()[0] not in ("deferred", "failed")
