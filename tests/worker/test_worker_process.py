"""A worker as RQ's tools and an operator's signals see it."""

from __future__ import annotations

import signal

import pytest
import sample_jobs
from redis import Redis
from rq import Callback, Queue, Worker
from rq.command import (
    send_command,
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_execution_command,
    send_stop_job_command,
)
from rq.job import Job, JobStatus
from rq.suspension import resume, suspend
from sink import Sink
from worker_runs import WorkerProcess, burst, until

from queuectl.store import repair
from queuectl.store.connect import open_store


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue("mail", connection=redis, serializer="json")


def flying(worker: WorkerProcess, number: int) -> bool:
    return until(lambda: worker.in_flight() == number)


def test_rq_lists_it_with_state_counts_and_current_job(send, start, shut_sink: Sink, redis: Redis):
    worker = start(shut_sink.port, pool="mailers", concurrency=4)
    until(lambda: worker.field("state") == "idle")
    (job_id,) = send("ana@example.org")
    until(lambda: shut_sink.waiting == 1)
    (listed,) = Worker.all(connection=redis)
    assert (listed.name, listed.pid, listed.get_state()) == (worker.name, worker.process.pid, "busy")
    assert listed.hostname
    assert redis.hget(listed.key, "queues") == b"mail"
    assert listed.get_current_job_id() == job_id
    assert Worker.all(queue=Queue("mail", connection=redis)) == [listed]
    job = Job.fetch(job_id, connection=redis, serializer="json")
    assert (job.get_status(), job.worker_name) == (JobStatus.STARTED, worker.name)
    assert job_id in [entry.split(":")[0] for entry in job.started_job_registry.get_job_ids()]
    shut_sink.open()
    until(lambda: worker.field("state") == "idle")
    assert worker.field("successful_job_count") == "1"
    assert [worker.field(name) for name in ("queuectl", "pool", "slots")] == ["1", "mailers", "4"]


def test_shutdown_command_is_warm(send, start, shut_sink: Sink, redis: Redis, ledger):
    worker = start(shut_sink.port, concurrency=2)
    send("a@example.org", "b@example.org", "c@example.org")
    until(lambda: shut_sink.waiting == 2)
    send_shutdown_command(redis, worker.name)
    until(lambda: worker.field("shutdown_requested_date"))
    shut_sink.open()
    code, log = worker.end()
    assert code == 0, log
    assert sum(shut_sink.taken.values()) == 2
    assert redis.llen("rq:queue:mail") == 1
    assert ledger()["delivered"] == 2
    assert Worker.all(connection=redis) == []
    assert not redis.zscore("queuectl:workers", worker.name)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_does_not_land_in_time_is_handed_back(send, start, shut_sink: Sink, redis: Redis, ledger, number):
    worker = start(shut_sink.port, {"worker": {"grace_s": 0}})
    job_ids = send("a@example.org", "b@example.org", "c@example.org")
    until(lambda: shut_sink.waiting == 3)
    worker.send(number)
    code, log = worker.end()
    assert code == 0, log
    assert redis.lrange("rq:queue:mail", 0, -1) == [job_id.encode() for job_id in job_ids]
    assert redis.hmget(f"rq:job:{job_ids[0]}", "status", "number_of_retries") == [b"queued", None]
    assert ledger() == {"accepted": 3, "claimed": 3, "handed_back": 3}
    assert not redis.exists("rq:wip:mail", f"rq:worker:{worker.name}:executions")


def test_second_signal_hands_back_at_once(send, start, shut_sink: Sink, redis: Redis):
    worker = start(shut_sink.port, {"worker": {"grace_s": 1000}})
    send("a@example.org")
    until(lambda: shut_sink.waiting == 1)
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGINT)
    assert worker.end()[0] == 0
    assert redis.llen("rq:queue:mail") == 1


def test_suspend_and_resume(send, start, sink: Sink, redis: Redis, redis_url: str):
    suspend(redis)
    worker = start(sink.port)
    send("a@example.org")
    until(lambda: worker.field("state") == "suspended")
    assert redis.llen("rq:queue:mail") == 1
    assert burst(redis_url, "mail") == 0
    assert redis.llen("rq:queue:mail") == 1
    resume(redis)
    until(lambda: sink.taken["a@example.org"] == 1)
    until(lambda: worker.field("state") == "idle")


