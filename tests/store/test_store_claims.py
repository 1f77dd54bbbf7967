"""Claims and how they end: what is written, what is counted, and what is never written again."""

from __future__ import annotations

import pytest
from redis import Redis
from rq import Queue
from rq.executions import Execution
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from store_world import SETTINGS, age, census, commit, done, end, everything, put, take, waiting

from queuectl.model import RetryFailed, SetPause, SetShed, Switch
from queuectl.store import claims, foreign, keys, repair
from queuectl.store.claims import End, Finish
from queuectl.store.client import Store
from queuectl.store.reader import Reader

WORKER = {"hostname": "h", "pid": 1, "queuectl": "0"}


def ledger(redis: Redis, queue: str = "a") -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall(keys.ledger(queue)).items()}


def residue(store: Store) -> int:
    state = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert state is not None
    return state.ledger.residue


def test_a_claim_leaves_what_rq_looks_for(store: Store, redis: Redis) -> None:
    put(store, "a", 2)
    store.run(claims.register("w1", ["a"], WORKER))
    (claim,) = take(store, "a", 1)
    job = Job.fetch(claim.job_id, connection=redis, serializer=JSONSerializer)
    assert (job.get_status().value, job.worker_name) == ("started", "w1")
    assert StartedJobRegistry("a", connection=redis).get_job_ids() == [claim.job_id]
    execution = Execution.fetch(claim.execution_id, claim.job_id, connection=redis)
    assert (execution.job_id, execution.id) == (claim.job_id, claim.execution_id)
    assert redis.hget(keys.worker("w1"), "state") == b"busy"
    assert redis.smembers(keys.worker_executions("w1")) == {claim.member.encode()}


def test_suspension_and_pause_stop_claims(store: Store, redis: Redis) -> None:
    put(store, "a", 2)
    redis.set(keys.SUSPENDED, 1)
    reply = store.run(claims.claim("w1", [("a", 5)], 5, lease_s=60))
    assert (reply.jobs, reply.suspended) == ((), True)
    redis.delete(keys.SUSPENDED)
    commit(store, SetPause("a", Switch.ON))
    assert take(store, "a", 5) == []


def test_queues_are_claimed_in_order_up_to_their_limits(store: Store) -> None:
    put(store, "a", 5)
    put(store, "b", 5)
    jobs = store.run(claims.claim("w1", [("b", 2), ("a", 9), ("b", 9)], 8, lease_s=60)).jobs
    assert [job.queue for job in jobs] == ["b", "b", *["a"] * 5, "b"]
    assert len({job.execution_id for job in jobs}) == 8


def test_stale_mail_is_shed_at_the_claim_by_its_own_age(store: Store, redis: Redis) -> None:
    old = put(store, "a", 2)
    patient, impatient, fresh = put(store, "a", 1, max_age_s=9e4), put(store, "a", 1, max_age_s=60), put(store, "a", 1)
    age(redis, [*old, *patient], 7200)
    age(redis, impatient, 90)
    assert len(take(store, "a", 1)) == 1
    commit(store, SetShed("a", Switch.ON))
    assert [claim.job_id for claim in take(store, "a", 9)] == [*patient, *fresh]
    assert census(redis, ["a"]).at("staging a") == [old[1], *impatient]
    assert residue(store) == 0


def test_waits_are_those_of_first_attempts(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 3)
    age(redis, ids, 100)
    taken = take(store, "a", 3)
    (bucket, number), *others = redis.hgetall(keys.waits("a")).items()
    assert (number, others) == (b"3", [])
    assert 0.001 * 1.5 ** (int(bucket) - 1) < 100 < 0.001 * 1.5 ** int(bucket) * 1.02
    end(store, taken, End.RETRY, delay_s=0, attempts=1)
    for job_id in ids:
        redis.zadd(keys.registry("scheduled", "a"), {job_id: 1})
    store.run(repair.promote_scheduled("", "a", "d"))
    assert [claim.attempts for claim in take(store, "a", 3)] == [1, 1, 1]
    assert redis.hgetall(keys.waits("a")) == {bucket: b"3"}


def test_stock_jobs_are_adopted_once(store: Store, redis: Redis) -> None:
    Queue("a", connection=redis).enqueue("os.stat", "/")
    for _ in range(2):
        (claim,) = take(store, "a", 1)
        assert claim.foreign
        end(store, [claim], End.BACK)
    assert ledger(redis)["adopted"] == 1


ENDS = {
    End.DELIVERED: {"accepted": 1, "claimed": 1, "delivered": 1},
    End.RETRY: {"accepted": 1, "claimed": 1, "retried": 1},
    End.FAILED: {"accepted": 1, "claimed": 1, "failed": 1},
    End.BACK: {"accepted": 1, "claimed": 1, "handed_back": 1},
    End.HELD: {"accepted": 1, "claimed": 1, "handed_back": 1},
}


