"""Redis goes away while workers deliver: what was accepted meanwhile is committed when it is back, never sent again.

No test waits out a long outage. What one leaves behind, times that lie far back, is written into the server before the
workers are let at it again.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from queuectl import MailMessage
from queuectl.store import keys, repair
from queuectl.store.admission import admit
from queuectl.store.connect import open_store

sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))

from sink import Sink, smtp_sink
from worker_runs import WorkerProcess, mail_settings, until

PEOPLE = [f"u{number}@example.org" for number in range(400)]
GHOST_S = 30
"""[daemon] ghost_after_s."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture
def spawn(sink: Sink) -> Iterator[Callable[[str], WorkerProcess]]:
    started: list[WorkerProcess] = []

    def spawn(url: str) -> WorkerProcess:
        settings = mail_settings(sink.port, worker={"lease_s": 5})
        started.append(WorkerProcess(url, ["mail"], settings, concurrency=40))
        return started[-1].ready()

    yield spawn
    for process in started:
        if process.process.poll() is None:
            process.send(signal.SIGCONT)
            process.kill()


def send(url: str, people: list[str]) -> list[str]:
    with open_store(url) as store:
        mails = [MailMessage(to=to, subject="Hello", text="Hello\n") for to in people]
        return [verdict.job_id for verdict in store.run(admit("mail", mails))]


def look(url: str) -> list[repair.Repaired]:
    """What the leading daemon does every five seconds."""
    with open_store(url) as store:
        if not store.run(repair.may_repair("", dead_after_s=GHOST_S)):
            return []
        return list(store.run(repair.repair_workers("", dead_after_s=GHOST_S, max_losses=3)))


def age(redis: Redis, seconds: float) -> None:
    """As if so much time had passed in which nobody could write."""
    for key in ("queuectl:workers", "rq:wip:mail"):
        for member, at_s in redis.zrange(key, 0, -1, withscores=True):
            redis.zadd(key, {member: at_s - seconds})
    redis.hincrbyfloat(keys.REPAIR, "seen", -seconds)


def ledger(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:mail").items()}


@pytest.mark.parametrize("outage_s", [1, 40])
def test_what_was_accepted_while_redis_was_away_is_sent_once(own_server, spawn, sink: Sink, outage_s: float):
    """1 s: shorter than the lease and than what makes a worker a ghost. 40 s: longer than both, and yet repair must not
    take the living for dead."""
    server = own_server()
    send(server.url, PEOPLE)
    sink.shut()
    workers = [spawn(server.url) for _ in range(2)]
    look(server.url)
    sink.open()
    until(lambda: sum(sink.taken.values()) >= 100)
    sink.shut()
    until(lambda: sink.waiting == 80)
    server.kill()
    before = sum(sink.taken.values())
    sink.open()
    until(lambda: sum(sink.taken.values()) == before + 80)
    for worker in workers:
        worker.logged("finished messages wait for the server")
        worker.send(signal.SIGSTOP)
    server.start()
    with Redis.from_url(server.url) as redis:
        age(redis, outage_s)
        assert redis.zcard("rq:wip:mail") >= 80
        assert look(server.url) == []
        for worker in workers:
            worker.send(signal.SIGCONT)
        until(lambda: ledger(redis).get("delivered") == 400, 60)
        assert sink.taken == dict.fromkeys(PEOPLE, 1)
        assert ledger(redis)["accepted"] == 400
        assert "lost_lease" not in ledger(redis)
        assert "lease_lost" not in ledger(redis)
        assert redis.zcard("rq:wip:mail") == 0
        assert not list(redis.scan_iter("rq:job:*"))


def test_a_worker_that_died_in_the_outage_is_repaired_after_the_grace(own_server, spawn, sink: Sink):
    server = own_server()
    send(server.url, PEOPLE[:40])
    sink.shut()
    dead = spawn(server.url)
    look(server.url)
    until(lambda: sink.waiting == 40)
    server.kill()
    dead.kill()
    server.start()
    with Redis.from_url(server.url) as redis:
        age(redis, 40)
        assert look(server.url) == []
        redis.hset(keys.REPAIR, "grace_until", 0)
        assert look(server.url) == [repair.Repaired(dead.name, requeued=40, poisoned=0)]


def test_a_commit_that_the_server_lost_is_made_again(own_server, spawn, sink: Sink):
    """A power cut takes up to a second from the append-only file: the message counts as in flight again, its worker
    knows better."""
    server = own_server()
    (job_id,) = send(server.url, PEOPLE[:1])
    sink.shut()
    worker = spawn(server.url)
    until(lambda: sink.waiting == 1)
    with Redis.from_url(server.url) as redis:
        (member,) = (raw.decode() for raw in redis.smembers(keys.worker_executions(worker.name)))
        names = [keys.job(job_id), "rq:wip:mail", keys.worker_executions(worker.name), f"rq:execution:{member}",
                 f"rq:executions:{job_id}", "queuectl:ledger:mail"]  # fmt: skip
        old = {name: redis.dump(name) for name in names}
        sink.open()
        until(lambda: ledger(redis).get("delivered") == 1)
        for name, value in old.items():
            redis.restore(name, 0, value, replace=True)
    server.kill()
    worker.logged("claims wait for the server")
    server.start()
    with Redis.from_url(server.url) as redis:
        until(lambda: ledger(redis).get("delivered") == 1, 60)
        assert ledger(redis) == {"accepted": 1, "claimed": 1, "delivered": 1}
        assert sink.taken == {PEOPLE[0]: 1}
        assert not list(redis.scan_iter("rq:job:*"))
