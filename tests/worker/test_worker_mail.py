"""What becomes of claimed messages."""

from __future__ import annotations

import json
import zlib

import pytest
import sample_jobs
from redis import Redis
from rq import Queue
from sink import Sink
from worker_runs import burst, mail_settings

from queuectl.store.admission import FUNCTION
from queuectl.store.claims import Claim
from queuectl.store.connect import open_store
from queuectl.store.presence import strays
from queuectl.worker.mail_jobs import NotOurs, decode


def nothing_left(redis: Redis) -> bool:
    return not [key for key in redis.scan_iter() if not key.startswith((b"queuectl:", b"rq:queues", b"rq:worker:"))]


def test_delivered_and_gone(send, sink: Sink, redis: Redis, redis_url: str, ledger):
    people = [f"u{number}@example.org" for number in range(300)]
    send(*people)
    assert burst(redis_url, "mail", settings=mail_settings(sink.port), concurrency=20, name="w") == 0
    assert sink.taken == dict.fromkeys(people, 1)
    assert ledger() == {"accepted": 300, "claimed": 300, "delivered": 300}
    assert redis.hget("rq:worker:w", "successful_job_count") == b"300"
    assert float(redis.hget("rq:worker:w", "total_working_time")) > 0
    assert nothing_left(redis)


def test_delivered_job_can_be_kept(send, redis: Redis, redis_url: str):
    (job_id,) = send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(delivery={"keep_delivered_s": 600}))
    assert redis.hget(f"rq:job:{job_id}", "status") == b"finished"
    assert 590 < redis.ttl(f"rq:job:{job_id}") <= 600
    assert redis.zscore("rq:finished:mail", job_id)


def test_permanent_refusal_fails(send, sink: Sink, redis: Redis, redis_url: str, ledger):
    sink.refuse["ana@example.org"] = "550 5.1.1 <ana@example.org> no such user"
    (job_id,) = send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert redis.zrange("rq:failed:mail", 0, -1) == [job_id.encode()]
    assert redis.hmget(f"rq:job:{job_id}", "status", "number_of_retries") == [b"failed", b"1"]
    assert redis.hget(f"rq:job:{job_id}", "reason") == "550 5.1.1 <…> no such user".encode()
    assert ledger() == {"accepted": 1, "claimed": 1, "failed": 1}


def test_transient_refusal_is_retried_later(send, sink: Sink, redis: Redis, redis_url: str, ledger):
    sink.refuse["ana@example.org"] = "450 4.2.1 mailbox busy"
    (job_id,) = send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(sink.port, delivery={"retries": {"recipient": {"base_s": 100}}}))
    ((member, due),) = redis.zrange("rq:scheduled:mail", 0, -1, withscores=True)
    assert member == job_id.encode()
    assert 45 < due - redis.time()[0] < 101
    assert redis.hmget(f"rq:job:{job_id}", "status", "number_of_retries") == [b"scheduled", b"1"]
    assert ledger() == {"accepted": 1, "claimed": 1, "retried": 1}


def test_attempts_run_out(send, sink: Sink, redis: Redis, redis_url: str):
    sink.refuse["ana@example.org"] = "450 4.2.1 mailbox busy"
    (job_id,) = send("ana@example.org")
    redis.hset(f"rq:job:{job_id}", "number_of_retries", 5)
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert redis.hget(f"rq:job:{job_id}", "reason") == b"gave up after 6 attempts: 450 4.2.1 mailbox busy"


def test_throttling_is_no_attempt(send, sink: Sink, redis: Redis, redis_url: str):
    sink.refuse["ana@example.org"] = "421 4.7.0 too many messages, slow down"
    (job_id,) = send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(sink.port, delivery={"attempts": 1}))
    assert redis.hmget(f"rq:job:{job_id}", "status", "number_of_retries") == [b"scheduled", b"0"]


