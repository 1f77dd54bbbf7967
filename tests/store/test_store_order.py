"""First in, first out, through every detour; and ordering keys, whatever happens to their messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from store_world import DRIVER, age, carry_on, commit, cut_off, done, end, put, take, waiting

from queuectl.model import (
    DeleteFailed,
    Direction,
    Drain,
    Refill,
    RetryFailed,
    SetDirection,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
)
from queuectl.policy.direction import oldest_among
from queuectl.policy.thresholds import DirectionThresholds
from queuectl.settings import Settings
from queuectl.store import assist, claims, keys, operations, repair
from queuectl.store.claims import Claim, End
from queuectl.store.client import Store
from queuectl.store.providers import Intake
from queuectl.store.reader import Reader

HOUR_S = 3600.0


def kill(store: Store, redis: Redis, worker: str, max_losses: int = 3) -> None:
    """The worker's heartbeat stopped long ago, and the daemon noticed."""
    redis.zadd(keys.WORKER_HEARTBEATS, {worker: 1})
    store.run(repair.repair_workers("", dead_after_s=30, max_losses=max_losses))


@pytest.mark.parametrize("back", [Refill("a"), Undo(1)])
def test_drained_from_the_tail_and_back(store: Store, redis: Redis, back: Refill | Undo) -> None:
    ids = put(store, "a", 2750)
    done(store, Drain("a", Target.OVERFLOW, limit=2500))
    assert waiting(redis, "a") == ids[:250]
    done(store, back)
    assert waiting(redis, "a") == ids


def test_several_small_drains_from_one_batch_and_back(store: Store, redis: Redis) -> None:
    """All were admitted in the same microsecond: their age does not tell the segments' order."""
    ids = put(store, "a", 60)
    for _ in range(6):
        done(store, Drain("a", Target.OVERFLOW, limit=10))
    done(store, Refill("a"))
    assert waiting(redis, "a") == ids


@pytest.mark.parametrize("target", [Target.OVERFLOW, Target.SHED])
def test_undo_does_not_go_by_age(store: Store, redis: Redis, target: Target) -> None:
    """What was refilled lies at the tail, older than what stands before it."""
    ids = put(store, "a", 2100)
    age(redis, ids[1050:], HOUR_S)
    done(store, Drain("a", target))
    assert waiting(redis, "a") == []
    done(store, Undo(1))
    assert waiting(redis, "a") == ids


@pytest.mark.parametrize("target", [Target.OVERFLOW, Target.SHED])
def test_an_undone_drain_of_the_old_head(store: Store, redis: Redis, target: Target) -> None:
    ids = put(store, "a", 2500)
    age(redis, ids[:2200], 2 * HOUR_S)
    done(store, Drain("a", target, older_than_s=HOUR_S))
    assert waiting(redis, "a") == ids[2200:]
    done(store, Undo(1))
    assert waiting(redis, "a") == ids


def test_an_undone_drain_in_lifo_which_leaves_the_newest(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 2300)
    done(store, SetDirection("a", Direction.LIFO))
    drained = done(store, Drain("a", Target.OVERFLOW, limit=2000))
    assert waiting(redis, "a") == ids[2000:]
    done(store, Undo(drained.number))
    assert waiting(redis, "a") == ids


@pytest.mark.parametrize("older_than_s", [None, HOUR_S])
@pytest.mark.parametrize("round_trips", range(1, 14))
def test_an_undo_of_a_drain_that_died_half_way(
    store: Store, redis: Redis, round_trips: int, older_than_s: float | None
) -> None:
    """Wherever its driver died, and although nothing may have been packed when the undo was asked for."""
    ids = put(store, "a", 30)
    age(redis, ids[:20], 2 * HOUR_S)
    drain = commit(store, Drain("a", Target.OVERFLOW, older_than_s=older_than_s))
    undo = commit(store, Undo(drain.number)) if round_trips % 2 else None
    store.run(cut_off(operations.drive(drain.operation, driver=DRIVER), round_trips))
    carry_on(store, undo or commit(store, Undo(drain.number)))
    assert waiting(redis, "a") == ids
    assert store.run(operations.running()) == ()


def test_an_undone_move_leaves_the_others_where_they_were(store: Store, redis: Redis) -> None:
    ids, others = put(store, "a", 1200), put(store, "b", 1500)
    drain = done(store, Drain("a", Target.QUEUE, "b", limit=700))
    later = put(store, "b", 3)
    assert waiting(redis, "b") == others + ids[500:] + later
    done(store, Undo(drain.number))
    assert waiting(redis, "a") == ids
    assert waiting(redis, "b") == others + later


