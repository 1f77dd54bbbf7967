"""Ordering keys that would stand still: their active message is gone, was ended elsewhere, or is tried again for too
long; and shedding, which takes the whole remainder of a key."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import DRIVER, age, census, commit, done, end, mail, put, take, waiting

from queuectl.model import Admission, MailMessage, OrderBlock, Policy, QueueState, Refill, SetShed, Switch, Tier
from queuectl.settings import Settings
from queuectl.store import admission, assist, automatic, keys, ordering, repair
from queuectl.store.claims import Claim, End
from queuectl.store.client import Store
from queuectl.store.reader import Reader


def picture(store: Store) -> QueueState:
    state = store.run(Reader(Settings()).fleet()).queue("a")
    assert state is not None
    return state


def sweep(store: Store) -> int:
    """Once around all keys; how many could go on."""
    cursor, released = store.run(ordering.sweep("a", ordering.START, fence=""))
    while cursor != ordering.START:
        cursor, more = store.run(ordering.sweep("a", cursor, fence=""))
        released += more
    return released


def next_one(store: Store) -> Claim:
    (claim,) = take(store, "a", 9)
    return claim


class TestSweep:
    def test_a_deleted_message_lets_the_next_go(self, store: Store, redis: Redis) -> None:
        first, second = put(store, "a", 2, ordering_key="k")
        redis.delete(keys.job(first))
        redis.lrem(keys.queue("a"), 1, first)
        assert sweep(store) == 1
        assert next_one(store).job_id == second
        assert sweep(store) == 0

    @pytest.mark.parametrize("met_by", ["claim", "repair", "promotion"])
    def test_whoever_meets_it_and_whatever_is_packed(self, store: Store, redis: Redis, met_by: str) -> None:
        first, second = put(store, "a", 2, ordering_key="k")
        redis.hset(keys.tier_totals("overflow", "a"), "jobs", 7)
        if met_by != "claim":
            claim = next_one(store)
        if met_by == "promotion":
            end(store, [claim], End.RETRY, delay_s=0, attempts=1)
        redis.delete(keys.job(first))
        assert sweep(store) == 0
        if met_by == "claim":
            assert take(store, "a", 9) == []
        elif met_by == "repair":
            redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
            store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
        else:
            redis.zadd(keys.registry("scheduled", "a"), {first: 1})
            store.run(repair.promote_scheduled("", "a", DRIVER))
        assert sweep(store) == 1
        assert next_one(store).job_id == second

    def test_a_packed_message_still_holds_its_key(self, store: Store, redis: Redis) -> None:
        (first, _) = put(store, "a", 2, ordering_key="k")
        redis.hset(keys.tier_totals("overflow", "a"), "jobs", 1)
        redis.delete(keys.job(first))
        redis.lrem(keys.queue("a"), 1, first)
        assert sweep(store) == 0
        assert redis.hget(keys.order("a"), "k") == first.encode()

    @pytest.mark.parametrize("status", ["finished", "failed", "canceled", "stopped"])
    def test_a_message_ended_elsewhere_lets_the_next_go(self, store: Store, redis: Redis, status: str) -> None:
        first, second = put(store, "a", 2, ordering_key="k")
        redis.hset(keys.job(first), "status", status)
        redis.lrem(keys.queue("a"), 1, first)
        assert sweep(store) == 1
        assert next_one(store).job_id == second

    @pytest.mark.parametrize("status", ["queued", "started", "scheduled", "deferred"])
    def test_a_living_message_holds_its_key(self, store: Store, redis: Redis, status: str) -> None:
        (first, _) = put(store, "a", 2, ordering_key="k")
        redis.hset(keys.job(first), "status", status)
        assert sweep(store) == 0
        assert picture(store).blocked_keys == (status == "scheduled")

    def test_many_keys_are_looked_through_in_pieces(self, store: Store, redis: Redis) -> None:
        messages = [mail(index, ordering_key=str(index // 2)) for index in range(2000)]
        ids = [verdict.job_id for verdict in store.run(admission.admit("a", messages))]
        redis.delete(keys.queue("a"), *(keys.job(job_id) for job_id in ids[::2]))
        cursor, released = store.run(ordering.sweep("a", ordering.START, fence=""))
        assert cursor != ordering.START
        assert 0 < released < 1000
        assert released + sweep(store) == 1000
        assert set(waiting(redis, "a")) == set(ids[1::2])

    def test_a_thousand_deleted_behind_one_take_two_rounds(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 1102, ordering_key="k")
        redis.delete(keys.queue("a"), *(keys.job(job_id) for job_id in ids[:-1]))
        assert [sweep(store) for _ in range(3)] == [1, 1, 0]
        assert next_one(store).job_id == ids[-1]


class TestBlocking:
    """A head that is tried again, and two that wait behind it."""

    @pytest.fixture
    def ids(self, store: Store) -> list[str]:
        return put(store, "a", 3, ordering_key="k")

    def try_again(self, store: Store) -> Claim:
        claim = next_one(store)
        assert end(store, [claim], End.RETRY, delay_s=9e5, attempts=1) == 0
        return claim

    def end_blocking(self, store: Store, how: OrderBlock, after_s: float = 0.0) -> int:
        policy = Policy(on_order_block=how, order_block_s=after_s)
        return store.run(ordering.end_blocking(QueueState("a", policy), fence=""))

    def promote(self, store: Store, redis: Redis, job_id: str) -> None:
        redis.zadd(keys.registry("scheduled", "a"), {job_id: 1})
        store.run(repair.promote_scheduled("", "a", DRIVER))

    def test_it_blocks_for_a_while(self, store: Store, ids: list[str]) -> None:
        self.try_again(store)
        assert self.end_blocking(store, OrderBlock.SKIP, after_s=900) == 0
        assert take(store, "a", 9) == []
        assert picture(store).blocked_keys == 1
        assert picture(store).blocked_s is not None

    def test_keep_goes_on_blocking(self, store: Store, ids: list[str]) -> None:
        self.try_again(store)
        assert self.end_blocking(store, OrderBlock.KEEP) == 0
        assert take(store, "a", 9) == []

    def test_superseded_it_is_gone_and_counted(self, store: Store, redis: Redis, ids: list[str]) -> None:
        self.try_again(store)
        assert self.end_blocking(store, OrderBlock.SUPERSEDE) == 1
        assert not redis.exists(keys.job(ids[0]))
        assert next_one(store).job_id == ids[1]
        state = picture(store)
        assert (state.ledger.superseded, state.ledger.residue, state.scheduled, state.blocked_keys) == (1, 0, 0, 0)
        (_, entry), *_ = redis.xrevrange(keys.AUDIT, count=1)
        assert (entry[b"action"], entry[b"after"]) == (b"order", b"1 superseded")

    def test_superseded_while_it_waits_it_is_dropped_when_its_turn_comes(
        self, store: Store, redis: Redis, ids: list[str]
    ) -> None:
        self.try_again(store)
        self.promote(store, redis, ids[0])
        assert self.end_blocking(store, OrderBlock.SUPERSEDE) == 1
        assert picture(store).ledger.residue == 0
        assert next_one(store).job_id == ids[1]
        assert not redis.exists(keys.job(ids[0]))
        assert (picture(store).ledger.superseded, picture(store).ledger.residue) == (1, 0)

    def test_skipped_it_goes_on_outside_its_key(self, store: Store, redis: Redis, ids: list[str]) -> None:
        self.try_again(store)
        assert self.end_blocking(store, OrderBlock.SKIP) == 1
        second = next_one(store)
        assert second.job_id == ids[1]
        self.promote(store, redis, ids[0])
        skipped = next_one(store)
        assert (skipped.job_id, skipped.ordering_key) == (ids[0], "")
        end(store, [skipped], End.DELIVERED)
        assert take(store, "a", 9) == []
        end(store, [second], End.DELIVERED)
        assert next_one(store).job_id == ids[2]

    def test_one_in_flight_is_left_alone_for_now(self, store: Store, redis: Redis, ids: list[str]) -> None:
        self.try_again(store)
        self.promote(store, redis, ids[0])
        claim = next_one(store)
        assert self.end_blocking(store, OrderBlock.SUPERSEDE) == 0
        end(store, [claim], End.DELIVERED)
        assert next_one(store).job_id == ids[1]
        assert not redis.exists(keys.blocked("a"))

    def test_where_nobody_waits_nothing_is_given_up(self, store: Store, redis: Redis) -> None:
        (only,) = put(store, "a", 1, ordering_key="k")
        self.try_again(store)
        assert not redis.exists(keys.blocked("a"))
        put(store, "a", 1, ordering_key="k")
        assert sweep(store) == 0
        assert picture(store).blocked_keys == 1
        held = redis.lpop(keys.order_held("a", "k"))
        redis.zrem(keys.registry("deferred", "a"), held)
        assert self.end_blocking(store, OrderBlock.SUPERSEDE) == 0
        assert redis.exists(keys.job(only))
        assert not redis.exists(keys.blocked("a"))

    def test_a_hot_key_blocks_only_itself(self, store: Store, ids: list[str]) -> None:
        others = put(store, "a", 3)
        claimed = take(store, "a", 9)
        assert [claim.job_id for claim in claimed] == [ids[0], *others]
        end(store, claimed[:1], End.RETRY, delay_s=9e5, attempts=1)
        assert next_one_of(store, "other") is not None


def next_one_of(store: Store, key: str) -> Claim:
    (job_id,) = put(store, "a", 1, ordering_key=key)
    claim = next_one(store)
    assert claim.job_id == job_id
    return claim


class TestSuffixByAge:
    def test_a_stale_head_takes_along_all_that_is_held_behind_it(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 4, ordering_key="k")
        others = put(store, "a", 2)
        age(redis, ids[:1], 9e5)
        commit(store, SetShed("a", Switch.ON))
        assert [claim.job_id for claim in take(store, "a", 9)] == others
        state = picture(store)
        assert (state.draining, state.deferred, state.ledger.residue) == (4, 0, 0)
        assert not redis.exists(keys.order("a"))
        assert store.run(assist.shed(state, fence="", sweep=True)) == 4
        assert picture(store).shed_stored == 4
        later = next_one_of(store, "k")
        assert later.job_id not in ids

    def test_what_was_cut_stays_shed_when_shedding_ends(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 3, ordering_key="k")
        age(redis, ids[:1], 9e5)
        commit(store, SetShed("a", Switch.ON))
        assert take(store, "a", 9) == []
        commit(store, SetShed("a", Switch.OFF))
        store.run(assist.shed(picture(store), fence="", sweep=True))
        assert (picture(store).shed_stored, picture(store).draining) == (3, 0)

    def test_a_fresh_head_goes_first(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 3, ordering_key="k")
        age(redis, ids[1:], 9e5)
        commit(store, SetShed("a", Switch.ON))
        end(store, [next_one(store)], End.DELIVERED)
        assert take(store, "a", 9) == []
        assert census(redis, ["a"]).at("staging a") == ids[1:]

    def test_a_key_with_more_behind_it_than_one_call_may_touch_is_spared(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 502, ordering_key="k")
        age(redis, ids, 9e5)
        commit(store, SetShed("a", Switch.ON))
        end(store, [next_one(store)], End.DELIVERED)
        assert take(store, "a", 9) == []
        assert redis.hgetall(keys.staged("a")) == {b"order": b"501"}

    def test_several_keys_are_cut_over_several_calls(self, store: Store, redis: Redis) -> None:
        messages = [mail(index, ordering_key=f"k{index // 400}") for index in range(1600)]
        ids = [verdict.job_id for verdict in store.run(admission.admit("a", messages))]
        age(redis, ids, 9e5)
        commit(store, SetShed("a", Switch.ON))
        assert [len(take(store, "a", 50)) for _ in range(4)] == [0] * 4
        assert census(redis, ["a"]).at("staging a") == ids
        assert picture(store).ledger.residue == 0


class TestSuffixByCurve:
    def admit(self, store: Store, *messages: MailMessage) -> list[Admission]:
        return [verdict.admission for verdict in store.run(admission.admit("a", messages))]

    @pytest.fixture
    def pressed(self, store: Store, redis: Redis) -> None:
        """The curve meets priorities below 50."""
        redis.hset(keys.policy("a"), "shed", "auto")
        redis.hset(keys.control("a"), "shed_auto", "on")
        store.run(automatic.remember("{}", [automatic.Limit("a", 50.0)], fence=""))

    def rest(self, store: Store) -> None:
        store.run(automatic.remember("{}", [automatic.Limit("a")], fence=""))

    def test_what_follows_a_shed_message_is_shed_too(self, store: Store, pressed: None) -> None:
        low, high = mail(1, ordering_key="k", priority=10), mail(2, ordering_key="k", priority=90)
        assert self.admit(store, high, low, high, mail(3, priority=90)) == [
            Admission.ACCEPTED, Admission.SHED, Admission.SHED, Admission.ACCEPTED,
        ]  # fmt: skip

    def test_until_the_key_has_drained_and_the_curve_rests(self, store: Store, redis: Redis, pressed: None) -> None:
        low, high = mail(1, ordering_key="k", priority=10), mail(2, ordering_key="k", priority=90)
        self.admit(store, high, low)
        self.rest(store)
        assert self.admit(store, high) == [Admission.SHED]
        end(store, [next_one(store)], End.DELIVERED)
        assert self.admit(store, high, high) == [Admission.ACCEPTED, Admission.HELD]
        assert not redis.exists(keys.cut("a"))

    def test_other_keys_are_left_alone(self, store: Store, pressed: None) -> None:
        low, high = mail(1, ordering_key="k", priority=10), mail(2, ordering_key="other", priority=90)
        assert self.admit(store, low, high) == [Admission.SHED, Admission.ACCEPTED]


def test_a_replay_brings_a_key_back_in_order_and_is_not_shed_again(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 5, ordering_key="k")
    age(redis, ids[:1], 9e5)
    commit(store, SetShed("a", Switch.ON))
    take(store, "a", 9)
    state = picture(store)
    store.run(assist.shed(state, fence="", sweep=False))
    later = put(store, "a", 1, ordering_key="k")
    assert waiting(redis, "a") == later
    done(store, Refill("a", Tier.SHED))
    delivered = []
    while claimed := take(store, "a", 9):
        (claim,) = claimed
        end(store, [claim], End.DELIVERED)
        delivered.append(claim.job_id)
    assert delivered == [*later, *ids]
    assert picture(store).ledger.residue == 0
