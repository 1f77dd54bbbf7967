"""The shed store is kept for a time: what went is counted, what is younger, damaged or replayed is not touched."""

from __future__ import annotations

import pytest
from redis import Redis
from rq import Queue
from store_world import SETTINGS, commit, done, put

from queuectl.model import Drain, LedgerState, QueueState, Refill, Target, Tier
from queuectl.store import expiry, keys, operations, segments
from queuectl.store.client import LeaseLostError, Store
from queuectl.store.reader import Reader

LATER_S = 9e9


def shed(store: Store, number: int, limit: int | None = None) -> None:
    put(store, "a", number)
    done(store, Drain("a", Target.SHED, limit=limit))


def picture(store: Store) -> QueueState:
    queue = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert queue
    return queue


def packed_at_s(redis: Redis) -> list[float]:
    found = redis.hkeys(keys.tier("shed", "a"))
    return sorted(segments.SegmentId.parse(raw.decode()).packed_at_us / 1e6 for raw in found)


def expire_all(store: Store, before_s: float) -> int:
    jobs, cursor, more = 0, "", True
    while more:
        found = store.run(expiry.expire_next("a", before_s, cursor, fence=""))
        jobs, cursor, more = jobs + found.jobs, found.cursor, found.more
    return jobs


def test_what_is_old_goes_and_the_ledger_balances(store: Store, redis: Redis) -> None:
    shed(store, 1200)
    shed(store, 3)
    *_, youngest = packed_at_s(redis)
    assert expire_all(store, youngest) == 1200
    queue = picture(store)
    assert (queue.shed_stored, queue.ledger.expired, queue.ledger.residue) == (3, 1200, 0)
    assert queue.ledger.state is LedgerState.BALANCED
    assert sum(jobs for _, jobs in queue.shed_reasons) == 3
    assert expire_all(store, LATER_S) == 3
    left = {key for key in redis.keys(keys.tier("shed", "a") + "*") if redis.type(key) != b"hash"}
    assert (picture(store).shed_reasons, left) == ((), set())
    assert not redis.exists(keys.tier("shed", "a"))
    assert set(redis.hvals(keys.tier_totals("shed", "a"))) == {b"0"}


def test_what_is_young_stays(store: Store, redis: Redis) -> None:
    shed(store, 5)
    assert expire_all(store, packed_at_s(redis)[0]) == 0
    assert picture(store).shed_stored == 5


def test_jobs_that_nobody_counted_in_are_not_counted_out(store: Store, redis: Redis) -> None:
    stock = Queue("a", connection=redis)
    for _ in range(4):
        stock.enqueue("os.getcwd")
    shed(store, 2)
    assert expire_all(store, LATER_S) == 6
    assert picture(store).ledger.expired == 2
    assert redis.hget(keys.tier_totals("shed", "a"), "foreign") == b"0"


def test_a_replay_and_the_expiry_meet(store: Store, redis: Redis) -> None:
    """Each segment goes one way only, however their steps interleave; a replay ends when nothing is left."""
    shed(store, 2600)
    replay = commit(store, Refill("a", Tier.SHED)).operation
    first = store.run(operations.drive(replay, driver="d", fence=""))
    assert first and not first.finished
    gone = expire_all(store, LATER_S)
    rest = first
    while not rest.finished:
        driven = store.run(operations.drive(replay, driver="d", fence=""))
        assert driven
        rest = driven
    queue = picture(store)
    assert (queue.depth + gone, gone > 0, queue.shed_stored) == (2600, True, 0)
    assert (queue.ledger.expired, queue.ledger.residue) == (gone, 0)


def test_a_segment_that_a_replay_took_first_is_not_counted(store: Store, redis: Redis) -> None:
    shed(store, 3)
    steps = expiry.expire_next("a", LATER_S, "", fence="")
    calls = next(steps)
    while not any(call.script is expiry.EXPIRE for call in calls):
        calls = steps.send(store._execute(calls))
    done(store, Refill("a", Tier.SHED))
    with pytest.raises(StopIteration) as ended:
        steps.send(store._execute(calls))
    assert ended.value.value.jobs == 0
    assert (picture(store).depth, picture(store).ledger.expired, picture(store).ledger.residue) == (3, 0, 0)


def test_an_old_leader_expires_nothing(store: Store, redis: Redis) -> None:
    shed(store, 3)
    redis.set(keys.LEASE, "mx2:7|2")
    with pytest.raises(LeaseLostError):
        store.run(expiry.expire_next("a", LATER_S, "", fence="mx1:5|1"))
    assert picture(store).shed_stored == 3