def test_an_undone_move_finds_what_moved_after_the_undo_was_asked_for(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 30)
    drain = commit(store, Drain("a", Target.QUEUE, "b"))
    undo = commit(store, Undo(drain.number))
    store.run(operations.drive(drain.operation, driver=DRIVER))
    assert waiting(redis, "b") == ids
    carry_on(store, undo)
    assert waiting(redis, "a") == ids


def test_lifo_takes_the_tail_and_goes_back_at_once(store: Store) -> None:
    ids = put(store, "a", 10)
    done(store, SetDirection("a", Direction.LIFO))
    assert [claim.job_id for claim in take(store, "a", 3)] == ids[:-4:-1]
    done(store, SetDirection("a", Direction.FIFO))
    assert [claim.job_id for claim in take(store, "a", 2)] == ids[:2]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("by", ["hand", "repair"])
def test_what_comes_back_is_claimed_next_in_the_same_order(
    store: Store, redis: Redis, direction: Direction, by: str
) -> None:
    put(store, "a", 12)
    done(store, SetDirection("a", direction))
    first = [*take(store, "a", 3), *take(store, "a", 2)]
    if by == "hand":
        end(store, first, End.BACK)
    else:
        kill(store, redis, "w1")
    ids = waiting(redis, "a")
    next_ones = ids[:5] if direction is Direction.FIFO else ids[:-6:-1]
    assert next_ones == [claim.job_id for claim in first]


class TestOldestShare:
    """Newest first leaves one claim in five to the oldest, whatever the size of the claims."""

    def lifo(self, store: Store, number: int) -> list[str]:
        ids = put(store, "a", number)
        done(store, SetDirection("a", Direction.LIFO))
        return ids

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12))
    def test_as_the_policy_says(self, store: Store, redis: Redis, sizes: list[int]) -> None:
        redis.flushall()
        ids = deque(self.lifo(store, sum(sizes) + 1))
        owed = 0.0
        for size in sizes:
            oldest, owed = oldest_among(size, owed, DirectionThresholds().oldest_share)
            expected = [ids.popleft() for _ in range(oldest)] + [ids.pop() for _ in range(size - oldest)]
            assert [claim.job_id for claim in take(store, "a", size)] == expected

    def test_one_at_a_time_over_claims_of_several_workers(self, store: Store) -> None:
        ids = self.lifo(store, 40)
        taken = [take(store, "a", 1, f"w{turn % 3}")[0].job_id for turn in range(30)]
        assert taken[4::5] == ids[:6]
        assert [job_id for turn, job_id in enumerate(taken) if turn % 5 != 4] == ids[:-25:-1]

    def test_a_claim_of_more_than_waits_owes_nothing(self, store: Store) -> None:
        self.lifo(store, 7)
        assert len(take(store, "a", 200)) == 7
        ids = put(store, "a", 10)
        assert [claim.job_id for claim in take(store, "a", 4)] == [ids[0], *ids[:-4:-1]]

    def test_what_is_stale_or_gone_at_the_head_is_no_claim(self, store: Store, redis: Redis) -> None:
        ids = self.lifo(store, 30)
        done(store, SetShed("a", Switch.ON))
        age(redis, ids[:4], 9e5)
        redis.delete(keys.job(ids[4]))
        assert {claim.job_id for claim in take(store, "a", 10)} == {*ids[5:7], *ids[-8:]}

    def test_tokens_bound_both_ends_together(self, store: Store) -> None:
        ids = self.lifo(store, 30)
        intakes = {"a": Intake(own_most=6)}
        jobs = store.run(claims.claim("w1", [("a", 20)], 20, lease_s=60, intakes=intakes)).jobs
        assert [job.job_id for job in jobs] == [ids[0], *ids[:-6:-1]]


@pytest.mark.parametrize("direction", Direction)
def test_many_are_handed_back_in_order(store: Store, redis: Redis, direction: Direction) -> None:
    """More than one batch of them."""
    ids = put(store, "a", 1000)
    taken = take(store, "a", 1000)
    done(store, SetDirection("a", direction))
    assert end(store, taken, End.BACK) == 0
    assert waiting(redis, "a") == (ids if direction is Direction.FIFO else ids[::-1])


