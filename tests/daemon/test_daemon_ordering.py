"""The leader keeps ordering keys going, second by second."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from daemon_runs import Leader
from redis import Redis

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from store_world import end, put, take, waiting

from queuectl.model import Policy, QueueState, SetPolicy
from queuectl.store import keys
from queuectl.store.claims import End
from queuectl.store.client import Store


@pytest.fixture
def held(redis: Redis) -> list[str]:
    """Two messages of one key: the first waits for a retry, the second behind it."""
    store = Store(redis)
    ids = put(store, "forum", 2, ordering_key="order 7")
    end(store, take(store, "forum", 9), End.RETRY, delay_s=900, attempts=1)
    return ids


async def queue(leader: Leader) -> QueueState:
    state = (await leader.picture()).queue("forum")
    assert state is not None
    return state


async def test_a_deleted_message_lets_the_next_go_in_the_next_second(leader: Leader, redis: Redis, held: list[str]):
    redis.delete(keys.job(held[0]))
    redis.zrem(keys.registry("scheduled", "forum"), held[0])
    await leader.tick()
    assert waiting(redis, "forum") == held[1:]


async def test_a_retry_blocks_for_a_quarter_of_an_hour_by_default(leader: Leader, redis: Redis, held: list[str]):
    await leader.tick()
    state = await queue(leader)
    assert (state.policy.order_block_s, state.blocked_keys) == (Policy().order_block_s, 1)
    redis.zincrby(keys.blocked("forum"), -901, "order 7")
    await leader.tick()
    assert waiting(redis, "forum") == held[1:]
    assert redis.hget(keys.job(held[0]), "status") == b"scheduled"


async def test_the_policy_changed_live_says_what_becomes_of_it(leader: Leader, redis: Redis, held: list[str]):
    await leader.act(SetPolicy("forum", (("order_block_s", "0.001"), ("on_order_block", "supersede"))))
    await leader.tick()
    state = await queue(leader)
    assert (state.scheduled, state.deferred, state.depth, state.ledger.superseded) == (0, 0, 1, 1)
    assert state.ledger.residue == 0
    assert not redis.exists(keys.job(held[0]))


async def test_keep_lets_it_block(leader: Leader, redis: Redis, held: list[str]):
    await leader.act(SetPolicy("forum", (("order_block_s", "0.001"), ("on_order_block", "keep"))))
    await leader.tick()
    assert waiting(redis, "forum") == []
    assert (await queue(leader)).blocked_keys == 1
