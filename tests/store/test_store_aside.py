"""What is set aside while a queue of stock workers is paused: order, counting, and a death between any two calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from rq import Queue, SimpleWorker
from store_world import POOLED, carry_on, commit, put, waiting

from queuectl.model import Drain, LedgerState, SetPause, Switch, Target, Undo
from queuectl.store import aside, jobs, keys
from queuectl.store.aside import Towards
from queuectl.store.client import Store
from queuectl.store.gate import Gate
from queuectl.store.lease import hold
from queuectl.store.reader import Reader


@pytest.fixture
def stock_worker(redis: Redis) -> Iterator[SimpleWorker]:
    worker = SimpleWorker(["a"], connection=redis)
    worker.register_birth()
    yield worker
    worker.register_death()


def set_aside(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange(keys.aside("a"), 0, -1)]


def pause(store: Store, value: Switch | None = Switch.ON) -> None:
    commit(store, SetPause("a", value), settings=POOLED)


def test_pause_and_resume_by_an_operator_alone(store: Store, redis: Redis, stock_worker: SimpleWorker):
    job_ids = put(store, "a", 5)
    pause(store)
    assert (waiting(redis, "a"), set_aside(redis)) == ([], job_ids)
    queue = store.run(Reader(POOLED).fleet()).queue("a")
    assert queue and (queue.depth, queue.aside, queue.assisted, queue.ledger.residue) == (5, 5, True, 0)
    assert queue.ledger.state is LedgerState.PARTIAL
    assert queue.oldest_s is not None
    assert [row.job_id for row in store.run(jobs.page("a", "queued", 1, 2))] == job_ids[1:3]
    pause(store, None)
    assert waiting(redis, "a") == job_ids
    assert not redis.exists(keys.aside("a"))


def test_what_arrives_while_paused_follows(store: Store, redis: Redis, stock_worker: SimpleWorker):
    first = put(store, "a", 3)
    pause(store)
    second = put(store, "a", 2)
    assert set_aside(redis) == first + second, "our producers do not wake a stock worker"
    third = [Queue("a", connection=redis).enqueue("os.getcwd").id for _ in range(2)]
    assert waiting(redis, "a") == third
    pause(store, Switch.OFF)
    assert waiting(redis, "a") == first + second + third


def test_undo_brings_back_and_sets_aside_again(store: Store, redis: Redis, stock_worker: SimpleWorker):
    job_ids = put(store, "a", 3)
    first = commit(store, SetPause("a", Switch.ON), settings=POOLED)
    commit(store, Undo(first.number), settings=POOLED)
    assert waiting(redis, "a") == job_ids
    pause(store)
    resumed = commit(store, SetPause("a", Switch.OFF), settings=POOLED)
    commit(store, Undo(resumed.number), settings=POOLED)
    assert set_aside(redis) == job_ids


def test_with_our_workers_alone_nothing_is_moved(store: Store, redis: Redis):
    job_ids = put(store, "a", 3)
    pause(store)
    assert waiting(redis, "a") == job_ids


def test_the_preview_says_what_needs_a_daemon(store: Store, redis: Redis, stock_worker: SimpleWorker):
    put(store, "a", 3)
    gate = Gate(POOLED, "ana@mx1")
    effects = " ".join(store.run(gate.preview(SetPause("a", Switch.ON, 60))).effects)
    assert "1 stock rq workers cannot be told" in effects
    assert "when the pause expires nothing comes back by itself" in effects
    store.run(hold("h:1", "h", ""))
    assert "No daemon" not in " ".join(store.run(gate.preview(SetPause("a", Switch.ON, 60))).effects)


def test_a_drain_takes_what_is_set_aside(store: Store, redis: Redis, stock_worker: SimpleWorker):
    job_ids = put(store, "a", 6)
    pause(store)
    outcome = commit(store, Drain("a", Target.OVERFLOW, limit=4), settings=POOLED)
    carry_on(store, outcome)
    assert set_aside(redis) == job_ids[:2]


def test_the_wrong_way_is_refused(store: Store, redis: Redis, stock_worker: SimpleWorker):
    job_ids = put(store, "a", 3)
    assert store.run(aside.settle("a", Towards.ASIDE, fence="")) == (0, 0)
    pause(store)
    assert store.run(aside.settle("a", Towards.BACK, fence="")) == (0, 0)
    assert set_aside(redis) == job_ids


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["pause", "resume", "step", "arrive", "many"]), max_size=12))
def test_order_survives_any_interleaving(store: Store, redis: Redis, steps: list[str]):
    """Whoever steps may die after any call: what comes next starts from what is there."""
    redis.flushall()
    control, line, paused = keys.control("a"), [], False
    for step in [*steps, "resume"]:
        if step in ("pause", "resume"):
            paused = step == "pause"
            redis.hset(control, "pause", "on" if paused else "off")
        elif step == "step":
            store.run(aside.settle("a", Towards.ASIDE if paused else Towards.BACK, fence=""))
        else:
            new = [f"j{len(line) + number}" for number in range(1 if step == "arrive" else 1500)]
            line += new
            redis.rpush(keys.queue("a"), *new)
        found = set_aside(redis) + waiting(redis, "a")
        assert len(found) == len(line)
        assert set(found) == set(line)
    store.run(aside.settle_all("a", Towards.BACK, fence=""))
    assert waiting(redis, "a") == line
    assert not redis.exists(keys.aside("a"))