def test_what_shedding_had_staged_goes_back_to_the_head_when_it_ends(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 10)
    age(redis, ids[:4], 5 * HOUR_S)
    shed = done(store, SetShed("a", Switch.ON))
    assert [claim.job_id for claim in take(store, "a", 2)] == ids[4:6]
    done(store, Undo(shed.number))
    state = store.run(Reader(Settings()).fleet()).queue("a")
    assert state is not None
    assert store.run(assist.shed(state, fence="", sweep=True)) == 0
    assert waiting(redis, "a") == ids[:4] + ids[6:]
    assert redis.hlen(keys.staged("a")) == 0


class Sequence:
    """Messages of one ordering key among others; what is claimed of them must follow their order, one at a time."""

    def __init__(self, store: Store, redis: Redis, direction: Direction) -> None:
        self.store, self.redis = store, redis
        done(store, SetDirection("a", direction))
        self.ids = put(store, "a", 5, ordering_key="order 7")
        self.others = set(put(store, "a", 3))

    def next(self) -> Claim:
        """All that can be claimed now: exactly one of the sequence. The others are handed back."""
        claimed = take(self.store, "a", 20)
        end(self.store, [claim for claim in claimed if claim.job_id in self.others], End.BACK)
        (mine,) = [claim for claim in claimed if claim.job_id not in self.others]
        assert mine.ordering_key == "order 7"
        return mine


@pytest.fixture(params=Direction)
def sequence(request: pytest.FixtureRequest, store: Store, redis: Redis) -> Sequence:
    return Sequence(store, redis, request.param)


def test_one_at_a_time(sequence: Sequence, store: Store, redis: Redis) -> None:
    for job_id in sequence.ids:
        claim = sequence.next()
        assert claim.job_id == job_id
        assert not [other for other in take(store, "a", 20, "w2") if other.job_id in sequence.ids]
        kill(store, redis, "w2")
        end(store, [claim], End.DELIVERED)
    assert redis.hlen(keys.order("a")) == 0
    assert not redis.exists(keys.order_held("a", "order 7"))


def retry(sequence: Sequence, claim: Claim) -> None:
    end(sequence.store, [claim], End.RETRY, delay_s=500, attempts=1)
    assert not [other for other in take(sequence.store, "a", 20, "w2") if other.job_id in sequence.ids]
    kill(sequence.store, sequence.redis, "w2")
    sequence.redis.zadd(keys.registry("scheduled", "a"), {claim.job_id: 1})
    assert sequence.store.run(repair.promote_scheduled("", "a", DRIVER)).jobs == 1


def hand_back(sequence: Sequence, claim: Claim) -> None:
    end(sequence.store, [claim], End.BACK)


def die(sequence: Sequence, claim: Claim) -> None:
    kill(sequence.store, sequence.redis, "w1")


def drain_and_refill(sequence: Sequence, claim: Claim) -> None:
    hand_back(sequence, claim)
    done(sequence.store, Drain("a", Target.OVERFLOW))
    assert take(sequence.store, "a", 20, "w2") == []
    done(sequence.store, Refill("a"))


def drain_to_shed_leaves_it(sequence: Sequence, claim: Claim) -> None:
    hand_back(sequence, claim)
    done(sequence.store, Drain("a", Target.SHED))
    assert waiting(sequence.redis, "a") == [claim.job_id]
    done(sequence.store, Refill("a", Tier.SHED))


def move_leaves_it(sequence: Sequence, claim: Claim) -> None:
    hand_back(sequence, claim)
    moved = done(sequence.store, Drain("a", Target.QUEUE, "b"))
    assert waiting(sequence.redis, "a") == [claim.job_id]
    done(sequence.store, Undo(moved.number))


@pytest.mark.parametrize("detour", [retry, hand_back, die, drain_and_refill, drain_to_shed_leaves_it, move_leaves_it])
def test_a_detour_keeps_the_sequence(sequence: Sequence, detour: Callable[[Sequence, Claim], None]) -> None:
    delivered = []
    for index in range(5):
        claim = sequence.next()
        if index in (0, 2):
            detour(sequence, claim)
            again = sequence.next()
            assert again.job_id == claim.job_id
            claim = again
        end(sequence.store, [claim], End.DELIVERED)
        delivered.append(claim.job_id)
    assert delivered == sequence.ids


def test_a_failure_lets_the_next_go_and_a_retry_of_it_waits_its_turn(sequence: Sequence, store: Store) -> None:
    end(store, [sequence.next()], End.FAILED, error="refused")
    second = sequence.next()
    assert second.job_id == sequence.ids[1]
    done(store, RetryFailed("a"))
    end(store, [second], End.DELIVERED)
    rest = []
    for _ in range(4):
        claim = sequence.next()
        end(store, [claim], End.DELIVERED)
        rest.append(claim.job_id)
    assert rest == [*sequence.ids[2:], sequence.ids[0]]


