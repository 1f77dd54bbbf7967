"""Packed segments: what comes out is what went in, byte for byte; what is damaged is told and stays."""

from __future__ import annotations

import pickle
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from rq import Queue, Retry
from store_world import commit, done, mail, put, waiting

from queuectl.model import Drain, MailMessage, Refill, Target, Undo
from queuectl.store import admission, keys, operations, tiers
from queuectl.store.client import Store
from queuectl.store.packed import VERSION, Segment, first_enqueued_s, pack, unpack

names = st.binary(min_size=1, max_size=12)
texts = st.text(max_size=40).map(str.encode)


def segment(*jobs: tuple[str, dict[bytes, bytes]]) -> Segment:
    return Segment(jobs, "operator", 7, "tail", 1700000000.25)


@st.composite
def data_fields(draw: st.DrawFn) -> bytes:
    """rq's data: a pickle or JSON, deflated at any level, or not at all, or cut short."""
    plain = draw(st.one_of(st.binary(max_size=200), texts, st.just(pickle.dumps(("f", None, (1,), {})))))
    level = draw(st.sampled_from([None, 1, 6, 9, 0, 3]))
    deflated = plain if level is None else zlib.compress(plain, level)
    return deflated[: draw(st.integers(0, len(deflated)))] if draw(st.booleans()) else deflated


known = st.fixed_dictionaries({b"data": data_fields()}, optional={b"meta": st.binary(max_size=30), b"status": texts})
others = st.dictionaries(names, st.binary(max_size=30), max_size=3)
records = st.builds(lambda more, fixed: {**more, **fixed}, others, known)