@pytest.mark.parametrize("how", End)
def test_each_end_is_counted_and_leaves_no_trace_of_the_execution(store: Store, redis: Redis, how: End) -> None:
    put(store, "a", 1)
    (claim,) = take(store, "a", 1)
    assert end(store, [claim], how, error="no", reason="refused", attempts=2) == 0
    assert ledger(redis) == ENDS[how]
    assert residue(store) == 0
    assert not redis.exists(
        keys.registry("wip", "a"), keys.worker_executions("w1"), f"rq:execution:{claim.member}",
        f"rq:executions:{claim.job_id}",
    )  # fmt: skip
    assert redis.exists(keys.job(claim.job_id)) == (how is not End.DELIVERED)


def test_delivered_mail_can_be_kept(store: Store, redis: Redis) -> None:
    put(store, "a", 1)
    (claim,) = take(store, "a", 1)
    store.run(claims.finish("w1", [Finish(claim, End.DELIVERED)], busy_s=1, keep_delivered_s=600))
    assert redis.hget(keys.job(claim.job_id), "status") == b"finished"
    assert 590 < redis.ttl(keys.job(claim.job_id)) <= 600
    assert redis.zcard(keys.registry("finished", "a")) == 1
    assert residue(store) == 0


class TestDeletedByAnotherTool:
    """A record that is gone while its job is in hand stays gone: half a record is worse than none."""

    @pytest.mark.parametrize("how", End)
    @pytest.mark.parametrize("keep_s", [0, 600])
    def test_no_end_writes_it_again(self, store: Store, redis: Redis, how: End, keep_s: int) -> None:
        first, second = put(store, "a", 2, ordering_key="k")
        (claim,) = take(store, "a", 1)
        redis.delete(keys.job(first))
        finish = Finish(claim, how, attempts=1)
        lost = store.run(claims.finish("w1", [finish], busy_s=1, keep_delivered_s=keep_s))
        assert lost == 0
        assert not redis.exists(keys.job(first))
        assert census(redis, ["a"]).places == {second: ["queue a"]}
        assert ledger(redis)["delivered" if how is End.DELIVERED else "vanished"] == 1
        assert residue(store) == 0

    def test_a_heartbeat_does_not(self, store: Store, redis: Redis) -> None:
        put(store, "a", 1)
        (claim,) = take(store, "a", 1)
        redis.delete(keys.job(claim.job_id), f"rq:execution:{claim.member}")
        store.run(claims.heartbeat("w1", "busy", 1, [claim], lease_s=60))
        assert not redis.exists(keys.job(claim.job_id), f"rq:execution:{claim.member}")

    def test_repair_does_not(self, store: Store, redis: Redis) -> None:
        put(store, "a", 2)
        gone, other = take(store, "a", 2)
        redis.delete(keys.job(gone.job_id))
        redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
        (repaired,) = store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
        assert repaired.requeued == 1
        assert waiting(redis, "a") == [other.job_id]
        assert not redis.exists(keys.job(gone.job_id), keys.registry("wip", "a"))
        assert ledger(redis)["vanished"] == 1
        assert residue(store) == 0

    def test_promotion_does_not(self, store: Store, redis: Redis) -> None:
        put(store, "a", 1)
        (claim,) = take(store, "a", 1)
        end(store, [claim], End.RETRY, delay_s=0, attempts=1)
        redis.zadd(keys.registry("scheduled", "a"), {claim.job_id: 1})
        redis.delete(keys.job(claim.job_id))
        assert store.run(repair.promote_scheduled("", "a", "d")).jobs == 0
        assert not redis.exists(keys.job(claim.job_id), keys.queue("a"), keys.registry("scheduled", "a"))
        assert residue(store) == 0

    def test_nor_does_a_claim_count_it(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 3)
        redis.delete(keys.job(ids[0]))
        assert [claim.job_id for claim in take(store, "a", 2)] == ids[1:]
        assert not redis.exists(keys.job(ids[0]))
        assert residue(store) == 0

    def test_what_stock_rq_deletes_is_told_as_missing(self, store: Store, redis: Redis) -> None:
        """Nobody counted it: the residue says how many are missing, and nothing comes back."""
        put(store, "a", 1)
        (claim,) = take(store, "a", 1)
        Job.fetch(claim.job_id, connection=redis, serializer=JSONSerializer).delete()
        end(store, [claim], End.RETRY, attempts=1)
        assert census(redis, ["a"]).records == set()


@pytest.mark.parametrize("how", End)
def test_who_lost_the_lease_changes_nothing(store: Store, redis: Redis, how: End) -> None:
    put(store, "a", 1)
    store.run(claims.register("w1", ["a"], WORKER))
    (first,) = take(store, "a", 1)
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
    (second,) = take(store, "a", 1, "w2")
    assert second.job_id == first.job_id
    before = everything(redis)
    assert end(store, [first], how, attempts=1, error="no") == 1
    changed = {key for key, value in everything(redis).items() if before.get(key) != value}
    assert changed == {keys.ledger("a").encode()}
    beat = store.run(claims.heartbeat("w1", "busy", 1, [first], lease_s=60))
    assert beat.lost == {first.member}
    assert end(store, [second], End.DELIVERED, "w2") == 0