def test_poison_lets_the_next_go(sequence: Sequence, store: Store, redis: Redis) -> None:
    sequence.next()
    kill(store, redis, "w1", max_losses=1)
    assert sequence.next().job_id == sequence.ids[1]


def test_a_job_that_rq_failed_lets_the_next_go_when_it_is_retried_or_deleted(
    sequence: Sequence, store: Store, redis: Redis
) -> None:
    """rq's own clean-up knows nothing of ordering keys: the failed job is still the active one."""
    claim = sequence.next()
    redis.zrem(keys.registry("wip", "a"), claim.member)
    redis.zadd(keys.registry("failed", "a"), {claim.job_id: 9e9})
    done(store, RetryFailed("a"))
    again = sequence.next()
    assert again.job_id == claim.job_id
    redis.zrem(keys.registry("wip", "a"), again.member)
    redis.zadd(keys.registry("failed", "a"), {claim.job_id: 9e9})
    done(store, DeleteFailed("a"))
    assert sequence.next().job_id == sequence.ids[1]


def test_a_held_message_that_another_tool_deleted_is_passed_over(
    sequence: Sequence, store: Store, redis: Redis
) -> None:
    redis.delete(keys.job(sequence.ids[1]), keys.job(sequence.ids[2]))
    end(store, [sequence.next()], End.DELIVERED)
    assert sequence.next().job_id == sequence.ids[3]
    assert not redis.exists(keys.job(sequence.ids[1]))
    assert redis.hget(keys.ledger("a"), "vanished") == b"2"


class TestRotation:
    """LIFO for stock workers, which pop the head."""

    def rotate(self, store: Store) -> int:
        state = store.run(Reader(Settings()).fleet()).queue("a")
        assert state is not None
        return store.run(assist.rotate(state, fence=""))

    def test_the_newest_come_to_the_head_newest_first(self, store: Store, redis: Redis) -> None:
        old = put(store, "a", 5)
        assert self.rotate(store) == 5
        assert waiting(redis, "a") == old[::-1]
        assert self.rotate(store) == 0
        new = put(store, "a", 3)
        assert self.rotate(store) == 3
        assert waiting(redis, "a") == [*new[::-1], old[0], *old[:0:-1]]
        assert self.rotate(store) == 0

    def test_a_deep_queue_keeps_its_old_part(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 1500)
        age(redis, ids[:200], HOUR_S)
        assert self.rotate(store) == 800
        now = waiting(redis, "a")
        assert now[4:1000:5] == ids[:200]
        assert [job_id for place, job_id in enumerate(now[:1000]) if place % 5 != 4] == ids[:699:-1]
        assert now[1000:] == ids[200:700]
        assert self.rotate(store) == 0

    def test_one_in_five_that_reach_the_head_has_waited_long(self, store: Store, redis: Redis) -> None:
        old = put(store, "a", 40)
        age(redis, old, HOUR_S)
        self.rotate(store)
        taken = []
        for _ in range(10):
            put(store, "a", 4)
            self.rotate(store)
            taken += redis.lpop(keys.queue("a"), 5)
        assert [raw.decode() for raw in taken if raw.decode() in old] == old[:10]

    def test_a_drain_of_the_settled_tail_leaves_the_rest_settled(self, store: Store, redis: Redis) -> None:
        old = put(store, "a", 10)
        self.rotate(store)
        done(store, Drain("a", Target.OVERFLOW, limit=3))
        assert waiting(redis, "a") == old[:2:-1]
        assert self.rotate(store) == 0

    def test_more_arrivals_than_one_call_takes_all_come_before_the_old(self, store: Store, redis: Redis) -> None:
        put(store, "a", 1100)
        self.rotate(store)
        before = waiting(redis, "a")
        new = put(store, "a", 2500)
        assert [self.rotate(store) for _ in range(5)] == [800, 800, 800, 100, 0]
        now = waiting(redis, "a")
        assert set(now[:2525]) > set(new)
        assert now[2525:] == before[:-25]

    def test_arrivals_while_the_old_part_is_worked_off(self, store: Store, redis: Redis) -> None:
        put(store, "a", 5)
        self.rotate(store)
        redis.delete(keys.queue("a"))
        new = put(store, "a", 4)
        assert self.rotate(store) == 4
        assert waiting(redis, "a") == new[::-1]
