"""What was shed comes back: all of it or a part, no faster than it can be delivered, once, and not to be shed again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from redis import Redis
from store_world import DRIVER, SETTINGS, age, commit, done, hold_clock, put, take, waiting

from queuectl.model import Drain, Operation, QueueState, Refill, SetShed, Switch, Target, Tier, Undo, UsageError
from queuectl.policy.rates import Rates
from queuectl.store import assist, keys, operations
from queuectl.store.client import Store
from queuectl.store.reader import Reader
from queuectl.store.segment_ids import SegmentId


def picture(store: Store) -> QueueState:
    state = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert state
    return state


def shed_stale(store: Store, redis: Redis, number: int) -> list[str]:
    """So many messages shed for their age, with shedding on."""
    ids = put(store, "a", number)
    age(redis, ids, 9e5)
    commit(store, SetShed("a", Switch.ON))
    store.run(assist.shed(picture(store), fence="", sweep=True))
    return ids


def back_in_time(redis: Redis, tier: Tier, seconds: float) -> None:
    """Let everything in a tier have been packed so long ago."""
    for raw in redis.zrange(keys.tier_index(tier, "a"), 0, -1):
        old = SegmentId.parse(raw.decode())
        new = str(SegmentId(old.cause, old.end, old.packed_at_us - int(seconds * 1e6), old.jobs, old.reason, old.nonce))
        for index, before, after in (
            (keys.tier_index(tier, "a"), raw.decode(), new),
            (keys.tier_causes(tier, "a"), f"{old.cause:010d}.{raw.decode()}", f"{old.cause:010d}.{new}"),
        ):
            redis.zadd(index, {after: redis.zscore(index, before)})
            redis.zrem(index, before)
        redis.hset(keys.tier(tier, "a"), new, redis.hget(keys.tier(tier, "a"), raw))
        redis.hdel(keys.tier(tier, "a"), raw)


def replay(store: Store, **options: object) -> Operation:
    outcome = done(store, Refill("a", Tier.SHED, **options))
    ended = store.run(operations.read(outcome.operation))
    assert ended
    return ended


@pytest.fixture
def shed(store: Store, redis: Redis) -> dict[str, Sequence[str]]:
    """Two hours ago four were shed by hand, and just now three for their age and two by hand."""
    old = put(store, "a", 4)
    done(store, Drain("a", Target.SHED))
    back_in_time(redis, Tier.SHED, 7200)
    stale = shed_stale(store, redis, 3)
    commit(store, SetShed("a", None))
    late = put(store, "a", 2)
    done(store, Drain("a", Target.SHED))
    return {"old": old, "stale": stale, "late": late}


@pytest.mark.parametrize(
    ("options", "back"),
    [
        ({}, ["stale", "old", "late"]),
        ({"since_s": 3600.0}, ["stale", "late"]),
        ({"reason": "operator"}, ["old", "late"]),
        ({"reason": "max-age"}, ["stale"]),
        ({"reason": "Max Age"}, ["stale"]),
        ({"since_s": 3600.0, "reason": "operator"}, ["late"]),
    ],
)
def test_time_and_reason_choose(
    store: Store, redis: Redis, shed: dict[str, Sequence[str]], options: dict[str, object], back: list[str]
) -> None:
    wanted = [job_id for part in back for job_id in shed[part]]
    outcome = done(store, Refill("a", Tier.SHED, **options))
    assert f"with {len(wanted)} messages" in outcome.done
    assert waiting(redis, "a") == wanted
    assert picture(store).shed_stored == 9 - len(wanted)


def test_what_matches_behind_much_that_does_not_is_found(store: Store, redis: Redis) -> None:
    """The look goes on page by page."""
    put(store, "a", 1)
    done(store, Drain("a", Target.SHED))
    others = {str(SegmentId.new(1, "head", number, 1, "other")): number for number in range(1, 1300)}
    redis.zadd(keys.tier_index("shed", "a"), others)
    assert replay(store, reason="operator").done == 1
    assert redis.zcard(keys.tier_index("shed", "a")) == len(others)


def test_a_reason_that_nothing_was_shed_for_is_told(store: Store, shed: dict[str, Sequence[str]]) -> None:
    with pytest.raises(UsageError, match="for 'pressure', but: max-age, operator"):
        commit(store, Refill("a", Tier.SHED, reason="pressure"))
    with pytest.raises(UsageError, match="longer than nothing"):
        commit(store, Refill("a", Tier.SHED, since_s=0))


def test_counts_by_reason(store: Store, shed: dict[str, Sequence[str]]) -> None:
    assert picture(store).shed_reasons == (("operator", 6), ("max-age", 3))
    replay(store, reason="operator")
    assert picture(store).shed_reasons == (("max-age", 3),)
    replay(store)
    assert picture(store).shed_reasons == ()


def test_it_is_not_shed_again(store: Store, redis: Redis) -> None:
    """Neither by the sweep nor by a claim, though shedding is still on and the messages are as old as before."""
    ids = shed_stale(store, redis, 3)
    replay(store)
    store.run(assist.shed(picture(store), fence="", sweep=True))
    assert waiting(redis, "a") == ids
    assert [claim.job_id for claim in take(store, "a", 5)] == ids


def test_an_operator_may_shed_it_again(store: Store, redis: Redis) -> None:
    shed_stale(store, redis, 3)
    replay(store)
    done(store, Drain("a", Target.SHED))
    assert (waiting(redis, "a"), picture(store).shed_stored) == ([], 3)


def test_ids_that_exist_again_are_skipped_and_counted(store: Store, redis: Redis) -> None:
    ids = shed_stale(store, redis, 5)
    for job_id in ids[1:3]:
        redis.hset(keys.job(job_id), mapping={"data": b"newer", "origin": "a"})
    ended = replay(store)
    assert (ended.done, ended.skipped, ended.note) == (3, 2, "2 exist again already")
    assert redis.hget(keys.job(ids[1]), "data") == b"newer"


def test_without_a_rate_it_takes_what_is_to_spare(store: Store, redis: Redis) -> None:
    shed_stale(store, redis, 1000)
    redis.set(keys.LATEST, json.dumps({"a": asdict(Rates(in_per_s=60.0, service_per_s=100.0))}))
    outcome = commit(store, Refill("a", Tier.SHED))
    assert outcome.done.endswith("from shed at 30/s")
    hold_clock(redis, outcome)
    first, second = (store.run(operations.drive(outcome.operation, driver=DRIVER)) for _ in range(2))
    assert first
    assert second
    assert (first.done, first.idle, second.idle) == (30, False, True)
    assert len(waiting(redis, "a")) == 30


def test_undo_of_a_shed_replays_at_that_rate_too(store: Store, redis: Redis) -> None:
    shed_stale(store, redis, 1000)
    undo = commit(store, Undo(1))
    hold_clock(redis, undo)
    operation = store.run(operations.drive(undo.operation, driver=DRIVER))
    assert operation
    assert (operation.rate_per_s, operation.done) == (50, 50), "nobody has measured a rate here"


def test_shed_messages_with_an_ordering_key_wait_for_their_turn(store: Store, redis: Redis) -> None:
    """A replayed message may not run beside a newer one of its key."""
    old = put(store, "a", 2, ordering_key="k")
    age(redis, old, 9e5)
    commit(store, SetShed("a", Switch.ON))
    take(store, "a", 5)
    store.run(assist.shed(picture(store), fence="", sweep=False))
    assert picture(store).shed_stored == 2
    (newer,) = put(store, "a", 1, ordering_key="k")
    replay(store)
    assert waiting(redis, "a") == [newer]
    assert [raw.decode() for raw in redis.lrange(keys.order_held("a", "k"), 0, -1)] == old
    assert picture(store).ledger.residue == 0
