"""A provider that refuses half of everything for now: every message arrives once, and the ledger knows of each try."""

from __future__ import annotations

import itertools

from redis import Redis
from sink import smtp_sink
from worker_runs import burst, mail_settings

from queuectl import MailMessage
from queuectl.store import jobs, repair
from queuectl.store.admission import admit
from queuectl.store.connect import open_store

PEOPLE = [f"u{number}@example.org" for number in range(100)]


def test_half_of_everything_is_refused_for_now(redis: Redis, redis_url: str):
    numbers = itertools.count()
    with smtp_sink() as sink, open_store(redis_url) as store:
        sink.answer = lambda _: "450 4.2.1 mailbox busy" if next(numbers) % 2 else ""
        at_once = {"recipient": {"base_s": 0.001, "cap_s": 0.001}}
        settings = mail_settings(sink.port, delivery={"attempts": 100, "retries": at_once})
        store.run(admit("mail", [MailMessage(to=to, subject="Hello", text="Hello") for to in PEOPLE]))
        assert burst(redis_url, "mail", settings=settings) == 0
        shown = store.run(jobs.page("mail", "scheduled", 0, 100))
        assert {(job.error, job.attempts) for job in shown} == {("450 4.2.1 mailbox busy", 1)}
        assert len(shown) + sum(sink.taken.values()) == len(PEOPLE)
        while redis.zcard("rq:scheduled:mail"):
            store.run(repair.promote_scheduled("", "mail", "test"))
            assert burst(redis_url, "mail", settings=settings) == 0
        assert sink.taken == dict.fromkeys(PEOPLE, 1)
    ledger = {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:mail").items()}
    assert ledger["accepted"] == ledger["delivered"] == len(PEOPLE)
    assert ledger["retried"] == ledger["claimed"] - len(PEOPLE) == next(numbers) - len(PEOPLE)
    assert not list(redis.scan_iter("rq:job:*"))