def test_stop_command_fails_one_message(send, start, shut_sink: Sink, redis: Redis, ledger):
    worker = start(shut_sink.port)
    stopped, other = send("a@example.org", "b@example.org")
    until(lambda: shut_sink.waiting == 2)
    send_stop_job_command(redis, stopped, serializer="json")
    until(lambda: redis.hget(f"rq:job:{stopped}", "status") == b"failed")
    assert redis.hget(f"rq:job:{stopped}", "reason") == b"stopped by operator"
    assert redis.hget(f"rq:job:{other}", "status") == b"started"
    assert flying(worker, 1)


@pytest.mark.parametrize("function", [sample_jobs.announce_and_spin, sample_jobs.announce_and_wait])
@pytest.mark.parametrize("by", ["job", "execution"])
def test_stop_commands_stop_a_stock_job(start, queue: Queue, redis: Redis, function, by: str):
    start()
    job = queue.enqueue(function, "seen", on_stopped=Callback(sample_jobs.on_stopped), retry=None)
    redis.blpop("seen")
    if by == "job":
        send_stop_job_command(redis, job.id, serializer="json")
    else:
        (execution,) = job.get_executions()
        send_stop_execution_command(redis, job.id, execution.id)
    until(lambda: job.get_status() is JobStatus.STOPPED)
    until(lambda: job.id in queue.failed_job_registry)
    assert redis.lrange("callbacks", 0, -1) == [f"stopped {job.id}".encode()]


def test_kill_horse_fails_stock_jobs_and_spares_mail(send, start, shut_sink: Sink, queue: Queue, redis: Redis):
    worker = start(shut_sink.port)
    send("a@example.org")
    job = queue.enqueue(sample_jobs.announce_and_spin, "seen")
    redis.blpop("seen")
    until(lambda: shut_sink.waiting == 1)
    send_kill_horse_command(redis, worker.name)
    until(lambda: job.get_status() is JobStatus.FAILED)
    assert shut_sink.waiting == 1


def test_commands_that_make_no_sense_are_ignored(start, sink: Sink, send, redis: Redis):
    worker = start(sink.port)
    redis.publish(f"rq:pubsub:{worker.name}", "nonsense")
    redis.publish(f"rq:pubsub:{worker.name}", "[]")
    send_command(redis, worker.name, "dance")
    send_command(redis, worker.name, "stop-job", job_id="unknown")
    send("a@example.org")
    until(lambda: sink.taken["a@example.org"] == 1)


def test_stock_jobs_are_handed_back_too(start, queue: Queue, redis: Redis):
    worker = start(sections={"worker": {"grace_s": 0}})
    jobs = [
        queue.enqueue(sample_jobs.announce_and_block, "seen", 60),
        queue.enqueue(sample_jobs.announce_and_wait, "seen"),
    ]
    redis.blpop("seen")
    redis.blpop("seen")
    worker.send(signal.SIGTERM)
    code, log = worker.end()
    assert code == 0, log
    assert sorted(queue.job_ids) == sorted(job.id for job in jobs)
    assert {job.get_status() for job in jobs} == {JobStatus.QUEUED}


def test_it_registers_again_when_the_server_forgot_it(send, start, sink: Sink, redis: Redis, redis_url: str):
    worker = start(sink.port)
    until(lambda: worker.field("state") == "idle")  # its first beat is over, the next comes in some seconds
    with open_store(redis_url) as store:
        store.run(repair.repair_workers("", dead_after_s=-1, max_losses=3))
    assert Worker.all(connection=redis) == []
    send("a@example.org")
    until(lambda: [listed.name for listed in Worker.all(connection=redis)] == [worker.name])
    assert redis.zscore("queuectl:workers", worker.name)


def test_no_address_in_the_log(send, start, sink: Sink, redis: Redis):
    worker = start(sink.port)
    Queue("mail", connection=redis, serializer="json").enqueue(sample_jobs.fail, "no mailbox ana@example.org here")
    until(lambda: redis.zcard("rq:failed:mail") == 1)
    worker.send(signal.SIGTERM)
    code, log = worker.end()
    assert code == 0
    assert "no mailbox a…@example.org here" in log
    assert "ana@" not in log
