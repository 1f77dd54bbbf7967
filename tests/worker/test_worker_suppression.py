"""Addresses that get no mail: refused at admission, skipped before sending, added by bounces."""

from __future__ import annotations

import pytest
from redis import Redis
from sink import Sink
from worker_runs import burst, mail_settings

from queuectl import MailMessage
from queuectl.model import Admission
from queuectl.store import suppression
from queuectl.store.admission import admit
from queuectl.store.connect import open_store
from queuectl.store.suppression import digest


def suppress(url: str, *addresses: str) -> int:
    with open_store(url) as store:
        return store.run(suppression.add((digest(address), "by operator") for address in addresses))


def test_refused_at_admission(redis: Redis, redis_url: str):
    assert suppress(redis_url, "ana@example.org", "ANA@example.org") == 1
    mails = [MailMessage(to=to, text="x") for to in ("bob@example.org", "Ana@Example.org", "eve@example.org")]
    with open_store(redis_url) as store:
        verdicts = store.run(admit("mail", mails))
    assert [verdict.admission for verdict in verdicts] == [Admission.ACCEPTED, Admission.SUPPRESSED, Admission.ACCEPTED]
    assert not verdicts[1].ok
    assert "by operator" in verdicts[1].detail
    assert redis.hgetall("queuectl:ledger:mail") == {b"accepted": b"2", b"suppressed": b"1"}


def test_skipped_before_sending(send, sink: Sink, redis: Redis, redis_url: str, ledger):
    people = [f"u{number}@example.org" for number in range(50)]
    job_ids = send(*people)
    assert suppress(redis_url, *people[:10]) == 10
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert sink.taken == dict.fromkeys(people[10:], 1)
    assert redis.hget(f"rq:job:{job_ids[0]}", "reason") == b"suppressed: by operator"
    assert ledger() == {"accepted": 50, "claimed": 50, "delivered": 40, "failed": 10}


@pytest.mark.parametrize(
    ("reply", "suppressed"),
    [
        ("550 5.1.1 no such user", True),
        ("550 5.1.10 recipient not found", True),
        ("550 5.7.1 unusual rate of mail", False),
        ("550 5.7.1 blocked for poor reputation", False),
        ("552 5.2.2 mailbox full", False),
        ("450 4.1.1 try later", False),
        ("553 5.1.8 sender rejected", False),
    ],
)
def test_what_a_refusal_does_to_its_recipient(send, sink: Sink, redis: Redis, redis_url: str, reply, suppressed):
    sink.refuse["ana@example.org"] = reply
    send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    assert bool(redis.hexists("queuectl:suppressed", digest("ana@example.org"))) is suppressed


def test_bounces_can_be_left_alone(send, sink: Sink, redis: Redis, redis_url: str):
    sink.refuse["ana@example.org"] = "550 5.1.1 no such user"
    send("ana@example.org")
    burst(redis_url, "mail", settings=mail_settings(sink.port, delivery={"suppress_bounces": False}))
    assert not redis.exists("queuectl:suppressed")
