"""The picture: one round trip, the same cost at any depth, nothing written, and true."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from script_calls import Recorder, set_scene
from store_world import OPERATOR, SETTINGS, age, commit, done, end, everything, put, take

from queuectl.model import Drain, LedgerState, QueueState, Refill, Sample, Scale, Target
from queuectl.policy.history import sample_of
from queuectl.policy.rates import Rates
from queuectl.settings import Settings
from queuectl.store import claims, keys, lease, pools, series
from queuectl.store.claims import End
from queuectl.store.client import Store
from queuectl.store.reader import Reader

STOCK = {"serializer": JSONSerializer}


@pytest.fixture
def reader() -> Reader:
    return Reader(Settings(), "unix")


def queue_of(store: Store, reader: Reader, name: str = "a") -> QueueState:
    found = store.run(reader.fleet()).queue(name)
    assert found is not None
    return found


def test_a_picture_is_one_round_trip_once_names_are_known(store: Store, redis: Redis, reader: Reader) -> None:
    set_scene(store, redis)
    store.run(claims.register("w1", ["a"], {"hostname": "h", "pid": 1, "queuectl": "0"}))
    recorder = Recorder(redis)
    recorder.run(reader.fleet())
    for _ in range(3):
        recorder.round_trips.clear()
        recorder.run(reader.fleet())
        assert len(recorder.round_trips) == 1
    put(store, "new", 1)
    recorder.round_trips.clear()
    assert recorder.run(reader.fleet()).queue("new") is not None
    assert len(recorder.round_trips) == 2


def test_many_queues_are_still_one(store: Store, redis: Redis, reader: Reader) -> None:
    for number in range(45):
        put(store, f"q{number}", 1)
    recorder = Recorder(redis)
    recorder.run(reader.fleet())
    recorder.round_trips.clear()
    fleet = recorder.run(reader.fleet())
    assert len(fleet.queues) == 45
    assert len(recorder.round_trips) == 1
    assert len(recorder.scripts) == 3


def calls_of_a_picture(store: Store, redis: Redis, reader: Reader) -> dict[str, int]:
    """Commands that the server carries out for it, those inside scripts too."""
    store.run(reader.fleet())
    redis.config_resetstat()
    store.run(reader.fleet())
    return {name: found["calls"] for name, found in redis.info("commandstats").items() if "config" not in name}


def test_its_cost_does_not_depend_on_depth(store: Store, redis: Redis, reader: Reader) -> None:
    put(store, "a", 10)
    shallow = calls_of_a_picture(store, redis, reader)
    put(store, "a", 9990)
    assert queue_of(store, reader).depth == 10_000
    assert calls_of_a_picture(store, redis, reader) == shallow


def test_nor_on_how_many_retries_lie_before_the_first_attempt(store: Store, redis: Redis, reader: Reader) -> None:
    for job_id in put(store, "a", 20):
        redis.hset(keys.job(job_id), "number_of_retries", 1)
    few = calls_of_a_picture(store, redis, reader)
    for job_id in put(store, "a", 180):
        redis.hset(keys.job(job_id), "number_of_retries", 1)
    assert calls_of_a_picture(store, redis, reader) == few


def test_looking_writes_nothing(store: Store, redis: Redis, reader: Reader) -> None:
    set_scene(store, redis)
    Queue("stock", connection=redis).enqueue("os.stat", "/")
    redis.zadd(keys.registry("wip", "stock"), {"gone:1": 1})
    redis.zadd(keys.registry("finished", "stock"), {"gone": 1})
    before = everything(redis)
    for _ in range(20):
        store.run(reader.fleet())
        store.run(Reader(SETTINGS).fleet())
        store.run(series.history(600))
    assert everything(redis) == before


def test_an_empty_server(store: Store, redis: Redis, reader: Reader) -> None:
    fleet = store.run(reader.fleet())
    assert (fleet.queues, fleet.workers, fleet.pools, fleet.leader, fleet.managed) == ((), (), (), None, False)
    assert fleet.server.version
    assert fleet.server.memory_bytes > 0
    assert fleet.server.eviction == "noeviction"
    assert redis.dbsize() == 0


def test_configured_queues_and_their_policy_are_seen_before_anything_is_stored(store: Store) -> None:
    fleet = store.run(Reader(SETTINGS).fleet())
    assert [queue.name for queue in fleet.queues] == ["a", "b"]
    assert fleet.queues[0].policy.max_age_s == 3600


def test_counts_and_ages_of_every_place(store: Store, redis: Redis, reader: Reader) -> None:
    set_scene(store, redis)
    age(redis, [raw.decode() for raw in redis.lrange(keys.queue("a"), 0, 0)], 120)
    queue = queue_of(store, reader)
    assert (queue.depth, queue.in_flight, queue.scheduled, queue.failed, queue.overflow, queue.draining) == (
        5, 1, 1, 1, 2, 2)  # fmt: skip
    assert queue.oldest_s == pytest.approx(120, abs=5)
    assert queue.ledger.state is LedgerState.BALANCED
    assert queue.overflow_bytes > 0
    assert queue.backlog == 9


def test_the_oldest_first_attempt_counts_not_retries(store: Store, redis: Redis, reader: Reader) -> None:
    first, second = put(store, "a", 2)
    age(redis, [first], 1000)
    age(redis, [second], 10)
    redis.hset(keys.job(first), "number_of_retries", 2)
    assert queue_of(store, reader).oldest_s == pytest.approx(10, abs=5)
    assert queue_of(store, reader, "a").depth == 2


class TestLedger:
    """What was counted in is counted out, or living; else it says by how much not."""

    def test_missing_and_surplus_messages(self, store: Store, redis: Redis, reader: Reader) -> None:
        ids = put(store, "a", 3)
        redis.lpop(keys.queue("a"))
        ledger = queue_of(store, reader).ledger
        assert (ledger.state, ledger.residue) == (LedgerState.RESIDUE, 1)
        redis.rpush(keys.queue("a"), ids[0], ids[0])
        assert queue_of(store, reader).ledger.residue == -1

    def test_moved_messages_are_counted_in_both(self, store: Store, reader: Reader) -> None:
        put(store, "a", 3)
        put(store, "b", 1)
        done(store, Drain("a", Target.QUEUE, "b", limit=2))
        from_a, to_b = queue_of(store, reader, "a").ledger, queue_of(store, reader, "b").ledger
        assert (from_a.moved_out, to_b.moved_in) == (2, 2)
        assert {from_a.state, to_b.state} == {LedgerState.BALANCED}

    def test_stock_queues_are_unknown_or_partial(self, store: Store, redis: Redis, reader: Reader) -> None:
        stock = Queue("a", connection=redis, **STOCK)
        stock.enqueue("os.stat", "/")
        assert queue_of(store, reader).ledger.state is LedgerState.UNKNOWN
        end(store, take(store, "a", 1), End.BACK)
        assert queue_of(store, reader).ledger.state is LedgerState.PARTIAL

    def test_stock_jobs_beside_ours_are_no_surplus(self, store: Store, redis: Redis, reader: Reader) -> None:
        """Until a worker of ours claims them nobody has counted them in: wherever they are, nothing is alarmed."""
        stock = Queue("a", connection=redis, **STOCK)
        put(store, "a", 12)
        for _ in range(3):
            stock.enqueue("os.stat", "/")
        put(store, "a", 4)

        def books() -> tuple[LedgerState, int, int]:
            ledger = queue_of(store, reader).ledger
            return ledger.state, ledger.residue, ledger.uncounted

        assert books() == (LedgerState.PARTIAL, 0, 3)
        done(store, Drain("a", Target.OVERFLOW))
        assert books() == (LedgerState.PARTIAL, 0, 3)
        done(store, Refill("a"))
        assert books() == (LedgerState.PARTIAL, 0, 3)
        done(store, Drain("a", Target.QUEUE, "b", limit=6))
        assert books() == (LedgerState.PARTIAL, 0, 1), "what was moved was counted in on the way"
        assert queue_of(store, reader, "b").ledger.residue == 0
        end(store, take(store, "a", 99), End.DELIVERED)
        assert books() == (LedgerState.PARTIAL, 0, 0)

    def test_what_rq_has_popped_and_not_registered_is_living(self, store: Store, redis: Redis, reader: Reader) -> None:
        put(store, "a", 2)
        redis.lmove(keys.queue("a"), f"{keys.queue('a')}:intermediate", "LEFT", "RIGHT")
        assert queue_of(store, reader).ledger.residue == 0


class TestForeign:
    """Queues and workers that know nothing of queuectl."""

    def test_a_stock_producers_queue_is_assisted(self, store: Store, redis: Redis, reader: Reader) -> None:
        Queue("a", connection=redis, **STOCK).enqueue("os.stat", "/")
        put(store, "b", 1)
        assert queue_of(store, reader, "a").assisted
        assert not queue_of(store, reader, "b").assisted

    def test_a_stock_worker_makes_its_queues_assisted(self, store: Store, redis: Redis, reader: Reader) -> None:
        put(store, "a", 1)
        worker = SimpleWorker([Queue("a", connection=redis, **STOCK)], connection=redis, name="stock-1")
        worker.register_birth()
        queue = queue_of(store, reader)
        assert (queue.assisted, queue.stock_workers, queue.workers, queue.slots) == (True, 1, 1, 1)
        (seen,) = store.run(reader.fleet()).workers
        assert (seen.name, seen.stock, seen.ghost, seen.queues) == ("stock-1", True, False, ("a",))
        worker.register_death()
        assert not queue_of(store, reader).assisted

    @pytest.mark.parametrize(
        ("kind", "age_s", "ghost"), [("0", 20, False), ("0", 40, True), ("", 400, False), ("", 500, True)]
    )
    def test_a_worker_that_is_silent_too_long_is_a_ghost(
        self, store: Store, redis: Redis, reader: Reader, kind: str, age_s: float, ghost: bool
    ) -> None:
        store.run(claims.register("w1", ["a"], {"hostname": "h", "pid": 1} | ({"queuectl": kind} if kind else {})))
        age_record(redis, keys.worker("w1"), age_s)
        (worker,) = store.run(reader.fleet()).workers
        assert (worker.ghost, worker.stock) == (ghost, not kind)
        assert worker.heartbeat_age_s == pytest.approx(age_s, abs=5)


def age_record(redis: Redis, key: str, age_s: float) -> None:
    redis.hset(key, "last_heartbeat", (datetime.now(UTC) - timedelta(seconds=age_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def test_pools_hosts_and_the_leader(store: Store, redis: Redis, reader: Reader) -> None:
    settings = Settings.model_validate({"pools": {"bulk": {"queues": ["a", "b"], "workers": 3, "concurrency": 7}}})
    store.run(pools.publish(settings))
    facts = {"hostname": "mx1", "pid": 1, "queuectl": "0", "pool": "bulk", "slots": 7}
    store.run(claims.register("w1", ["a", "b"], facts))
    put(store, "a", 2)
    store.run(claims.heartbeat("w1", "busy", 2, take(store, "a", 2), lease_s=60))
    held = store.run(lease.hold("mx1:5", "mx1", ""))
    commit(store, Scale("bulk", 5), settings=settings, reason="spike")
    redis.zadd(keys.HOSTS, {"long-gone": 1})
    fleet = store.run(reader.fleet())
    (pool,) = fleet.pools
    assert (pool.desired, pool.actual, pool.slots, pool.busy, pool.configured, pool.by, pool.reason) == (
        5, 1, 7, 2, 3, OPERATOR, "spike")  # fmt: skip
    assert (fleet.hosts, fleet.leader, fleet.managed) == (("mx1",), "mx1:5", True)
    assert queue_of(store, reader).utilisation == pytest.approx(2 / 7)
    assert fleet.events[0].action == "scale"
    store.run(lease.release(held.fence, "mx1"))
    assert store.run(reader.fleet()).leader is None


def test_rates_come_from_two_pictures_where_no_daemon_publishes_them(
    store: Store, redis: Redis, reader: Reader
) -> None:
    put(store, "a", 5)
    assert queue_of(store, reader).in_per_s is None
    put(store, "a", 50)
    end(store, take(store, "a", 20), End.DELIVERED)
    queue = queue_of(store, reader)
    assert queue.in_per_s is not None
    assert queue.out_per_s is not None
    assert queue.in_per_s == pytest.approx(2.5 * queue.out_per_s)
    assert queue.service_per_s == queue.out_per_s
    assert queue.eta_s == float("inf")


def test_published_rates_outrank_ones_own(store: Store, reader: Reader) -> None:
    put(store, "a", 10)
    published = {"a": Rates(in_per_s=1.0, out_per_s=3.0, service_per_s=3.0, wait_p50_s=0.5, wait_p95_s=2.0)}
    store.run(series.write(Sample(1.0), published, fence="", coarse=False))
    queue = queue_of(store, reader)
    assert (queue.in_per_s, queue.out_per_s, queue.wait_p95_s, queue.eta_s) == (1.0, 3.0, 2.0, 5.0)


def test_the_series_come_back_fine_and_coarse(store: Store, redis: Redis, reader: Reader) -> None:
    put(store, "a", 3)
    fleet = store.run(reader.fleet())
    now = sample_of(fleet)
    store.run(series.write(now, {}, fence="", coarse=True))
    old_s = round(fleet.taken_at_s - 1000, 3)
    redis.xadd("other", {"s": series.encode(Sample(old_s, now.queues))}, id=f"{int(old_s * 1000)}-0")
    redis.copy("other", keys.SERIES_10S, replace=True)
    history = store.run(series.history(3600))
    assert [sample.at_s for sample in history] == [old_s, round(fleet.taken_at_s, 3)]
    assert history[1].queues == now.queues
    assert store.run(series.history(60)) == (series.decode(series.encode(now)),)


def test_a_lease_has_one_holder_and_a_new_one_a_new_fence(store: Store, redis: Redis) -> None:
    first = store.run(lease.hold("mx1:1", "mx1", ""))
    assert (first.held, first.leader) == (True, "mx1:1")
    other = store.run(lease.hold("mx2:1", "mx2", ""))
    assert (other.held, other.leader) == (False, "mx1:1")
    assert store.run(lease.hold("mx1:1", "mx1", first.fence)) == first
    assert store.run(lease.fresh_hosts()) == ("mx1", "mx2")
    redis.delete(keys.LEASE)
    second = store.run(lease.hold("mx2:1", "mx2", other.fence))
    assert second.held
    assert second.fence != first.fence
    assert not store.run(lease.hold("mx1:1", "mx1", first.fence)).held
    store.run(lease.release(first.fence, "mx1"))
    assert store.run(lease.leader()) == "mx2:1"
    store.run(lease.release(second.fence, "mx2"))
    assert store.run(lease.leader()) == ""
    third = store.run(lease.hold("mx2:1", "mx2", second.fence))
    assert third.fence not in ("", first.fence, second.fence)
