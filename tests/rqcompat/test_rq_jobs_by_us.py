"""Jobs that a stock `Queue.enqueue` made, run by our worker: they end as a stock worker would have ended them."""

from __future__ import annotations

import pytest
import sample_jobs
from redis import Redis
from rq import Callback, Queue, Repeat, Retry
from rq.job import Dependency, Job, JobStatus
from rq.results import Result
from worker_runs import burst

from queuectl.store.connect import open_store
from queuectl.store.repair import promote_scheduled


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue("work", connection=redis, serializer="json")


def ledger(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:work").items()}


def nothing_in_flight(redis: Redis) -> bool:
    return not redis.exists("rq:wip:work") and not list(redis.scan_iter("rq:execution*"))


def test_function_and_result(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.add, 2, b=3)
    assert burst(redis_url, "work") == 0
    assert job.get_status() is JobStatus.FINISHED
    assert job.return_value() == 5
    assert job.id in queue.finished_job_registry
    assert redis.ttl(job.key) == pytest.approx(500, abs=5)
    assert ledger(redis) == {"adopted": 1, "claimed": 1, "delivered": 1}
    assert nothing_in_flight(redis)


def test_current_job_is_known_in_a_thread_and_in_a_coroutine(queue: Queue, redis_url: str):
    in_thread, in_loop = queue.enqueue(sample_jobs.job_context), queue.enqueue(sample_jobs.slow_add, 1, 2)
    burst(redis_url, "work")
    assert in_thread.return_value() == [in_thread.id, True]
    assert in_loop.return_value() == [3, in_loop.id, True]


@pytest.mark.parametrize("function", [sample_jobs.fail, sample_jobs.fail_async])
def test_exception_ends_in_the_failed_registry(queue: Queue, redis: Redis, redis_url: str, function):
    job = queue.enqueue(function)
    burst(redis_url, "work")
    assert job.get_status() is JobStatus.FAILED
    assert job.id in queue.failed_job_registry
    result = job.latest_result()
    assert result.type is Result.Type.FAILED
    assert "ValueError: broken" in result.exc_string
    assert ledger(redis)["failed"] == 1
    assert "delivered" not in ledger(redis)
    assert nothing_in_flight(redis)


def test_callbacks(queue: Queue, redis: Redis, redis_url: str):
    good = queue.enqueue(sample_jobs.add, 1, 1, on_success=Callback(sample_jobs.on_success))
    bad = queue.enqueue(sample_jobs.fail, on_failure=Callback(sample_jobs.on_failure))
    burst(redis_url, "work", concurrency=1)
    assert redis.lrange("callbacks", 0, -1) == [
        f"success {good.id} 2".encode(),
        f"failure {bad.id} ValueError".encode(),
    ]


def test_retry_at_once(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.fail_until, "tries", 3, retry=Retry(max=3))
    burst(redis_url, "work")
    assert job.return_value() == "at last"
    assert ledger(redis) == {"adopted": 1, "claimed": 3, "retried": 2, "delivered": 1}


def test_retries_that_run_out(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.fail, retry=Retry(max=2))
    burst(redis_url, "work")
    assert job.get_status() is JobStatus.FAILED
    assert ledger(redis)["retried"] == 2
    assert ledger(redis)["failed"] == 1


def test_retry_with_interval_is_scheduled_and_promoted(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.fail_until, "tries", 2, retry=Retry(max=1, interval=600))
    burst(redis_url, "work")
    assert job.get_status() is JobStatus.SCHEDULED
    assert job.id in queue.scheduled_job_registry
    redis.zadd("rq:scheduled:work", {job.id: 1})
    with open_store(redis_url) as store:
        assert store.run(promote_scheduled("", "work", "test")).jobs == 1
    burst(redis_url, "work")
    assert job.return_value() == "at last"
    assert ledger(redis)["delivered"] == 1


def test_returned_retry(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.ask_for_retry, "tries", 2)
    burst(redis_url, "work")
    assert job.return_value() == "at last"
    assert ledger(redis)["delivered"] == 1
    assert ledger(redis)["retried"] == 1


def test_returned_retry_that_runs_out(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.always_retry)
    burst(redis_url, "work")
    assert job.latest_result().type is Result.Type.MAX_RETRIES_EXCEEDED
    assert job.id in queue.failed_job_registry
    assert ledger(redis)["failed"] == 1


def test_dependents_run_after_what_they_depend_on(queue: Queue, redis: Redis, redis_url: str):
    first = queue.enqueue(sample_jobs.mark, "order", "first")
    second = queue.enqueue(sample_jobs.mark, "order", "second", depends_on=first)
    third = queue.enqueue(sample_jobs.mark, "order", "third", depends_on=[first, second])
    assert second.get_status() is JobStatus.DEFERRED
    burst(redis_url, "work")
    assert redis.lrange("order", 0, -1) == [b"first", b"second", b"third"]
    assert third.get_status() is JobStatus.FINISHED


def test_dependents_of_a_failure(queue: Queue, redis_url: str):
    bad = queue.enqueue(sample_jobs.fail)
    strict = queue.enqueue(sample_jobs.add, 1, 1, depends_on=bad)
    lenient = queue.enqueue(sample_jobs.add, 1, 1, depends_on=Dependency([bad], allow_failure=True))
    burst(redis_url, "work")
    assert strict.get_status() is JobStatus.DEFERRED
    assert lenient.get_status() is JobStatus.FINISHED


@pytest.mark.parametrize("function", [sample_jobs.announce_and_spin, sample_jobs.announce_and_wait])
def test_time_limit(queue: Queue, redis_url: str, function):
    job = queue.enqueue(function, "started", job_timeout=1)
    burst(redis_url, "work")
    assert job.get_status() is JobStatus.FAILED
    assert "JobTimeoutException: Task exceeded maximum timeout value (1 seconds)" in job.latest_result().exc_string


def test_time_limit_cancels_the_coroutine(queue: Queue, redis: Redis, redis_url: str):
    queue.enqueue(sample_jobs.announce_and_wait, "seen", job_timeout=1)
    burst(redis_url, "work")
    assert redis.lrange("seen", 0, -1) == [b"started", b"cancelled"]


def test_no_time_limit(queue: Queue, redis_url: str):
    jobs = [queue.enqueue(function, 1, 2, job_timeout=-1) for function in (sample_jobs.add, sample_jobs.slow_add)]
    burst(redis_url, "work")
    assert [job.get_status() for job in jobs] == [JobStatus.FINISHED] * 2


def test_result_ttl(queue: Queue, redis: Redis, redis_url: str):
    gone = queue.enqueue(sample_jobs.add, 1, 1, result_ttl=0)
    short = queue.enqueue(sample_jobs.add, 1, 1, result_ttl=77)
    kept = queue.enqueue(sample_jobs.add, 1, 1, result_ttl=-1)
    burst(redis_url, "work")
    assert not redis.exists(gone.key)
    assert redis.ttl(short.key) == pytest.approx(77, abs=3)
    assert redis.ttl(kept.key) == -1
    assert ledger(redis)["delivered"] == 3
    assert nothing_in_flight(redis)


def test_result_that_cannot_be_serialised(queue: Queue, redis_url: str):
    job = queue.enqueue(sample_jobs.unserialisable)
    burst(redis_url, "work")
    assert job.get_status(refresh=True) in (JobStatus.FINISHED, JobStatus.FAILED)


def test_repeat_is_delivered_once_it_is_over(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.mark, "runs", repeat=Repeat(times=2))
    burst(redis_url, "work")
    assert redis.llen("runs") == 3
    assert job.get_status() is JobStatus.FINISHED
    assert ledger(redis)["delivered"] == 1


def test_function_that_does_not_exist(queue: Queue, redis_url: str):
    job = queue.enqueue("no_such_module.function")
    burst(redis_url, "work")
    assert job.get_status() is JobStatus.FAILED
    assert "no_such_module" in job.latest_result().exc_string


def test_record_that_is_gone(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.add, 1, 1)
    redis.delete(job.key)
    burst(redis_url, "work")
    assert ledger(redis) == {"vanished": 1}


def test_many_at_once_in_several_queues(redis: Redis, redis_url: str):
    queues = [Queue(name, connection=redis, serializer="json") for name in ("high", "low")]
    jobs = [queue.enqueue(sample_jobs.slow_add, 1, n) for n in range(20) for queue in queues]
    burst(redis_url, "high", "low", concurrency=20)
    assert {job.get_status() for job in jobs} == {JobStatus.FINISHED}


def test_requeued_by_rq_and_run_again(queue: Queue, redis: Redis, redis_url: str):
    job = queue.enqueue(sample_jobs.fail_until, "tries", 2)
    burst(redis_url, "work")
    queue.failed_job_registry.requeue(job.id)
    burst(redis_url, "work")
    assert job.return_value() == "at last"
    assert ledger(redis)["adopted"] == 1


def test_rq_sees_its_counts(queue: Queue, redis: Redis, redis_url: str):
    queue.enqueue(sample_jobs.add, 1, 1)
    queue.enqueue(sample_jobs.fail)
    burst(redis_url, "work", name="counted")
    counts = redis.hmget("rq:worker:counted", "successful_job_count", "failed_job_count")
    assert counts == [b"1", b"1"]


def test_bomb_is_not_unpickled(redis: Redis, redis_url: str, tmp_path):
    queue = Queue("work", connection=redis)
    path = tmp_path / "bang"
    job = queue.enqueue(sample_jobs.add, sample_jobs.Bomb(str(path)), meta={"bomb": sample_jobs.Bomb(str(path))},
                        retry=Retry(max=3), on_failure=Callback(sample_jobs.on_failure))  # fmt: skip
    path.unlink(missing_ok=True)
    burst(redis_url, "work")
    assert not path.exists()
    assert redis.hget(job.key, "status") == b"failed"
    assert redis.zscore("rq:failed:work", job.id)
    failed = Job.fetch(job.id, connection=redis, serializer="json")
    assert "--allow-pickle" in failed.latest_result().exc_string
    assert ledger(redis) == {"adopted": 1, "claimed": 1, "failed": 1}
    assert nothing_in_flight(redis)


def test_pickles_run_when_allowed(redis: Redis, redis_url: str):
    queue = Queue("work", connection=redis)
    job = queue.enqueue(sample_jobs.add, {1}.pop(), 2)
    plain = Queue("work", connection=redis, serializer="json").enqueue(sample_jobs.add, 4, 5)
    burst(redis_url, "work", allow_pickle=True)
    assert job.return_value() == 3
    assert plain.return_value() == 9
