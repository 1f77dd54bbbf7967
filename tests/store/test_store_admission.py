"""Admission: a verdict a message, a cap that is kept exactly, nobody twice, and records that are small and RQ's own."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer
from store_world import Settings, commit, done, end, mail, put, take, waiting

from queuectl.model import Admission, Drain, MailMessage, SetShed, Switch, Target, Verdict
from queuectl.store import admission, ids, keys
from queuectl.store.admission import BATCH, FUNCTION
from queuectl.store.claims import End
from queuectl.store.client import Store


def capped(cap: int) -> Settings:
    return Settings.model_validate({"queues": {"a": {"cap": cap}, "b": {"cap": cap}}})


def words(verdicts: list[Verdict]) -> list[str]:
    return [verdict.admission.value for verdict in verdicts]


def test_verdicts_in_the_order_of_the_messages(store: Store, redis: Redis) -> None:
    messages = [
        mail(1),
        mail(2, ordering_key="k"),
        mail(3, ordering_key="k"),
        mail(4, campaign="c"),
        mail(4, campaign="c"),
    ]
    verdicts = store.run(admission.admit("a", messages))
    assert words(verdicts) == ["accepted", "accepted", "held", "accepted", "duplicate"]
    assert verdicts[3].job_id == verdicts[4].job_id
    assert "already has this recipient" in verdicts[4].detail
    assert waiting(redis, "a") == [verdicts[index].job_id for index in (0, 1, 3)]
    assert redis.zscore(keys.registry("deferred", "a"), verdicts[2].job_id) == float("inf")
    assert redis.hgetall(keys.ledger("a")) == {b"accepted": b"4", b"duplicates": b"1"}


def test_no_messages_are_no_call(store: Store, redis: Redis) -> None:
    assert store.run(admission.admit("a", [])) == []
    assert redis.dbsize() == 0


@pytest.mark.parametrize("number", [1, BATCH - 1, BATCH, BATCH + 1, 2 * BATCH + 7])
def test_batches_of_any_size_keep_their_order(store: Store, redis: Redis, number: int) -> None:
    verdicts = store.run(admission.admit("a", [mail(index) for index in range(number)]))
    assert {verdict.admission for verdict in verdicts} == {Admission.ACCEPTED}
    assert waiting(redis, "a") == [verdict.job_id for verdict in verdicts]
    assert redis.hget(keys.ledger("a"), "accepted") == str(number).encode()


@given(cap=st.integers(1, 12), batches=st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["", "k"])), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_cap_is_never_exceeded_and_always_reached(
    store: Store, redis: Redis, cap: int, batches: list[tuple[int, str]]
) -> None:
    redis.flushall()
    redis.sadd(keys.QUEUES, keys.queue("a"))
    commit(store, SetShed("a", Switch.ON), settings=capped(cap))
    count = 0
    for number, key in batches:
        verdicts = store.run(admission.admit("a", [mail(index, ordering_key=key) for index in range(number)]))
        fits = min(number, cap - count)
        assert [verdict.ok for verdict in verdicts] == [True] * fits + [False] * (number - fits)
        count += fits
        assert redis.llen(keys.queue("a")) + redis.zcard(keys.registry("deferred", "a")) == count
    assert int(redis.hget(keys.ledger("a"), "accepted") or 0) == count


def test_a_refusal_says_how_many_wait_and_when_to_come_back(store: Store, redis: Redis) -> None:
    put(store, "a", 2)
    commit(store, SetShed("a", Switch.ON), settings=capped(5))
    verdicts = store.run(admission.admit("a", [mail(index, campaign="c") for index in range(5)]))
    assert words(verdicts) == ["accepted"] * 3 + ["refused"] * 2
    assert verdicts[-1].detail == "the queue sheds and 5 messages wait, its high watermark"
    assert (verdicts[-1].retry_after_s, verdicts[-1].job_id) == (30.0, "")
    assert redis.hget(keys.ledger("a"), "refused") == b"2"
    end(store, take(store, "a", 4), End.DELIVERED)
    rerun = store.run(admission.admit("a", [mail(index, campaign="c") for index in range(5)]))
    assert words(rerun) == ["duplicate"] * 3 + ["accepted"] * 2


def test_without_shedding_nothing_is_refused(store: Store) -> None:
    commit(store, SetShed("a", Switch.OFF), settings=capped(1))
    assert words(store.run(admission.admit("a", [mail(), mail()]))) == ["accepted"] * 2


class TestCampaigns:
    """A campaign reaches each of its recipients once."""

    def test_a_rerun_is_all_duplicates_even_after_delivery(self, store: Store, redis: Redis) -> None:
        messages = [mail(index, campaign="nov") for index in range(7)]
        store.run(admission.admit("a", messages))
        end(store, take(store, "a", 7), End.DELIVERED)
        assert not redis.exists(keys.queue("a"))
        assert words(store.run(admission.admit("a", messages))) == ["duplicate"] * 7
        assert words(store.run(admission.admit("b", messages))) == ["duplicate"] * 7
        assert redis.hget(keys.ledger("b"), "accepted") is None

    def test_addresses_differ_by_more_than_case(self, store: Store) -> None:
        first = MailMessage(to="Ann@Example.org", text="x", campaign="nov")
        same = first.model_copy(update={"to": "ann@example.ORG"})
        other = first.model_copy(update={"campaign": "dec"})
        assert words(store.run(admission.admit("a", [first, same, other]))) == ["accepted", "duplicate", "accepted"]

    def test_its_memory_is_an_intset_that_ends_some_day(self, store: Store, redis: Redis) -> None:
        put(store, "a", 50, campaign="nov")
        sets = list(redis.scan_iter(keys.OURS + ":campaign:nov:*"))
        assert sum(redis.scard(name) for name in sets) == 50
        for name in sets:
            assert redis.object("encoding", name) == b"intset"
            assert 89 * 86400 < redis.ttl(name) <= 90 * 86400

    def test_packed_away_it_is_still_known(self, store: Store) -> None:
        put(store, "a", 3, campaign="nov")
        done(store, Drain("a", Target.OVERFLOW))
        assert words(store.run(admission.admit("a", [mail(1, campaign="nov")]))) == ["duplicate"]


def test_ids_are_short_and_distinct() -> None:
    made = {ids.new_id(), *ids.new_ids(500), ids.campaign_id("c", "x@y.z")[0]}
    assert len(made) == 502
    for job_id in made:
        assert len(job_id) == 22
        assert job_id.startswith("m-")
        assert set(job_id) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_rq_reads_the_record(store: Store, redis: Redis) -> None:
    message = mail(1, max_age_s=90.5, priority=7, ordering_key="k", html="<p>ü</p>")
    (verdict,) = store.run(admission.admit("a", [message]))
    job = Job.fetch(verdict.job_id, connection=redis, serializer=JSONSerializer)
    assert (job.func_name, job.origin, job.get_status().value) == (FUNCTION, "a", "queued")
    assert (job.result_ttl, job.timeout) == (0, None) or job.timeout == 180
    assert job.args == [json.loads(message.model_dump_json(exclude_defaults=True))]
    assert MailMessage.model_validate(job.args[0]) == message
    assert abs(job.created_at.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    record = redis.hgetall(keys.job(verdict.job_id))
    assert (record[b"max_age_s"], record[b"priority"], record[b"ordering_key"]) == (b"90.5", b"7", b"k")
    assert (
        zlib.decompress(record[b"data"])
        == json.dumps([FUNCTION, None, job.args, {}], separators=(",", ":"), ensure_ascii=False).encode()
    )


def test_a_waiting_message_takes_450_bytes_at_most(store: Store, redis: Redis) -> None:
    redis.config_set("hash-max-listpack-value", 1024)
    messages = [
        MailMessage(to=f"first.last{number}@example{number % 7}.org", template="t-3f9a2c7e51d0", campaign="nov",
                    params={"name": f"First{number}", "topic": "Your weekly digest", "unread": number})
        for number in range(500)
    ]  # fmt: skip
    verdicts = store.run(admission.admit("a", messages))
    records = sum(redis.memory_usage(keys.job(verdict.job_id), samples=0) for verdict in verdicts)
    share = redis.memory_usage(keys.queue("a"), samples=0) / len(verdicts)
    assert records / len(verdicts) + share <= 450


def test_templates_are_kept_by_their_content(store: Store) -> None:
    store.run(admission.put_template("t-1", b"\x00blob"))
    assert store.run(admission.get_template("t-1")) == b"\x00blob"
    assert store.run(admission.get_template("t-2")) is None
