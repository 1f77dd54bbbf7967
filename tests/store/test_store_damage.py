"""A segment that cannot be read: set aside, kept, counted, told; what is behind it comes back."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import SETTINGS, census, commit, done, put, waiting

from queuectl.model import Drain, LedgerState, Operation, QueueState, Refill, Target, Tier, Undo
from queuectl.policy.diagnosis import diagnose
from queuectl.policy.findings import Severity
from queuectl.store import audit, damage, keys, operations, packed_jobs, restoring, segments
from queuectl.store.client import Call, Store
from queuectl.store.reader import Reader
from queuectl.store.segment_ids import SegmentId

each_tier = pytest.mark.parametrize("tier", Tier)


def drain_in_segments(store: Store, queue: str, tier: Tier, sizes: list[int]) -> list[list[str]]:
    """One drained segment a size; the ids of each, oldest first."""
    parts = []
    for size in sizes:
        parts.append(put(store, queue, size))
        done(store, Drain(queue, Target(tier.value)))
    return parts


def damage_one(redis: Redis, tier: Tier, place: int) -> str:
    """Cut a segment's blob; its id."""
    segment_id = redis.zrange(keys.tier_index(tier, "a"), place, place)[0].decode()
    blob = redis.hget(keys.tier(tier, "a"), segment_id)
    redis.hset(keys.tier(tier, "a"), segment_id, blob[:-3])
    return segment_id


def refill_all(store: Store, action: Refill) -> Operation:
    outcome = commit(store, action)
    while (operation := store.run(operations.drive(outcome.operation, driver="d"))) and not operation.finished:
        pass
    assert operation
    return operation


def picture(store: Store) -> QueueState:
    state = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert state
    return state


@each_tier
def test_a_refill_goes_on_behind_it(store: Store, redis: Redis, tier: Tier) -> None:
    first, _, third = drain_in_segments(store, "a", tier, [3, 5, 4])
    segment_id = damage_one(redis, tier, 1)
    operation = refill_all(store, Refill("a", tier))
    assert (operation.done, operation.damaged, operation.note) == (7, 1, "1 damaged segment set aside")
    assert waiting(redis, "a") == [*first, *third]
    assert redis.hkeys(keys.tier(tier, "a")) == [segment_id.encode()], "what cannot be read is kept for a human"
    note, *_ = store.run(audit.recent(1))
    assert (note.action, note.scope, note.after) == ("damage", "a", f"5 in {tier} set aside")
    assert segment_id in note.reason
    assert "not a packed segment" in note.reason


@each_tier
def test_it_stays_in_the_books_and_in_sight(store: Store, redis: Redis, tier: Tier) -> None:
    drain_in_segments(store, "a", tier, [5, 4])
    damage_one(redis, tier, 0)
    refill_all(store, Refill("a", tier))
    state = picture(store)
    assert (state.overflow + state.shed_stored, state.overflow_damaged + state.shed_damaged) == (5, 5)
    assert (state.ledger.state, state.ledger.residue) == (LedgerState.BALANCED, 0)
    findings = diagnose(store.run(Reader(SETTINGS).fleet()))
    assert any(found.severity is Severity.BAD and "5 in damaged segments" in found.text for found in findings)
    nothing = commit(store, Refill("a", tier))
    assert nothing.number == 0, "there is nothing that could come back"
    assert redis.hlen(keys.tier_damaged(tier, "a")) == 1


@each_tier
def test_an_undo_goes_on_behind_it_too(store: Store, redis: Redis, tier: Tier) -> None:
    ids = put(store, "a", 2500)
    drain = done(store, Drain("a", Target(tier.value)))
    damage_one(redis, tier, 1)
    done(store, Undo(drain.number))
    missing = set(ids) - set(waiting(redis, "a"))
    assert len(missing) in (500, 1000)
    assert waiting(redis, "a") == [job_id for job_id in ids if job_id not in missing]


