"""rq's own workers with our claims: they obey, count, and lose nothing, whenever they die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sample_jobs
from redis import Redis
from rq import Queue, Retry
from rq.job import JobStatus
from sink import smtp_sink
from worker_runs import SAMPLE_JOBS, until

from queuectl.mail import job as mail_job
from queuectl.model import MailMessage
from queuectl.settings import Settings
from queuectl.store import keys, repair
from queuectl.store.admission import admit
from queuectl.store.connect import open_store
from queuectl.store.reader import Reader
from queuectl.worker.rq_classes import ControlledSimpleWorker

CLASSES = ("ControlledWorker", "ControlledSimpleWorker")
either = pytest.mark.parametrize("name", CLASSES)


class RqWorker:
    """One `rq worker -w …` process on the queue `work`."""

    def __init__(self, url: str, class_name: str, *options: str) -> None:
        command = [sys.executable, "-m", "rq.cli", "worker", "--serializer", "json", "--name", "w1",
                   "-w", f"queuectl.worker.rq_classes.{class_name}", *options, "work"]  # fmt: skip
        environ = {**os.environ, "RQ_REDIS_URL": url, "PYTHONPATH": str(SAMPLE_JOBS)}
        self.process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, start_new_session=True)  # fmt: skip

    def end(self) -> str:
        log, _ = self.process.communicate(timeout=60)
        return log

    def kill(self) -> None:
        """kill -9, with its work horse: what a machine does that loses its power."""
        for number in (self.process.pid, *children(self.process.pid)):
            os.kill(number, signal.SIGKILL)
        self.end()


def children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-ax", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in (line.split() for line in listed.splitlines()) if int(parent) == pid]


@pytest.fixture
def rq_worker(redis_url: str) -> Iterator[Callable[..., RqWorker]]:
    started: list[RqWorker] = []

    def start(class_name: str, *options: str) -> RqWorker:
        started.append(RqWorker(redis_url, class_name, *options))
        return started[-1]

    yield start
    for worker in started:
        if worker.process.poll() is None:
            worker.kill()


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue("work", connection=redis, serializer="json")


def mark(queue: Queue, *names: str) -> list[str]:
    return [queue.enqueue(sample_jobs.mark, "ran", name).id for name in names]


def ran(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("ran", 0, -1)]


def burst(redis: Redis, *queues: str, **options: object) -> None:
    worker = ControlledSimpleWorker(list(queues or ("work",)), connection=redis, serializer="json")
    worker.work(burst=True, logging_level="ERROR", **options)


def ledger(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:work").items()}


def nothing_in_flight(redis: Redis) -> bool:
    return not redis.exists("rq:wip:work") and not list(redis.scan_iter("rq:execution*"))


@either
def test_it_runs_jobs_as_rq_does_and_counts_them(
    name: str, rq_worker: Callable[..., RqWorker], queue: Queue, redis: Redis, redis_url: str
):
    added = queue.enqueue(sample_jobs.add, 2, 3, on_success=None)
    failed = queue.enqueue(sample_jobs.fail)
    retried = queue.enqueue(sample_jobs.fail_until, "tries", 2, retry=Retry(max=2))
    after = queue.enqueue(sample_jobs.mark, "ran", "dependent", depends_on=added)
    log = rq_worker(name, "--burst").end()
    assert (added.return_value(), retried.return_value(), ran(redis)) == (5, "at last", ["dependent"]), log
    assert [job.get_status() for job in (added, failed, retried, after)] == [
        JobStatus.FINISHED, JobStatus.FAILED, JobStatus.FINISHED, JobStatus.FINISHED,
    ]  # fmt: skip
    assert ledger(redis) == {"adopted": 4, "claimed": 5, "delivered": 3, "failed": 1, "retried": 1}
    assert nothing_in_flight(redis)
    assert not redis.exists(keys.WORKER_HEARTBEATS, keys.WORKERS, "rq:worker:w1:executions")


def test_direction_is_honoured_with_the_share_of_the_oldest(queue: Queue, redis: Redis):
    mark(queue, *(f"{number}" for number in range(10)))
    redis.hset(keys.control("work"), "direction", "lifo")
    burst(redis)
    assert ran(redis) == ["9", "8", "7", "6", "0", "5", "4", "3", "2", "1"]


def test_a_paused_queue_is_passed_over(queue: Queue, redis: Redis):
    mark(queue, "paused")
    mark(Queue("other", connection=redis, serializer="json"), "running")
    redis.hset(keys.control("work"), "pause", "on")
    burst(redis, "work", "other")
    assert ran(redis) == ["running"]
    redis.hdel(keys.control("work"), "pause")
    burst(redis, "work", "other")
    assert ran(redis) == ["running", "paused"]


def test_what_is_stale_is_shed(queue: Queue, redis: Redis):
    (stale,) = mark(queue, "stale")
    then = datetime.now(UTC) - timedelta(hours=5)
    redis.hset(f"rq:job:{stale}", "created_at", then.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    mark(queue, "fresh")
    redis.hset(keys.control("work"), "shed", "on")
    burst(redis)
    assert ran(redis) == ["fresh"]
    assert redis.lrange(keys.staging("work", "claim"), 0, -1) == [stale.encode()]


def test_a_vanished_job_is_counted_and_the_next_one_runs(queue: Queue, redis: Redis):
    gone, _ = mark(queue, "gone", "there")
    redis.delete(f"rq:job:{gone}")
    burst(redis)
    assert ran(redis) == ["there"]
    assert ledger(redis)["vanished"] == 1
    assert nothing_in_flight(redis)


def test_one_that_cannot_be_read_fails_alone(queue: Queue, redis: Redis):
    broken, _ = mark(queue, "broken", "there")
    redis.hset(f"rq:job:{broken}", "timeout", "soon")
    burst(redis)
    assert ran(redis) == ["there"]
    assert redis.zscore("rq:failed:work", broken)
    assert nothing_in_flight(redis)


def test_our_mail_is_delivered_and_counted_once(redis: Redis, redis_url: str, tmp_path: Path, monkeypatch):
    with smtp_sink() as sink, open_store(redis_url) as store:
        config = tmp_path / "queuectl.toml"
        config.write_text(f'[providers.default]\nhost = "127.0.0.1"\nport = {sink.port}\nrate_per_s = 50\nburst = 2\n')
        monkeypatch.setenv("QUEUECTL_CONFIG", str(config))
        mail_job._settings.cache_clear()
        mails = [MailMessage(to=f"u{number}@example.org", text="Hello") for number in range(6)]
        store.run(admit("work", mails))
        burst(redis)
        assert sum(sink.taken.values()) == 6
        assert ledger(redis) == {"accepted": 6, "claimed": 6, "delivered": 6}
        assert redis.exists("queuectl:provider:default:arrival"), "tokens were spent"
    mail_job._settings.cache_clear()


def test_it_is_seen_as_ours_and_obeys_rq_suspend(
    rq_worker: Callable[..., RqWorker], queue: Queue, redis: Redis, redis_url: str
):
    worker = rq_worker("ControlledSimpleWorker")
    mark(queue, "before")
    until(lambda: ran(redis))
    redis.set("rq:suspended", 1)
    until(lambda: redis.hget("rq:worker:w1", "state") == b"suspended")
    with open_store(redis_url) as store:
        (seen,) = store.run(Reader(Settings()).fleet()).workers
    assert (seen.name, seen.stock, seen.slots, seen.busy) == ("w1", False, 1, 0)
    redis.delete("rq:suspended")
    mark(queue, "after")
    until(lambda: ran(redis) == ["before", "after"])
    worker.process.send_signal(signal.SIGTERM)
    worker.end()
    assert worker.process.returncode == 0
    assert not redis.exists(keys.WORKER_HEARTBEATS, "rq:workers")


@either
def test_a_warm_shutdown_finishes_the_job(
    name: str, rq_worker: Callable[..., RqWorker], queue: Queue, redis: Redis, tmp_path: Path
):
    worker = rq_worker(name)
    job = queue.enqueue(sample_jobs.announce_and_wait_for_file, "ran", str(tmp_path / "go"))
    waits = mark(queue, "waits")
    until(lambda: ran(redis))
    worker.process.send_signal(signal.SIGTERM)
    until(lambda: redis.hexists("rq:worker:w1", "shutdown_requested_date"))
    (tmp_path / "go").touch()
    worker.end()
    assert job.get_status() is JobStatus.FINISHED
    assert redis.lrange("rq:queue:work", 0, -1) == [waits[0].encode()]
    assert nothing_in_flight(redis)


def test_kill_9_loses_nothing(
    rq_worker: Callable[..., RqWorker], queue: Queue, redis: Redis, redis_url: str, tmp_path: Path
):
    """One job runs and is killed with its worker, the others wait: each ends exactly once."""
    hangs = queue.enqueue(sample_jobs.announce_and_wait_for_file, "ran", str(tmp_path / "go"))
    rest = mark(queue, *(f"{number}" for number in range(20)))
    worker = rq_worker("ControlledWorker")
    until(lambda: ran(redis))
    worker.kill()
    assert redis.zcard("rq:wip:work") == 1
    with open_store(redis_url) as store:
        (repaired,) = store.run(repair.repair_workers("", dead_after_s=-1, max_losses=3))
    assert (repaired.worker, repaired.requeued, repaired.poisoned) == ("w1", 1, 0)
    assert [raw.decode() for raw in redis.lrange("rq:queue:work", 0, -1)] == [hangs.id, *rest]
    (tmp_path / "go").touch()
    burst(redis)
    assert ran(redis) == ["started", "started", *(f"{number}" for number in range(20))]
    assert ledger(redis) == {"adopted": 21, "claimed": 22, "lost_lease": 1, "delivered": 21}
    assert nothing_in_flight(redis)


def test_kill_9_at_any_moment_loses_nothing(
    rq_worker: Callable[..., RqWorker], queue: Queue, redis: Redis, redis_url: str
):
    mark(queue, *(f"{number}" for number in range(120)))
    for done in (20, 60):
        worker = rq_worker("ControlledSimpleWorker")
        until(lambda done=done: redis.llen("ran") >= done)
        worker.kill()
        with open_store(redis_url) as store:
            store.run(repair.repair_workers("", dead_after_s=-1, max_losses=9))
    burst(redis)
    assert set(ran(redis)) == {f"{number}" for number in range(120)}
    assert len(ran(redis)) <= 120 + 2
    assert ledger(redis)["delivered"] == 120
    assert nothing_in_flight(redis)
    assert queue.failed_job_registry.get_job_count(cleanup=False) == 0
