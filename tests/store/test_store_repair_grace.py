"""After the server was away, living workers look as dead as dead ones."""

from __future__ import annotations

from redis import Redis

from queuectl.store import claims, keys, presence, repair
from queuectl.store.client import Store


def looks(store: Store) -> bool:
    return store.run(repair.may_repair("", dead_after_s=30))


def test_repair_waits_after_nobody_looked_for_a_while(store: Store, redis: Redis) -> None:
    assert looks(store)
    assert looks(store)
    redis.hincrbyfloat(keys.REPAIR, "seen", -20)
    assert not looks(store)
    assert not looks(store)
    redis.hset(keys.REPAIR, "grace_until", redis.time()[0])
    assert looks(store)


def test_a_short_gap_is_none(store: Store, redis: Redis) -> None:
    looks(store)
    redis.hincrbyfloat(keys.REPAIR, "seen", -14)
    assert looks(store)


def test_a_worker_whose_record_expired_meanwhile_registers_again(store: Store, redis: Redis) -> None:
    store.run(claims.register("w", ["mail"], {"queuectl": 1}))
    assert store.run(presence.is_registered("w"))
    redis.delete(keys.worker("w"))
    store.run(claims.heartbeat("w", "idle", 0, [], lease_s=60))
    assert not store.run(presence.is_registered("w"))
