"""Our messages, seen and run by stock rq."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from redis import Redis
from rq import Queue, SimpleWorker, Worker
from rq.job import Job, JobStatus
from sink import Sink, smtp_sink
from worker_runs import burst, mail_settings

from queuectl import MailMessage, Outbox
from queuectl.mail import job as mail_job
from queuectl.mail.templates import make_template
from queuectl.store.admission import admit
from queuectl.store.connect import open_store


@pytest.fixture
def sink(tmp_path, monkeypatch):
    with smtp_sink() as sink:
        config = tmp_path / "queuectl.toml"
        config.write_text(f'[providers.default]\nhost = "127.0.0.1"\nport = {sink.port}\n[delivery]\nattempts = 3\n')
        monkeypatch.setenv("QUEUECTL_CONFIG", str(config))
        mail_job._settings.cache_clear()
        yield sink


@pytest.fixture
def send(redis_url: str) -> Callable[..., list[str]]:
    def send(*recipients: str, **fields) -> list[str]:
        mails = [MailMessage(**{"to": to, "subject": f"For {to}", "text": "Hello\n", **fields}) for to in recipients]
        with open_store(redis_url) as store:
            return [verdict.job_id for verdict in store.run(admit("mail", mails))]

    return send


def stock_burst(redis: Redis) -> None:
    worker = SimpleWorker(["mail"], connection=redis, serializer="json")
    worker.log.setLevel("ERROR")
    worker.work(burst=True, logging_level="ERROR")


def ledger(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:mail").items()}


def test_rq_worker_on_the_command_line_delivers(send, sink: Sink, redis: Redis, redis_url: str):
    send("ana@example.org", "bob@example.org")
    command = [sys.executable, "-m", "rq.cli", "worker", "mail", "--serializer", "json", "--burst", "-u", redis_url]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env=dict(os.environ))
    assert sink.taken == {"ana@example.org": 1, "bob@example.org": 1}
    assert ledger(redis) == {"accepted": 2, "delivered": 2}
    assert not list(redis.scan_iter("rq:job:*"))


def test_template_from_the_jobs_own_connection(send, sink: Sink, redis: Redis, redis_url: str):
    with Outbox(redis_url) as outbox:
        template_id = outbox.store_template(make_template("Hi {{ name }}", "Dear {{ name }}\n"))
    send("ana@example.org", subject="", text="", template=template_id, params={"name": "Ana"})
    stock_burst(redis)
    assert "Dear Ana" in sink.texts[0]
    assert "Subject: Hi Ana" in sink.texts[0]


def test_same_message_id_whoever_delivers(send, sink: Sink, redis: Redis, redis_url: str):
    (job_id,) = send("ana@example.org")
    record = redis.dump(f"rq:job:{job_id}")
    stock_burst(redis)
    redis.restore(f"rq:job:{job_id}", 0, record)
    redis.rpush("rq:queue:mail", job_id)
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    first, second = (re.search(r"^Message-ID: .*$", text, re.MULTILINE)[0] for text in sink.texts)
    assert first == second


def test_refused_recipient_fails_and_is_requeued(send, sink: Sink, redis: Redis):
    sink.refuse["ana@example.org"] = "550 5.1.1 no such user"
    (job_id,) = send("ana@example.org")
    stock_burst(redis)
    queue = Queue("mail", connection=redis, serializer="json")
    job = Job.fetch(job_id, connection=redis, serializer="json")
    assert job.get_status() is JobStatus.FAILED
    assert "550 5.1.1 no such user" in job.latest_result().exc_string
    assert redis.hget(job.key, "reason") == b"550 5.1.1 no such user"
    assert redis.zscore("rq:failed:mail", job_id) < redis.time()[0] + 31 * 86400
    assert "delivered" not in ledger(redis)
    sink.refuse.clear()
    queue.failed_job_registry.requeue(job_id)
    stock_burst(redis)
    assert sink.taken == {"ana@example.org": 1}
    assert ledger(redis) == {"accepted": 1, "delivered": 1}


def test_transient_refusals_are_scheduled_then_given_up(send, sink: Sink, redis: Redis):
    sink.refuse["ana@example.org"] = "450 4.2.1 mailbox busy"
    (job_id,) = send("ana@example.org")
    for _ in range(2):
        stock_burst(redis)
        assert redis.zrange("rq:scheduled:mail", 0, -1) == [job_id.encode()]
        redis.zrem("rq:scheduled:mail", job_id)
        redis.rpush("rq:queue:mail", job_id)
    stock_burst(redis)
    assert redis.zrange("rq:failed:mail", 0, -1) == [job_id.encode()]
    assert redis.hget(f"rq:job:{job_id}", "reason") == b"gave up after 3 attempts: 450 4.2.1 mailbox busy"


def test_messages_of_one_ordering_key_follow_each_other(send, sink: Sink, redis: Redis):
    sink.refuse["b@example.org"] = "550 5.1.1 no such user"
    send("a@example.org", "b@example.org", "c@example.org", ordering_key="order-1")
    assert redis.llen("rq:queue:mail") == 1
    stock_burst(redis)
    assert sink.taken == {"a@example.org": 1, "c@example.org": 1}
    assert redis.zcard("rq:deferred:mail") == 0
    assert not redis.exists("queuectl:order:mail")


def test_a_message_that_is_none_fails(send, sink: Sink, redis: Redis):
    Queue("mail", connection=redis, serializer="json").enqueue(mail_job.deliver, {"to": "nobody"}, job_id="odd")
    stock_burst(redis)
    assert redis.hget("rq:job:odd", "status") == b"failed"
    assert redis.hget("rq:job:odd", "reason").startswith(b"malformed message")


def test_rq_reads_our_records(send, redis: Redis, redis_url: str):
    job_ids = send("ana@example.org", "bob@example.org")
    queue = Queue("mail", connection=redis, serializer="json")
    assert [job.id for job in queue.jobs] == job_ids
    job = Job.fetch(job_ids[0], connection=redis, serializer="json")
    assert (job.func_name, job.get_status()) == ("queuectl.mail.job.deliver", JobStatus.QUEUED)
    assert job.args[0]["to"] == "ana@example.org"
    info = subprocess.run(
        [sys.executable, "-m", "rq.cli", "info", "-u", redis_url],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert re.search(r"mail\s+\|\S*\s+2", info.stdout)


def test_requeue_of_what_our_worker_failed(send, sink: Sink, redis: Redis, redis_url: str):
    sink.refuse["ana@example.org"] = "550 5.2.1 mailbox disabled"
    (job_id,) = send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    job = Job.fetch(job_id, connection=redis, serializer="json")
    assert job.get_status() is JobStatus.FAILED
    assert "550 5.2.1 mailbox disabled" in job.latest_result().exc_string
    sink.refuse.clear()
    Queue("mail", connection=redis, serializer="json").failed_job_registry.requeue(job_id)
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert sink.taken == {"ana@example.org": 1}
    assert not Worker.all(connection=redis)