@given(st.lists(st.tuples(st.text(max_size=22), records), max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_record_comes_back_byte_for_byte(jobs: list[tuple[str, dict[bytes, bytes]]]) -> None:
    packed = segment(*jobs)
    assert unpack(pack(packed)) == packed


@pytest.mark.parametrize("level", [1, 6, 9])
def test_deflated_data_is_packed_as_its_text(level: int) -> None:
    """Deflated text hardly packs: a hundred messages inflated take much less than deflated ones would."""
    plain = [
        f'["f",null,[{{"to":"user{number}@example.org","subject":"Hello"}}],{{}}]'.encode() for number in range(100)
    ]
    jobs = [(f"m-{number}", {b"data": zlib.compress(text, level)}) for number, text in enumerate(plain)]
    assert len(pack(segment(*jobs))) < 0.4 * sum(len(record[b"data"]) for _, record in jobs)


def test_stock_jobs_come_back_as_rq_wrote_them(store: Store, redis: Redis) -> None:
    stock = Queue("a", connection=redis)
    ids = [
        stock.enqueue("os.stat", f"/nowhere/{number}", meta={"n": number}, retry=Retry(max=3, interval=[1, 2])).id
        for number in range(20)
    ]
    before = [redis.hgetall(keys.job(job_id)) for job_id in ids]
    done(store, Drain("a", Target.OVERFLOW))
    assert not redis.exists(*(keys.job(job_id) for job_id in ids))
    done(store, Refill("a"))
    assert [redis.hgetall(keys.job(job_id)) for job_id in ids] == before
    assert waiting(redis, "a") == ids


FIRST = (
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Eva",
    "Farid",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Katja",
    "Luis",
    "Mia",
    "Noah",
)
LAST = ("Schmidt", "Mueller", "Lopez", "Rossi", "Novak", "Jensen", "Kowalski", "Okafor", "Tanaka", "Silva", "Meyer")
DOMAINS = ("gmail.com", "outlook.com", "gmx.de", "web.de", "yahoo.com", "icloud.com", "example.org", "uni-ulm.de")


def recipients(number: int) -> list[MailMessage]:
    """Distinct people at mixed domains, and a template with their first name."""
    chance = random.Random(5)
    messages = []
    for salt in chance.sample(range(10_000), number):
        first, last, domain = chance.choice(FIRST), chance.choice(LAST), chance.choice(DOMAINS)
        address = f"{first}.{last}{salt}@{domain}".lower()
        messages.append(MailMessage(to=address, template="t-3f9a2c7e51d0", campaign="nov", params={"name": first}))
    return messages


def test_a_packed_message_takes_45_bytes_at_most(store: Store, redis: Redis) -> None:
    verdicts = store.run(admission.admit("a", recipients(1000)))
    assert all(verdict.ok for verdict in verdicts)
    done(store, Drain("a", Target.OVERFLOW))
    (blob,) = redis.hvals(keys.tier("overflow", "a"))
    assert len(unpack(blob).jobs) == 1000
    assert len(blob) / 1000 <= 45


def test_damage_anywhere_is_noticed() -> None:
    """A flipped bit, a cut, something else altogether: a ValueError, or at worst the very same segment."""
    packed = segment(*((f"m-{number}", {b"data": zlib.compress(b"x%d" % number)}) for number in range(40)))
    blob = pack(packed)
    for position in range(len(blob)):
        damaged = bytearray(blob)
        damaged[position] ^= 1 << position % 8
        try:
            assert unpack(bytes(damaged)) == packed
        except ValueError:
            continue
    for length in range(len(blob)):
        with pytest.raises(ValueError):
            unpack(blob[:length])


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: _frame(text.encode()))))
@settings(max_examples=300, deadline=None)
def test_what_is_no_segment_is_a_value_error(blob: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(blob)


def _frame(content: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor().compress(content)


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", "null", '{"v":1}', '{"v":1,"ids":["x"],"fields":["data"]}', '{"v":1,"ids":["x"],"fields":[3]}\n[1]'],
)
def test_json_of_another_shape_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        unpack(_frame(text.encode()))


def test_another_versions_segment_says_so() -> None:
    with pytest.raises(ValueError, match=f"another version of queuectl.*{VERSION + 1}"):
        unpack(_frame(f'{{"v":{VERSION + 1}}}'.encode()))


def test_ids_that_exist_again_are_not_overwritten(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 5)
    done(store, Drain("a", Target.OVERFLOW))
    redis.hset(keys.job(ids[2]), mapping={"data": b"newer", "origin": "a"})
    refill = commit(store, Refill("a"))
    operation = store.run(operations.drive(refill.operation, driver="d"))
    assert operation is not None
    assert (operation.done, operation.note) == (4, "1 exist again already")
    assert waiting(redis, "a") == [*ids[:2], *ids[3:]]
    assert redis.hget(keys.job(ids[2]), "data") == b"newer"
    assert redis.hget(keys.ledger("a"), "deleted") == b"1"


def test_records_that_are_gone_are_counted_not_packed(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 5)
    redis.delete(keys.job(ids[1]))
    redis.hdel(keys.job(ids[2]), "data")
    done(store, Drain("a", Target.OVERFLOW))
    (blob,) = redis.hvals(keys.tier("overflow", "a"))
    assert [job_id for job_id, _ in unpack(blob).jobs] == [ids[0], *ids[3:]]
    assert redis.hget(keys.ledger("a"), "vanished") == b"2"
    assert store.run(tiers.staged_owners("a")) == {}
    done(store, Undo(1))
    assert waiting(redis, "a") == [ids[0], *ids[3:]]


def test_a_drain_of_nothing_but_gone_records_leaves_no_segment(store: Store, redis: Redis) -> None:
    redis.delete(*(keys.job(job_id) for job_id in put(store, "a", 3)))
    done(store, Drain("a", Target.OVERFLOW))
    assert not redis.exists(keys.tier("overflow", "a"), keys.queue("a"), keys.tier_index("overflow", "a"))
    assert redis.hget(keys.ledger("a"), "vanished") == b"3"


def test_the_age_of_a_segment_is_its_first_known_one() -> None:
    at = b"2026-01-02T03:04:05.000000Z"
    assert first_enqueued_s([("x", {}), ("y", {b"created_at": b"?"}), ("z", {b"created_at": at})]) == 1767323045.0
    assert first_enqueued_s([("x", {b"enqueued_at": at, b"created_at": b"2020-01-01T00:00:00Z"})]) == 1767323045.0
    assert first_enqueued_s([]) == 0.0


def test_own_mail_comes_back_as_it_was(store: Store, redis: Redis) -> None:
    messages = [mail(1, html="ünï\r\n\0"), mail(2, ordering_key="k", max_age_s=5, priority=9), mail(3, campaign="c")]
    ids = [verdict.job_id for verdict in store.run(admission.admit("a", messages))]
    before = [redis.hgetall(keys.job(job_id)) for job_id in ids]
    done(store, Drain("a", Target.OVERFLOW))
    done(store, Undo(1))
    assert [redis.hgetall(keys.job(job_id)) for job_id in ids] == before
