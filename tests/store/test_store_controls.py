"""Overrides that somebody wrote nonsense into: they do not hold, nothing breaks, and the diagnosis says so."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import SETTINGS, put, take

from queuectl.model import Direction, Switch
from queuectl.store import keys
from queuectl.store.client import Store
from queuectl.store.reader import Reader

JUNK = ("no time", "nan", "inf", "1e999", "--1", "\udcff".encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("junk", JUNK)
def test_a_junk_expiry_ends_the_override_and_breaks_nothing(store: Store, redis: Redis, junk: str | bytes) -> None:
    fields = {"direction": "lifo", "shed": "on", "pause": "on"}
    extras = ("until", "since", "cause", "auto_since", "auto_cause")
    stored = fields | {f"{what}_{extra}": junk for what in fields for extra in extras}
    redis.hset(keys.control("a"), mapping={**stored, "automation_until": junk, "version": junk, "shed_auto": junk})
    ids = put(store, "a", 2)
    state = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert state
    assert (state.direction.value, state.pause.value) == (Direction.FIFO, Switch.OFF)
    assert [problem.split()[0] for problem in state.policy.problems] == ["direction_until", "shed_until", "pause_until"]
    assert [claim.job_id for claim in take(store, "a", 1)] == ids[:1]


def test_a_junk_value_is_named_and_does_not_hold(store: Store, redis: Redis) -> None:
    redis.hset(keys.control("a"), mapping={"direction": "sideways", "pause": "perhaps", "shed_until": ""})
    ids = put(store, "a", 2)
    state = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert state and not state.direction.overridden and not state.pause.overridden
    assert len(state.policy.problems) == 2
    assert [claim.job_id for claim in take(store, "a", 1)] == ids[:1]


def test_a_junk_number_of_workers_does_not_hold(store: Store, redis: Redis) -> None:
    redis.sadd(keys.POOLS, "p")
    redis.hset(keys.pool("p"), mapping={"configured": "2", "desired": "many", "desired_until": "soon"})
    (pool,) = store.run(Reader(SETTINGS).fleet()).pools
    assert pool.desired == 2
