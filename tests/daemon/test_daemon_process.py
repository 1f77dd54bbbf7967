"""Whole daemons: start, sample, staff, reload, observe, leave."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daemon_runs import DaemonProcess, children_of
from redis import Redis
from worker_runs import WorkerProcess, mail_settings, until

from queuectl.daemon.children import is_alive
from queuectl.model import Scale, SetPolicy
from queuectl.settings import Settings
from queuectl.store import audit, series
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate

POOL = {"pools": {"bulk": {"queues": ["forum"], "workers": 1, "concurrency": 5}}}


def leads(redis: Redis, daemon: DaemonProcess) -> bool:
    return (redis.get("queuectl:lease") or b"").split(b"|")[0].endswith(f":{daemon.pid}".encode())


def workers(redis: Redis) -> list[int]:
    """Process ids of registered workers."""
    return sorted(int(redis.hget(key, "pid") or 0) for key in redis.smembers("rq:workers"))


def scale(url: str, number: int | None) -> None:
    with open_store(url) as store:
        gate = Gate(Settings(), "ana@test")
        store.run(gate.commit(store.run(gate.preview(Scale("bulk", number)))))


def test_it_leads_samples_and_leaves(start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str):
    daemon = start_daemon({"queues": {"forum": {}}})
    until(lambda: redis.xlen("queuectl:series:1s") >= 3)
    assert leads(redis, daemon)
    with open_store(redis_url) as store:
        samples = store.run(series.history(60))
    assert len(samples) >= 3
    assert all(list(sample.queues) == ["forum"] for sample in samples)
    assert redis.hget("queuectl:policy:forum", "class") == b"normal"
    assert daemon.stop() == 0
    assert not redis.exists("queuectl:lease")
    assert not redis.zrange("queuectl:hosts", 0, -1)


def test_workers_follow_the_desired_number(start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str):
    daemon = start_daemon(POOL)
    (first,) = until(lambda: workers(redis))
    scale(redis_url, 2)
    until(lambda: len(workers(redis)) == 2)
    assert len(children_of(daemon.pid)) == 2
    scale(redis_url, 1)
    until(lambda: workers(redis) == [first])
    assert daemon.stop() == 0
    assert not workers(redis)
    assert not redis.keys("queuectl:pool:bulk:hosts")


def test_a_second_daemon_on_the_host_does_not_double_the_pool(
    start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str
):
    first = start_daemon(POOL)
    until(lambda: workers(redis))
    second = start_daemon(POOL)
    until(lambda: "standing by" in second.log)
    scale(redis_url, 2)
    until(lambda: len(workers(redis)) == 2)
    assert children_of(second.pid) == []
    assert first.stop() == 0
    until(lambda: len(workers(redis)) == 2 and len(children_of(second.pid)) == 2)
    assert second.stop() == 0


def test_workers_that_are_there_already_are_adopted(
    start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str
):
    left_behind = WorkerProcess(redis_url, ["forum"], mail_settings(), pool="bulk").ready()
    daemon = start_daemon(POOL)
    until(lambda: redis.xlen("queuectl:series:1s") >= 3)
    assert children_of(daemon.pid) == []
    scale(redis_url, 0)
    assert left_behind.end()[0] == 0
    assert daemon.stop() == 0


def test_reload(start_daemon: Callable[..., DaemonProcess], redis: Redis):
    daemon = start_daemon({"queues": {"forum": {"class": "bulk"}}})
    until(lambda: redis.hget("queuectl:policy:forum", "class") == b"bulk")
    daemon.settings.write_text(json.dumps({"queues": {"forum": {"class": "loud"}}}))
    daemon.send(signal.SIGHUP)
    until(lambda: "the settings stay as they were: bad settings" in daemon.log)
    daemon.settings.write_text(json.dumps({"queues": {"forum": {"class": "protected"}}}))
    daemon.send(signal.SIGHUP)
    until(lambda: redis.hget("queuectl:policy:forum", "class") == b"protected")
    assert daemon.stop() == 0


def test_a_pool_that_the_leader_does_not_know_is_staffed(start_daemon: Callable[..., DaemonProcess], redis: Redis):
    leader = start_daemon()
    until(lambda: leads(redis, leader))
    standby = start_daemon(POOL)
    until(lambda: len(workers(redis)) == 1)
    assert leads(redis, leader)
    assert len(children_of(standby.pid)) == 1
    assert (leader.stop(), standby.stop()) == (0, 0)


def test_a_breakdown_is_told_and_ends_the_process_in_order(start_daemon: Callable[..., DaemonProcess], redis: Redis):
    daemon = start_daemon(POOL)
    until(lambda: workers(redis))
    redis.sadd("rq:queues", b"rq:queue:\xff, no text")
    assert daemon.end() == 1
    assert "the daemon broke" in daemon.log
    assert not redis.exists("queuectl:lease")
    assert not workers(redis)


def test_a_policy_that_makes_no_sense_is_told_and_the_default_holds(
    start_daemon: Callable[..., DaemonProcess], redis: Redis
):
    redis.hset("queuectl:policy:broken", mapping={"class": "no such class", "cap": "7", "max_age_s": "-1"})
    redis.sadd("rq:queues", "rq:queue:broken")
    daemon = start_daemon()
    until(lambda: "policy of broken: class is 'no such class' in Redis, normal holds" in daemon.log)
    assert "max_age_s is '-1' in Redis" in daemon.log
    assert leads(redis, daemon)
    assert daemon.stop() == 0


def test_overrides_that_make_no_sense_are_told_and_do_not_hold(
    start_daemon: Callable[..., DaemonProcess], redis: Redis
):
    redis.hset("queuectl:control:broken", mapping={"shed": "on", "shed_until": "no time"})
    redis.sadd("rq:queues", "rq:queue:broken")
    daemon = start_daemon()
    until(lambda: "policy of broken: shed_until is 'no time' in Redis, the override does not hold" in daemon.log)
    assert leads(redis, daemon)
    assert daemon.stop() == 0


def test_live_changes_outlast_the_settings_and_a_restart(
    start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str
):
    def stored() -> list[bytes | None]:
        return redis.hmget("queuectl:policy:forum", "cap", "cap_settings", "class")

    daemon = start_daemon({"queues": {"forum": {"cap": 10}}})
    until(lambda: stored() == [b"10", b"10", b"normal"])
    with open_store(redis_url) as store:
        gate = Gate(Settings(), "ana@mx1")
        store.run(gate.commit(store.run(gate.preview(SetPolicy("forum", (("cap", "99"),))))))
        daemon.settings.write_text(json.dumps({"queues": {"forum": {"cap": 20, "class": "bulk"}}}))
        daemon.send(signal.SIGHUP)
        until(lambda: stored() == [b"99", b"20", b"bulk"])
        assert daemon.stop() == 0
        again = start_daemon({"queues": {"forum": {"cap": 30}}})
        until(lambda: stored() == [b"99", b"30", b"normal"])
        store.run(gate.commit(store.run(gate.preview(SetPolicy("forum", (("cap", None),))))))
        assert stored() == [b"30", b"30", b"normal"]
    assert again.stop() == 0


def test_a_child_waits_for_a_server_that_is_not_there_yet(
    start_daemon: Callable[..., DaemonProcess], redis: Redis, tmp_path: Path
):
    nowhere = tmp_path / "later.sock"
    daemon = start_daemon(url=f"unix://{nowhere}", child=True)
    until(lambda: "ERROR server: no server" in daemon.log)
    nowhere.symlink_to(redis.connection_pool.connection_kwargs["path"])
    until(lambda: leads(redis, daemon))
    assert daemon.stop() == 0


def test_a_crash_loop_is_audited(start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str):
    daemon = start_daemon(POOL, environ={"QUEUECTL_NONSENSE": "1"})
    until(lambda: redis.xlen("queuectl:audit"))
    with open_store(redis_url) as store:
        (entry,) = store.run(audit.recent())
    assert (entry.who, entry.action, entry.scope) == ("auto", "crash loop", "bulk")
    assert entry.reason == "3 starts in a row failed, the last with exit code 2"
    assert daemon.stop() == 0


def test_a_child_ends_with_its_console(start_daemon: Callable[..., DaemonProcess], redis: Redis):
    daemon = start_daemon(POOL, child=True)
    until(lambda: workers(redis))
    assert daemon.process.stdin
    daemon.process.stdin.close()
    assert daemon.end() == 0
    assert not redis.exists("queuectl:lease")
    assert not workers(redis)


def test_an_observer_writes_nothing_until_told_to_lead(
    start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str
):
    redis.sadd("rq:queues", "rq:queue:legacy")
    redis.rpush("rq:queue:legacy", "a", "b")
    daemon = start_daemon(child=True, observe=True)
    samples: list[Any] = [daemon.hear() for _ in range(2)]
    assert [sample["queues"]["legacy"][0] for sample in samples] == [2, 2]
    assert samples[0]["at_s"] < samples[1]["at_s"]
    assert sorted(redis.keys("*")) == [b"rq:queue:legacy", b"rq:queues"]
    daemon.say("lead")
    heard = daemon.hear()
    while "leading" not in heard:
        heard = daemon.hear()
    assert heard == {"leading": True}
    assert leads(redis, daemon)
    until(lambda: redis.xlen("queuectl:series:1s"))
    assert daemon.process.stdin
    daemon.process.stdin.close()
    assert daemon.end() == 0


def test_an_observer_ends_with_its_console(start_daemon: Callable[..., DaemonProcess]):
    daemon = start_daemon(child=True, observe=True)
    daemon.hear()
    assert daemon.process.stdout
    daemon.process.stdout.close()
    assert daemon.end() == 0


def test_a_second_signal_ends_it_at_once(start_daemon: Callable[..., DaemonProcess], redis: Redis):
    daemon = start_daemon(POOL)
    (worker,) = until(lambda: workers(redis))
    os.kill(worker, signal.SIGSTOP)
    try:
        daemon.send(signal.SIGTERM)
        until(lambda: "the daemon leaves" in daemon.log)
        daemon.send(signal.SIGTERM)
        assert daemon.end() == -signal.SIGTERM
    finally:
        os.kill(worker, signal.SIGCONT)
    until(lambda: not is_alive(worker))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has died")
def test_workers_end_with_a_daemon_that_was_killed(start_daemon: Callable[..., DaemonProcess], redis: Redis):
    daemon = start_daemon(POOL)
    (worker,) = until(lambda: workers(redis))
    daemon.send(signal.SIGKILL)
    daemon.end()
    until(lambda: not is_alive(worker))
    assert not workers(redis)


def test_no_password_shows_in_the_process_list(
    start_daemon: Callable[..., DaemonProcess], redis: Redis, redis_url: str
):
    separator = "&" if "?" in redis_url else "?"
    redis.acl_setuser("mail", enabled=True, passwords=["+secret-word"], keys="*", channels="*", commands=["+@all"])
    try:
        daemon = start_daemon(POOL, url=f"{redis_url}{separator}username=mail&password=secret-word")
        (worker,) = until(lambda: workers(redis))
        with os.popen(f"ps -o args= -p {worker}") as shown:
            assert "secret-word" not in shown.read()
        assert "secret-word" not in daemon.log
        assert daemon.stop() == 0
    finally:
        redis.acl_deluser("mail")
