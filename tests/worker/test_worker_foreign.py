"""Stock producers' jobs where rq's own worker would have killed a process: threads, interrupts, a server that goes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sample_jobs
from redis import Redis
from rq import Queue, Retry
from rq.job import JobStatus
from rq.timeouts import JobTimeoutException
from worker_runs import WorkerProcess, mail_settings, until

from queuectl.store import claims
from queuectl.store.claims import End
from queuectl.store.client import Store
from queuectl.store.connect import open_async_store, open_store
from queuectl.worker.death_penalty import Target, ThreadDeathPenalty
from queuectl.worker.flights import Flight, Interrupt
from queuectl.worker.foreign_jobs import ForeignJobs


class Interrupted(BaseException):
    pass


def spin() -> None:
    while True:
        time.sleep(0.001)


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue("work", connection=redis, serializer="json")


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    with open_store(redis_url) as store:
        yield store


def claim_one(store: Store) -> Flight:
    (claim,) = store.run(claims.claim("w", [("work", 1)], 1, lease_s=60)).jobs
    return Flight(claim, 0.0)


async def fly(redis_url: str, store: Store, flight: Flight, then: Callable[[], None] | None = None, **options):
    """Run one flight as the worker does; `then` is called once it has begun."""
    async_store = await open_async_store(redis_url)
    jobs = ForeignJobs("w", async_store, store, allow_pickle=False, **options)
    flight.task = asyncio.create_task(jobs.run(flight))
    flight.begun = True
    try:
        if then:
            await asyncio.to_thread(then)
        return await flight.task
    finally:
        await async_store.close()


def test_target_is_interrupted_only_inside():
    target, inside, seen = Target(), threading.Event(), []

    def work() -> None:
        try:
            with target:
                inside.set()
                spin()
        except Interrupted:
            seen.append("interrupted")

    assert not target.raise_in(Interrupted)
    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    assert target.raise_in(Interrupted)
    thread.join()
    assert seen == ["interrupted"]
    assert not target.raise_in(Interrupted)


def test_two_time_limits_at_once_keep_their_own_message():
    seen: dict[float, str] = {}

    def work(limit_s: float) -> None:
        try:
            with ThreadDeathPenalty(limit_s, JobTimeoutException, job_id="x"):
                spin()
        except JobTimeoutException as error:
            seen[limit_s] = str(error)

    threads = [threading.Thread(target=work, args=(limit_s,)) for limit_s in (0.05, 0.06)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {limit_s: f"Task exceeded maximum timeout value ({limit_s:g} seconds)" for limit_s in (0.05, 0.06)}


def test_time_limit_not_reached_leaves_no_trace():
    with ThreadDeathPenalty(60, JobTimeoutException) as entered:
        assert entered is None
    with ThreadDeathPenalty(-1, JobTimeoutException):
        pass
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer) and thread.daemon
                and not thread.finished.is_set()]  # fmt: skip


async def test_stuck_job_is_given_up_after_its_limit(queue: Queue, redis: Redis, redis_url: str, store: Store):
    job = queue.enqueue(sample_jobs.announce_and_block, "seen", 2, job_timeout=1, retry=Retry(max=1))
    assert await fly(redis_url, store, claim_one(store), overdue_s=0.2) is None
    assert job.get_status() is JobStatus.QUEUED
    flight = claim_one(store)
    assert await fly(redis_url, store, flight, overdue_s=0.2) is None
    assert job.get_status() is JobStatus.FAILED
    assert "could not be interrupted" in job.latest_result().exc_string
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == f"job-{job.id}"])
    assert redis.lrange("seen", 0, -1) == [b"started", b"started"]
    assert job.get_status() is JobStatus.FAILED
    assert not redis.exists("rq:wip:work")


@pytest.mark.parametrize("function", [sample_jobs.announce_and_spin, sample_jobs.announce_and_wait])
async def test_lost_lease_breaks_off_and_writes_nothing(queue, redis: Redis, redis_url: str, store: Store, function):
    job = queue.enqueue(function, "seen")
    flight = claim_one(store)

    def lose() -> None:
        redis.blpop("seen")
        redis.delete("rq:wip:work")
        flight.task.get_loop().call_soon_threadsafe(flight.break_off, Interrupt.LOST)

    with pytest.raises(asyncio.CancelledError):
        await fly(redis_url, store, flight, lose)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == f"job-{job.id}"])
    assert job.get_status() is JobStatus.STARTED
    assert not redis.exists("rq:failed:work", f"rq:results:{job.id}", "rq:finished:work")


async def test_stopped_before_it_began(queue: Queue, redis: Redis, redis_url: str, store: Store):
    job = queue.enqueue(sample_jobs.mark, "seen")
    flight = claim_one(store)
    flight.interrupt = Interrupt.STOPPED
    assert await fly(redis_url, store, flight) is None
    assert job.get_status() is JobStatus.STOPPED
    assert not redis.exists("seen")


async def test_record_rq_cannot_read_fails(queue: Queue, redis: Redis, redis_url: str, store: Store):
    job = queue.enqueue(sample_jobs.add, 1, 1)
    redis.hset(job.key, "result_ttl", "a while")
    finish = await fly(redis_url, store, claim_one(store))
    assert finish.end is End.FAILED
    assert finish.reason == "rq could not run it: ValueError"


@pytest.fixture
def spawn() -> Iterator[Callable[[str], WorkerProcess]]:
    started: list[WorkerProcess] = []

    def spawn(url: str) -> WorkerProcess:
        started.append(WorkerProcess(url, ["work"], mail_settings()))
        return started[-1].ready()

    yield spawn
    for process in started:
        process.kill()


def test_job_that_ends_while_the_server_is_away_runs_again(own_server, spawn, tmp_path: Path):
    server = own_server()
    spawn(server.url)
    path = tmp_path / "go"
    with Redis.from_url(server.url) as redis:
        queue = Queue("work", connection=redis, serializer="json")
        job = queue.enqueue(sample_jobs.announce_and_wait_for_file, "seen", str(path))
        redis.blpop("seen")
    server.kill()
    path.touch()
    server.start()
    with Redis.from_url(server.url) as redis:
        job.connection = redis
        until(lambda: job.get_status() is JobStatus.FINISHED)
        assert job.return_value() == "at last"
        assert redis.hmget("queuectl:ledger:work", "adopted", "delivered") == [b"1", b"1"]
        assert not redis.exists("rq:wip:work")
