"""A look into a queue: evenly over it, bounded, nothing written, nothing of a job executed."""

from __future__ import annotations

import pickle

from redis import Redis
from rq import Queue, SimpleWorker
from store_world import age, end, everything, mail, put, take, waiting

from queuectl.model import QueueSamples, QueueState
from queuectl.store import admission, samples, surge
from queuectl.store.claims import End
from queuectl.store.client import Store


def look(store: Store, queue: str = "a") -> QueueSamples:
    return store.run(samples.of_queue(queue))


def test_a_short_queue_is_read_whole(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 20)
    age(redis, ids[:5], 600)
    before = everything(redis)
    found = look(store)
    assert (found.depth, len(found.waiting)) == (20, 20)
    assert {job.domain for job in found.waiting} == {"example.org"}
    assert sum(job.age_s > 500 for job in found.waiting) == 5
    assert everything(redis) == before


def test_surge_is_looked_at_too(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 3_000)
    age(redis, ids[:1_000], 3_600)
    for _ in range(2):
        store.run(surge.trim(QueueState("a"), 1_000, fence=""))
    found = look(store)
    assert (found.depth, len(found.waiting)) == (3_000, 500)
    assert 155 <= sum(job.age_s > 3_000 for job in found.waiting) <= 178


def test_a_long_queue_is_sampled_from_end_to_end(store: Store, redis: Redis) -> None:
    put(store, "a", 3_000)
    ids = waiting(redis, "a")
    age(redis, ids[:1_500], 3_600)
    found = look(store)
    assert found.depth == 3_000
    assert len(found.waiting) == 500
    assert 240 <= sum(job.age_s > 3_000 for job in found.waiting) <= 260
    assert found.waiting[0].age_s > 3_000 > found.waiting[-1].age_s


def test_large_messages_and_pickles_have_no_domain(store: Store, redis: Redis) -> None:
    store.run(admission.admit("a", [mail(0, headers={"X-Blob": "".join(map(chr, range(33, 127)))})]))
    Queue("a", connection=redis).enqueue("os.getpid")
    job_id = waiting(redis, "a")[0]
    redis.hset(f"rq:job:{job_id}", "data", b"x" * 70_000)
    assert [job.domain for job in look(store).waiting] == ["", ""]


def test_reasons_of_failed_and_scheduled_jobs(store: Store) -> None:
    put(store, "a", 3)
    first, second, third = take(store, "a", 3)
    end(store, [first], End.FAILED, error="550 no such user ana@example.org", reason="550 no such user ana@example.org")
    end(store, [second, third], End.RETRY, delay_s=60, attempts=1, reason="450 greylisted")
    found = look(store)
    assert sorted(found.reasons) == ["450 greylisted", "450 greylisted", "550 no such user a…@example.org"]
    assert (found.troubled, found.troubled_read) == (3, 3)


def test_a_stock_job_gives_its_tracebacks_last_line(store: Store, redis: Redis) -> None:
    queue = Queue("legacy", connection=redis)
    queue.enqueue("os.rmdir", "/nonexistent/folder")
    SimpleWorker([queue], connection=redis).work(burst=True)
    assert look(store, "legacy").reasons == (
        "FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent/folder'",
    )


def test_many_failed_jobs_are_read_in_part(store: Store, redis: Redis) -> None:
    redis.zadd("rq:failed:a", {f"j{number}": number for number in range(300)})
    redis.hset("rq:job:j299", mapping={"reason": "newest", "data": pickle.dumps(1)})
    redis.hset("rq:job:j0", mapping={"reason": "oldest"})
    found = look(store)
    assert (found.troubled, found.troubled_read, found.reasons) == (300, 200, ("newest",))
