"""Hosts that share pools by what they hold, and what the dead among them leave."""

from __future__ import annotations

from redis import Redis
from store_world import POOLED

from queuectl.store import hosts, keys, lease, pools
from queuectl.store.client import Store
from queuectl.store.hosts import Sharing
from queuectl.store.reader import Reader


def test_hosts_tell_each_other_what_they_hold(store: Store, redis: Redis):
    store.run(pools.publish(POOLED))
    assert store.run(hosts.supervise("mx1:1", "mx1", 8, ["bulk"])) == Sharing({"bulk": ("mx1",)}, {"mx1": 8})
    both = store.run(hosts.supervise("mx2:1", "mx2", 4, ["bulk", "new"]))
    assert both == Sharing({"bulk": ("mx1", "mx2"), "new": ("mx2",)}, {"mx1": 8, "mx2": 4})
    assert store.run(hosts.supervise("mx1:1", "mx1", 6, [])) == Sharing({"bulk": ("mx1", "mx2")}, {"mx1": 6, "mx2": 4})
    for host in ("mx1", "mx2"):
        store.run(lease.hold(f"{host}:1", host, ""))
    assert store.run(Reader(POOLED).fleet()).capacity == 10


def test_a_second_daemon_on_a_host_is_told_to_leave_it_alone(store: Store, redis: Redis):
    store.run(hosts.supervise("mx1:1", "mx1", 8, ["bulk"]))
    assert store.run(hosts.supervise("mx1:2", "mx1", 3, ["bulk"])) is None
    assert redis.hgetall(keys.CAPACITY) == {b"mx1": b"8"}


def test_one_that_leaves_or_dies_reserves_nothing(store: Store, redis: Redis):
    store.run(pools.publish(POOLED))
    for host in ("mx1", "mx2", "mx3"):
        store.run(hosts.supervise(f"{host}:1", host, 8, ["bulk"]))
    store.run(hosts.leave("mx2:1", "mx2", ["bulk"]))
    assert redis.hkeys(keys.CAPACITY) == [b"mx1", b"mx3"]
    redis.zadd(keys.pool_hosts("bulk"), {"mx3": redis.time()[0] - lease.HOST_FRESH_S - 1})
    assert store.run(hosts.supervise("mx1:1", "mx1", 8, ["bulk"])) == Sharing({"bulk": ("mx1",)}, {"mx1": 8})
    assert redis.hkeys(keys.CAPACITY) == [b"mx1"]
