"""Workers and servers that die with mail in flight: nothing is lost, and what was accepted is not sent again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from queuectl import MailMessage
from queuectl.store import claims, repair
from queuectl.store.admission import admit
from queuectl.store.connect import open_store

sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))

from sink import Sink, smtp_sink
from worker_runs import WorkerProcess, burst, mail_settings, until

PEOPLE = [f"u{number}@example.org" for number in range(200)]
WAITING_S = 40.0


@pytest.fixture
def shut_sink() -> Iterator[Sink]:
    with smtp_sink(shut=True) as sink:
        yield sink


@pytest.fixture
def spawn() -> Iterator[Callable[..., WorkerProcess]]:
    started: list[WorkerProcess] = []

    def spawn(url: str, port: int, concurrency: int = 200) -> WorkerProcess:
        process = WorkerProcess(url, ["mail"], mail_settings(port), concurrency=concurrency)
        started.append(process)
        return process.ready()

    yield spawn
    for process in started:
        if process.process.poll() is None:
            process.kill()
        elif process.process.stderr:
            process.process.stderr.close()


def send(url: str, people: list[str]) -> list[str]:
    with open_store(url) as store:
        mails = [MailMessage(to=to, subject="Hello", text="Hello\n") for to in people]
        return [verdict.job_id for verdict in store.run(admit("mail", mails))]


def repair_all(url: str) -> list[repair.Repaired]:
    """What the leading daemon does, without waiting until a worker counts as dead."""
    with open_store(url) as store:
        return list(store.run(repair.repair_workers("", dead_after_s=-1, max_losses=3)))


def ledger(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:mail").items()}


def test_kill_9_with_200_in_flight(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port)
    job_ids = send(redis_url, PEOPLE)
    until(lambda: shut_sink.waiting == 200)
    worker.kill()
    assert redis.zcard("rq:wip:mail") == 200
    assert repair_all(redis_url) == [repair.Repaired(worker.name, requeued=200, poisoned=0)]
    assert set(redis.lrange("rq:queue:mail", 0, -1)) == {job_id.encode() for job_id in job_ids}
    assert not redis.exists("rq:wip:mail", f"rq:worker:{worker.name}", f"rq:worker:{worker.name}:executions")
    shut_sink.open()
    assert burst(redis_url, "mail", settings=mail_settings(shut_sink.port), concurrency=50) == 0
    assert set(shut_sink.taken) == set(PEOPLE)
    assert ledger(redis) == {"accepted": 200, "claimed": 400, "lost_lease": 200, "delivered": 200}
    assert not list(redis.scan_iter("rq:job:*"))


def test_the_head_of_the_queue_is_where_they_return(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port, concurrency=3)
    first = [job_id for person in PEOPLE[:3] for job_id in send(redis_url, [person])]
    until(lambda: shut_sink.waiting == 3)
    later = send(redis_url, PEOPLE[3:6])
    worker.kill()
    repair_all(redis_url)
    assert redis.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in first + later]


def test_a_message_that_kills_its_worker_is_poison(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    (job_id,) = send(redis_url, PEOPLE[:1])
    for _ in range(3):
        worker = spawn(redis_url, shut_sink.port, concurrency=1)
        until(lambda: shut_sink.waiting == 1)
        worker.kill()
        until(lambda: shut_sink.waiting == 0)
        repair_all(redis_url)
    assert redis.zrange("rq:failed:mail", 0, -1) == [job_id.encode()]
    assert redis.llen("rq:queue:mail") == 0


def test_stopped_and_continued_worker_finishes_nothing_twice(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port, concurrency=10)
    send(redis_url, PEOPLE[:10])
    until(lambda: shut_sink.waiting == 10)
    worker.send(signal.SIGSTOP)
    assert repair_all(redis_url)[0].requeued == 10
    shut_sink.open()
    until(lambda: sum(shut_sink.taken.values()) == 10)
    assert burst(redis_url, "mail", settings=mail_settings(shut_sink.port)) == 0
    worker.send(signal.SIGCONT)
    until(lambda: redis.sismember("rq:workers", f"rq:worker:{worker.name}"))
    worker.send(signal.SIGTERM)
    assert worker.end()[0] == 0
    counts = ledger(redis)
    assert counts["delivered"] == 10
    assert counts.get("lease_lost", 0) <= 10
    assert not list(redis.scan_iter("rq:job:*"))
    assert redis.zcard("rq:wip:mail") == 0


def test_lost_lease_stops_a_delivery_that_still_waits(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port, concurrency=1)
    (job_id,) = send(redis_url, PEOPLE[:1])
    until(lambda: shut_sink.waiting == 1)
    redis.hset("queuectl:control:mail", "pause", "on")
    assert repair_all(redis_url)[0].requeued == 1
    until(lambda: worker.field("busy") == "0", WAITING_S)
    assert redis.lrange("rq:queue:mail", 0, -1) == [job_id.encode()]
    redis.hset("queuectl:control:mail", "pause", "off")
    shut_sink.open()
    until(lambda: ledger(redis).get("delivered") == 1, WAITING_S)
    assert not list(redis.scan_iter("rq:job:*"))


def test_server_restart_during_delivery(spawn, own_server, shut_sink: Sink):
    """What was accepted while the server was away is committed when it is back, and not sent again."""
    server = own_server()
    worker = spawn(server.url, shut_sink.port, concurrency=20)
    send(server.url, PEOPLE)
    until(lambda: shut_sink.waiting == 20)
    server.kill()
    shut_sink.open()
    until(lambda: sum(shut_sink.taken.values()) == 20)
    server.start()
    with Redis.from_url(server.url) as redis:
        until(lambda: ledger(redis).get("delivered") == 200, WAITING_S)
        until(lambda: worker.field("busy") == "0", WAITING_S)
        assert shut_sink.taken == dict.fromkeys(PEOPLE, 1)
        assert not list(redis.scan_iter("rq:job:*"))
        assert redis.zcard("rq:wip:mail") == 0
        assert ledger(redis) == {"accepted": 200, "claimed": 200, "delivered": 200}
    worker.send(signal.SIGTERM)
    assert worker.end()[0] == 0


def test_a_claim_whose_reply_was_lost_is_put_back(spawn, own_server, shut_sink: Sink):
    server = own_server()
    shut_sink.open()
    worker = spawn(server.url, shut_sink.port, concurrency=1)
    with open_store(server.url) as store:
        store.connection.hset("queuectl:control:mail", "pause", "on")
        send(server.url, PEOPLE[:3])
        store.connection.hset("queuectl:control:mail", "pause", "off")
        taken = store.run(claims.claim(worker.name, [("mail", 3)], 3, lease_s=60)).jobs
    server.kill()
    worker.logged("claims wait for the server")
    server.start()
    with Redis.from_url(server.url) as redis:
        until(lambda: sum(shut_sink.taken.values()) == 3, WAITING_S)
        until(lambda: ledger(redis).get("delivered") == 3)
        assert ledger(redis).get("handed_back", 0) == len(taken)
        assert shut_sink.taken == dict.fromkeys(PEOPLE[:3], 1)


def test_stopping_while_the_server_is_away_ends_and_leaves_the_rest_to_repair(spawn, own_server, shut_sink: Sink):
    server = own_server()
    worker = spawn(server.url, shut_sink.port, concurrency=5)
    send(server.url, PEOPLE[:5])
    until(lambda: shut_sink.waiting == 5)
    server.kill()
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGINT)
    code, log = worker.end()
    assert code == 1, log
    assert "Traceback" not in log
    server.start()
    with Redis.from_url(server.url) as redis:
        repair_all(server.url)
        assert redis.llen("rq:queue:mail") == 5
