"""kill -9 the leader while it packs a queue into overflow by itself: nothing is lost, and the standby goes on."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

sys.path.insert(0, str(Path(__file__).parents[1] / "daemon"))
sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))
sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from daemon_runs import DaemonProcess
from store_world import census, end, put, take
from worker_runs import until

from queuectl.store import claims, surge
from queuectl.store.claims import End
from queuectl.store.client import Store

FAILOVER_S = 10.0
MESSAGES = 15_000
SETTINGS = {
    "queues": {"forum": {"surge": "auto", "overflow": "auto"}},
    "automation": {"surge_enter_work_s": 1, "surge_enter_for_s": 0, "overflow_enter_work_s": 5},
}


class Deployment:
    """Two daemons, and the test as the one worker: ten messages a look."""

    def __init__(self, url: str, redis: Redis, folder: Path, stack: contextlib.ExitStack) -> None:
        self.redis, self.store = redis, Store(redis)
        self.delivered: list[str] = []
        self.store.run(claims.register("w1", ["forum"], {"queuectl": "1", "slots": 10}))
        self.daemons = []
        for number in range(2):
            path = folder / f"settings-{number}.json"
            path.write_text(json.dumps(SETTINGS))
            self.daemons.append(DaemonProcess(url, path))
            stack.callback(self.daemons[-1].clear_up)
        self.leader = until(self.find_leader)

    def find_leader(self) -> DaemonProcess | None:
        lease = (self.redis.get("queuectl:lease") or b"").split(b"|")[0].decode()
        return next((daemon for daemon in self.daemons if lease.endswith(f":{daemon.pid}")), None)

    def work(self) -> None:
        claimed = take(self.store, "forum", 10)
        end(self.store, claimed, End.DELIVERED)
        self.delivered += [claim.job_id for claim in claimed]

    def number(self, key: str, field: str) -> int:
        return int(self.redis.hget(key, field) or 0)

    def has_packed(self, segments: int) -> bool:
        self.work()
        return self.redis.llen("queuectl:overflow:forum:returning") >= segments

    def is_settled(self) -> bool:
        """Surge holds what it should, and nothing lies between two tiers but the newest arrivals."""
        self.work()
        staged = self.number("queuectl:staged:forum", surge.SQUEEZE) + self.number("queuectl:staged:forum", surge.SWEPT)
        return staged == 0 and self.redis.llen("queuectl:surge:forum") < MESSAGES / 3


@pytest.fixture
def deployment(redis_url: str, redis: Redis, tmp_path: Path) -> Iterator[Deployment]:
    with contextlib.ExitStack() as stack:
        yield Deployment(redis_url, redis, tmp_path, stack)


def test_a_leader_killed_while_it_packs_loses_nothing(deployment: Deployment, redis: Redis):
    ids = put(deployment.store, "forum", MESSAGES)
    until(lambda: deployment.has_packed(2))
    deployment.leader.send(signal.SIGKILL)
    killed, survivor = deployment.leader, next(each for each in deployment.daemons if each is not deployment.leader)
    assert redis.llen("queuectl:surge:forum") > MESSAGES / 3, "it was in the middle of it"
    ids += put(deployment.store, "forum", 700)
    until(lambda: deployment.find_leader() is survivor and deployment.is_settled(), FAILOVER_S)
    assert killed.end() == -signal.SIGKILL
    for _ in range(120):
        deployment.work()
    assert survivor.stop() == 0
    assert deployment.delivered == ids[: len(deployment.delivered)], "first in, first out all through"
    found = census(redis, ["forum"])
    assert sorted(found.places) == sorted(ids[len(deployment.delivered) :])
    assert [places for places in found.places.values() if len(places) > 1] == []
    assert deployment.number("queuectl:ledger:forum", "delivered") == len(deployment.delivered)
