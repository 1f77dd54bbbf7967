"""A store on the empty server, and a gate to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from store_world import POOLED, age, done, end, put, take

from queuectl.model import Drain, Target
from queuectl.store import pools
from queuectl.store.claims import End
from queuectl.store.client import Store


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    with Redis.from_url(redis_url) as connection:
        yield Store(connection)


@pytest.fixture
def world(store: Store, redis: Redis) -> Store:
    """Something of everything that an action can act on."""
    store.run(pools.publish(POOLED))
    ids = put(store, "a", 8)
    put(store, "codes", 3)
    age(redis, ids[:2], 7200)
    done(store, Drain("a", Target.OVERFLOW, limit=2), settings=POOLED)
    end(store, take(store, "a", 1), End.FAILED)
    return store