def test_message_too_old_to_retry(send, sink: Sink, redis: Redis, redis_url: str):
    sink.refuse["ana@example.org"] = "450 4.2.1 mailbox busy"
    (job_id,) = send("ana@example.org", max_age_s=60)
    redis.hset(f"rq:job:{job_id}", "created_at", "2020-01-01T00:00:00.000000Z")
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert redis.hget(f"rq:job:{job_id}", "reason").startswith(b"gave up at its maximum age of 60s")


def test_provider_that_cannot_be_reached(send, redis: Redis, redis_url: str, ledger, unused_tcp_port: int):
    send(*(f"u{number}@example.org" for number in range(5)))
    burst(redis_url, "mail", settings=mail_settings(unused_tcp_port))
    assert redis.zcard("rq:scheduled:mail") == 5
    assert ledger() == {"accepted": 5, "claimed": 5, "retried": 5}


def test_unreachable_provider_does_not_hold_up_other_jobs(send, redis: Redis, redis_url: str, unused_tcp_port: int):
    send("ana@example.org")
    job = Queue("work", connection=redis, serializer="json").enqueue(sample_jobs.add, 1, 2)
    burst(redis_url, "mail", "work", settings=mail_settings(unused_tcp_port))
    assert job.return_value() == 3


def test_malformed_message_fails(send, redis: Redis, redis_url: str):
    (job_id,) = send("ana@example.org")
    redis.hset(f"rq:job:{job_id}", "data", zlib.compress(json.dumps([FUNCTION, None, [{"to": "x"}], {}]).encode()))
    burst(redis_url, "mail")
    assert redis.hget(f"rq:job:{job_id}", "reason").startswith(b"malformed message")


def test_stock_job_with_an_id_like_ours_is_run_by_rq(redis: Redis, redis_url: str):
    job = Queue("mail", connection=redis, serializer="json").enqueue(sample_jobs.add, 1, 2, job_id="m-custom")
    burst(redis_url, "mail")
    assert job.return_value() == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        zlib.compress(b"{}"),
        zlib.compress(b"[1, 2]"),
        zlib.compress(b"\xff"),
        zlib.compress(b'["os.getcwd", null, [1], {}]'),
    ],
)
def test_what_is_no_message_is_left_to_rq(data: bytes):
    with pytest.raises(NotOurs):
        decode(data)


def test_messages_of_one_ordering_key_follow_each_other(send, sink: Sink, redis: Redis, redis_url: str):
    send("a@example.org", ordering_key="o-1", subject="first")
    send("a@example.org", ordering_key="o-1", subject="second")
    send("a@example.org", ordering_key="o-1", subject="third")
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert [text.partition("Subject: ")[2].split()[0] for text in sink.texts] == ["first", "second", "third"]


def test_burst_goes_on_while_stale_mail_is_shed(send, sink: Sink, redis: Redis, redis_url: str):
    send(*(f"old{number}@example.org" for number in range(1200)), max_age_s=1)
    for key in redis.scan_iter("rq:job:*"):
        redis.hset(key, "created_at", "2020-01-01T00:00:00.000000Z")
    send("fresh@example.org")
    redis.hset("queuectl:control:mail", "shed", "on")
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert sink.taken == {"fresh@example.org": 1}
    assert redis.llen("queuectl:staging:mail:claim") == 1200


def test_burst_leaves_a_paused_queue(send, redis: Redis, redis_url: str):
    send("ana@example.org")
    redis.hset("queuectl:control:mail", "pause", "on")
    assert burst(redis_url, "mail") == 0
    assert redis.llen("rq:queue:mail") == 1


def test_strays_are_what_the_worker_has_never_seen(redis: Redis, redis_url: str):
    redis.sadd("rq:worker:w:executions", "a:1", "b:2", "c:3")
    redis.hset("rq:job:b", "origin", "mail")
    with open_store(redis_url) as store:
        assert store.run(strays("w", {"a:1"})) == (Claim("mail", "b", "2", b"", 0.0, 0, "", 0),)
        assert store.run(strays("w", {"a:1", "b:2", "c:3"})) == ()
