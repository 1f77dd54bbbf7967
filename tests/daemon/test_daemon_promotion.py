"""Retries return within their share, and hold up nothing that is due behind them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from redis import Redis

from queuectl.daemon.promotion import Promotion
from queuectl.model import QueueState
from queuectl.store import keys
from queuectl.store.client import AsyncStore
from queuectl.store.connect import open_async_store

DUE_S = time.time() - 1000


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[AsyncStore]:
    store = await open_async_store(redis_url)
    yield store
    await store.close()


def schedule(redis: Redis, number: int, *, retries: bool, from_s: float = DUE_S) -> None:
    """Jobs that are due, retries or first tries, the first of them longest."""
    kind = "retry" if retries else "first"
    fields = {"data": "x", "created_at": "2026-01-01T00:00:00Z"} | ({"number_of_retries": "1"} if retries else {})
    with redis.pipeline(transaction=False) as pipeline:
        for index in range(number):
            pipeline.hset(keys.job(f"{kind}{index}"), mapping=fields)
            pipeline.zadd("rq:scheduled:mail", {f"{kind}{index}": from_s + index / 1000})
        pipeline.execute()


def queued(redis: Redis) -> list[str]:
    return [job_id.decode() for job_id in redis.lrange("rq:queue:mail", 0, -1)]


async def test_beside_fresh_mail_the_longest_due_retries_get_a_tenth(store: AsyncStore, redis: Redis):
    schedule(redis, 1500, retries=True)
    promotion = Promotion(store, "", "test")
    await promotion.promote(QueueState("mail", depth=50_000, service_per_s=200.0), 0.1, lambda: True)
    assert queued(redis) == [f"retry{number}" for number in range(20)]
    await promotion.promote(QueueState("mail", depth=50_000, service_per_s=200.0), 0.1, lambda: True)
    assert len(queued(redis)) == pytest.approx(20, abs=5)


async def test_an_idle_queue_takes_all_it_can_deliver(store: AsyncStore, redis: Redis):
    schedule(redis, 1500, retries=True)
    await Promotion(store, "", "test").promote(QueueState("mail", service_per_s=800.0), 0.1, lambda: True)
    assert len(queued(redis)) == 800


async def test_first_tries_behind_waiting_retries_go_at_once(store: AsyncStore, redis: Redis):
    schedule(redis, 1500, retries=True)
    schedule(redis, 30, retries=False, from_s=DUE_S + 10)
    await Promotion(store, "", "test").promote(QueueState("mail", depth=50_000, service_per_s=10.0), 0.1, lambda: True)
    assert queued(redis) == ["retry0", *(f"first{number}" for number in range(30))]


async def test_a_tick_without_time_goes_on_where_the_last_one_stopped(store: AsyncStore, redis: Redis):
    schedule(redis, 2500, retries=True)
    schedule(redis, 30, retries=False, from_s=DUE_S + 10)
    promotion, busy = Promotion(store, "", "test"), QueueState("mail", depth=50_000, service_per_s=0.0)
    looks = 0
    while "first29" not in queued(redis):
        left = iter([True, False])
        await promotion.promote(busy, 0.1, lambda left=left: next(left))
        looks += 1
    assert looks <= 6
    assert len(queued(redis)) == 30