@each_tier
def test_it_comes_back_once_it_can_be_read(store: Store, redis: Redis, tier: Tier) -> None:
    parts = drain_in_segments(store, "a", tier, [3, 4])
    blob = redis.hget(keys.tier(tier, "a"), redis.zrange(keys.tier_index(tier, "a"), 0, 0)[0])
    segment_id = damage_one(redis, tier, 0)
    refill_all(store, Refill("a", tier))
    redis.hset(keys.tier(tier, "a"), segment_id, blob)
    put(store, "a", 1)
    done(store, Drain("a", Target(tier.value), limit=1))
    refill_all(store, Refill("a", tier))
    assert set(parts[0]) < set(waiting(redis, "a"))
    state = picture(store)
    assert (state.overflow_damaged + state.shed_damaged, state.ledger.residue) == (0, 0)
    assert not redis.exists(keys.tier(tier, "a"), keys.tier_index(tier, "a"), keys.tier_causes(tier, "a"))


def test_setting_aside_twice_is_once(store: Store, redis: Redis) -> None:
    drain_in_segments(store, "a", Tier.OVERFLOW, [4])
    segment_id = damage_one(redis, Tier.OVERFLOW, 0)
    for _ in range(2):
        store.run(damage.set_aside("a", Tier.OVERFLOW, segment_id, "test", fence=""))
    assert picture(store).overflow_damaged == 4
    assert [entry.action for entry in store.run(audit.recent(9))].count("damage") == 1
    assert store.run(damage.reconsider("a", Tier.OVERFLOW, fence="")) == 0


def test_a_look_into_the_tier_shows_what_is_left(store: Store, redis: Redis) -> None:
    _, second = drain_in_segments(store, "a", Tier.OVERFLOW, [2, 3])
    damage_one(redis, Tier.OVERFLOW, 0)
    refill_all(store, Refill("a", limit=1))
    assert [job.job_id for job in store.run(packed_jobs.page("a", Tier.OVERFLOW, 0, 9))] == second[1:]


class Weighing(Store):
    """Remembers the longest reply."""

    longest = 0

    def _execute(self, calls: tuple[Call, ...]) -> list[object]:
        replies = super()._execute(calls)
        self.longest = max([self.longest, *(len(reply) for reply in replies if isinstance(reply, list))])
        return replies


@pytest.mark.parametrize(
    "options", [{}, {"only_cause": 7}, {"only_cause": 7, "to_head": True}, {"which": segments.Selection(reason="b")}]
)
def test_a_step_never_reads_the_whole_index(redis: Redis, options: dict[str, object]) -> None:
    """Five thousand segments that are listed and not there: each step drops the next one, within a page."""
    ids = [str(SegmentId.new(7, "tail", 1000 + number, 1, "ab"[number % 2])) for number in range(5000)]
    redis.zadd(keys.tier_index("overflow", "a"), {segment_id: number for number, segment_id in enumerate(ids)})
    redis.zadd(keys.tier_causes("overflow", "a"), {f"{7:010d}.{segment_id}": 0 for segment_id in ids})
    store = Weighing(redis)
    for _ in range(20):
        store.run(restoring.restore_next("a", Tier.OVERFLOW, fence="", **options))
    assert 5000 - redis.zcard(keys.tier_index("overflow", "a")) == 20
    assert store.longest <= segments.PAGE


def test_a_partly_restored_segment_is_whole_in_every_other_way(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 1000)
    done(store, Drain("a", Target.OVERFLOW))
    store.run(restoring.restore_next("a", Tier.OVERFLOW, fence="", most=650))
    assert waiting(redis, "a") == ids[:650]
    state = picture(store)
    assert (state.overflow, state.ledger.residue) == (350, 0)
    assert state.overflow_bytes == sum(map(len, redis.hvals(keys.tier("overflow", "a"))))
    store.run(restoring.restore_next("a", Tier.OVERFLOW, fence="", to_head=True, most=100))
    assert waiting(redis, "a") == [*ids[900:], *ids[:650]]
    done(store, Refill("a"))
    assert sorted(census(redis, ("a",)).at("queue a")) == sorted(ids)