def test_a_worker_taken_for_dead_that_claims_and_then_dies_is_repaired(store: Store, redis: Redis) -> None:
    """It woke up, claimed, and died before it registered again."""
    ids = put(store, "a", 2)
    store.run(claims.register("w1", ["a"], WORKER))
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
    assert not redis.exists(keys.worker("w1"))
    take(store, "a", 2)
    assert not redis.exists(keys.worker("w1"))
    (repaired,) = store.run(repair.repair_workers("", dead_after_s=-60, max_losses=3))
    assert (repaired.worker, repaired.requeued) == ("w1", 2)
    assert waiting(redis, "a") == ids


def test_repair_forgets_the_worker_and_spares_the_living(store: Store, redis: Redis) -> None:
    put(store, "a", 4)
    for name in ("w1", "w2"):
        store.run(claims.register(name, ["a", "b"], WORKER))
        take(store, "a", 2, name)
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    (repaired,) = store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
    assert (repaired.worker, repaired.requeued, repaired.poisoned) == ("w1", 2, 0)
    assert redis.smembers(keys.WORKERS) == {keys.worker("w2").encode()}
    assert redis.smembers(keys.queue_workers("b")) == {keys.worker("w2").encode()}
    assert redis.zcard(keys.registry("wip", "a")) == 2
    assert store.run(repair.repair_workers("", dead_after_s=30, max_losses=3)) == ()


def test_repair_leaves_the_executions_of_others(store: Store, redis: Redis) -> None:
    """rq failed the job on its own, it was retried, and somebody else has it now."""
    put(store, "a", 1)
    (old,) = take(store, "a", 1)
    redis.zrem(keys.registry("wip", "a"), old.member)
    redis.rpush(keys.queue("a"), old.job_id)
    (new,) = take(store, "a", 1, "w2")
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
    assert redis.zrange(f"rq:executions:{new.job_id}", 0, -1) == [new.execution_id.encode()]
    assert end(store, [new], End.DELIVERED, "w2") == 0


def test_poison_is_failed_with_a_result_rq_shows(store: Store, redis: Redis) -> None:
    put(store, "a", 1)
    for losses in range(3):
        (claim,) = take(store, "a", 1)
        assert claim.losses == losses
        redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
        store.run(repair.repair_workers("", dead_after_s=30, max_losses=3))
    job = Job.fetch(claim.job_id, connection=redis, serializer=JSONSerializer)
    assert job.get_status().value == "failed"
    assert "died 3 times" in str(job.latest_result().exc_string)
    assert residue(store) == 0
    done(store, RetryFailed("a"))
    assert [claim.losses for claim in take(store, "a", 1)] == [0]


def test_a_stock_scheduler_keeps_its_queue(store: Store, redis: Redis) -> None:
    put(store, "a", 1)
    end(store, take(store, "a", 1), End.RETRY, delay_s=0, attempts=1)
    redis.zadd(keys.registry("scheduled", "a"), {redis.zrange(keys.registry("scheduled", "a"), 0, 0)[0]: 1})
    redis.set(keys.scheduler_lock("a"), "4711")
    assert store.run(repair.promote_scheduled("", "a", "queuectl")).jobs == 0
    redis.delete(keys.scheduler_lock("a"))
    assert store.run(repair.promote_scheduled("", "a", "queuectl")).jobs == 1
    assert store.run(repair.promote_scheduled("", "a", "queuectl")).jobs == 0


def test_a_message_settled_by_a_stock_worker_lets_the_next_go(store: Store, redis: Redis) -> None:
    first, second = put(store, "a", 2, ordering_key="k")
    redis.lpop(keys.queue("a"))
    store.run(foreign.settle("a", first, delivered=True, ordering_key="k"))
    assert waiting(redis, "a") == [second]
    redis.lpop(keys.queue("a"))
    redis.delete(keys.job(second))
    store.run(foreign.settle("a", second, delivered=False, ordering_key="k", reason="refused"))
    assert not redis.exists(keys.job(second), keys.order("a"))
    assert ledger(redis)["delivered"] == 1


def test_leaving_cleanly_leaves_nothing(store: Store, redis: Redis) -> None:
    store.run(claims.register("w1", ["a", "b"], WORKER))
    beat = store.run(claims.heartbeat("w1", "idle", 0, [], lease_s=60))
    assert (beat.suspended, beat.lost) == (False, frozenset())
    store.run(claims.unregister("w1", ["a", "b"]))
    assert 0 < redis.ttl(keys.worker("w1")) <= 60
    assert set(redis.scan_iter()) == {keys.worker("w1").encode()}
