"""What drains, refills and the failed registry's actions take, leave, and give back."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import (
    DRIVER,
    OPERATOR,
    POOLED,
    carry_on,
    commit,
    done,
    end,
    everything,
    hold_clock,
    mail,
    put,
    take,
    waiting,
)

from queuectl.model import DeleteFailed, Drain, Refill, RetryFailed, Target, UsageError
from queuectl.store import admission, keys, operations, tiers
from queuectl.store.claims import End
from queuectl.store.client import Store
from queuectl.store.gate import Gate


def test_stop_leaves_unknown_operations_and_finished_ones_alone(world: Store, redis: Redis) -> None:
    finished = done(world, Drain("a", Target.OVERFLOW), settings=POOLED)
    before = everything(redis)
    gate = Gate(POOLED, OPERATOR)
    with pytest.raises(UsageError, match="no operation 'nothing'"):
        world.run(gate.stop_operation("nothing"))
    assert "nothing to do" in world.run(gate.stop_operation(finished.operation)).done
    assert everything(redis) == before


def test_a_stopped_drain_gives_back_what_it_had_staged(world: Store, redis: Redis) -> None:
    before = redis.lrange(keys.queue("a"), 0, -1)
    drain = commit(world, Drain("a", Target.OVERFLOW), settings=POOLED)
    op_id = drain.operation
    world.run(tiers.stage("a", op_id, fence="", end="tail", most=3, cutoff_s=None, shedding=False))
    world.run(Gate(POOLED, OPERATOR).stop_operation(op_id))
    operation = world.run(operations.drive(op_id, driver="d"))
    assert operation is not None
    assert (operation.finished, operation.note) == (True, "stopped")
    assert redis.lrange(keys.queue("a"), 0, -1) == before
    assert redis.hlen(keys.staged("a")) == 0


def test_failed_jobs_go_back_or_away_by_name(store: Store, redis: Redis) -> None:
    put(store, "a", 4)
    claims = take(store, "a", 4)
    end(store, claims, End.FAILED, attempts=3, error="no", reason="refused")
    first, second, *rest = [claim.job_id for claim in claims]
    assert "1 failed messages of a are queued again" in commit(store, RetryFailed("a", (first,))).done
    record = redis.hgetall(keys.job(first))
    assert (record[b"status"], record[b"number_of_retries"]) == (b"queued", b"0")
    assert "1 failed messages of a are deleted" in commit(store, DeleteFailed("a", (second, first))).done
    assert not redis.exists(keys.job(second), keys.results(second))
    assert redis.exists(keys.job(first))
    assert sorted(redis.zrange(keys.registry("failed", "a"), 0, -1)) == sorted(job_id.encode() for job_id in rest)


def test_a_failed_job_whose_record_is_gone_is_counted_not_requeued(store: Store, redis: Redis) -> None:
    put(store, "a", 1)
    end(store, claims := take(store, "a", 1), End.FAILED)
    redis.delete(keys.job(claims[0].job_id))
    commit(store, RetryFailed("a"))
    assert not redis.exists(keys.job(claims[0].job_id), keys.queue("a"), keys.registry("failed", "a"))
    assert redis.hget(keys.ledger("a"), "vanished") == b"1"


def test_own_max_age_protects_from_sweeps_not_from_operators(store: Store, redis: Redis) -> None:
    store.run(admission.admit("a", [mail(number, max_age_s=90000) for number in range(5)]))
    done(store, Drain("a", Target.SHED))
    assert redis.llen(keys.queue("a")) == 0


def test_ordered_messages_stay_and_the_operation_says_so(store: Store, redis: Redis) -> None:
    for number in range(3):
        put(store, "a", 1, ordering_key=f"k{number}")
    put(store, "a", 2)
    drain = commit(store, Drain("a", Target.SHED))
    while not (operation := store.run(operations.drive(drain.operation, driver="d"))).finished:  # type: ignore[union-attr]
        pass
    assert redis.llen(keys.queue("a")) == 3
    assert operation is not None
    assert (operation.done, operation.note) == (2, "3 with an ordering key stay in the queue")


def test_a_paced_refill_brings_what_its_rate_allows(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 1500)
    done(store, Drain("a", Target.OVERFLOW))
    refill = commit(store, Refill("a", rate_per_s=20, limit=900))
    hold_clock(redis, refill)
    steps = [store.run(operations.drive(refill.operation, driver=DRIVER)) for _ in range(2)]
    assert [(step.done, step.note, step.idle) for step in steps if step] == [(20, "", False), (20, "at 20/s", True)]
    assert waiting(redis, "a") == ids[:20]
    redis.hset(keys.operation(refill.operation), "pace_from_s", 0)
    carry_on(store, refill)
    assert waiting(redis, "a") == ids[:900]


def test_one_driver_at_a_time(store: Store) -> None:
    put(store, "a", 5)
    drain = commit(store, Drain("a", Target.OVERFLOW))
    assert store.run(operations.drive("unknown", driver="d")) is None
    store.run(operations.drive(drain.operation, driver="first"))
    assert store.run(operations.drive(drain.operation, driver="second")) is None
    running = store.run(operations.running())
    assert [(operation.op_id, operation.done) for operation in running] == [(drain.operation, 5)]
