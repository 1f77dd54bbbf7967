"""Looking at jobs: in claim order, masked, and without executing anything, whatever lies there."""

from __future__ import annotations

import json
import os
import pickle
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from rq import Queue
from store_world import age, commit, done, end, everything, put, take

from queuectl.model import Direction, Drain, JobView, MailMessage, QueueState, Refill, SetDirection, Target, UsageError
from queuectl.store import admission, jobs, keys, surge
from queuectl.store.admission import FUNCTION
from queuectl.store.claims import End
from queuectl.store.client import Store


class Bomb:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


def ids_of(page: list[JobView]) -> list[str]:
    return [view.job_id for view in page]


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_follow_the_claim_order(store: Store, newest_first: bool) -> None:
    put(store, "a", 25)
    commit(store, SetDirection("a", Direction.LIFO if newest_first else Direction.FIFO))
    pages = [store.run(jobs.page("a", "queued", offset, 10, newest_first=newest_first)) for offset in (0, 10, 20, 30)]
    assert [len(page) for page in pages] == [10, 10, 5, 0]
    claimed = [take(store, "a", 1)[0].job_id for _ in range(25)]
    assert [job_id for page in pages for job_id in ids_of(page)] == claimed


@pytest.mark.parametrize("newest_first", [False, True])
def test_what_waits_in_surge_is_listed_behind_the_primary(store: Store, newest_first: bool) -> None:
    ids = put(store, "a", 9)
    store.run(surge.trim(QueueState("a"), 4, fence=""))
    wanted = ids[:3:-1] + ids[3::-1] if newest_first else ids[4:] + ids[:4]
    for offset, limit in ((0, 9), (0, 3), (3, 4), (7, 9), (20, 5)):
        page = store.run(jobs.page("a", "queued", offset, limit, newest_first=newest_first))
        assert ids_of(page) == wanted[offset : offset + limit]


def test_every_state_has_its_page(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 4)
    held = put(store, "a", 2, ordering_key="k")
    claims = take(store, "a", 3)
    end(store, claims[:1], End.FAILED, reason="550 no such user bob@example.org", attempts=2)
    end(store, claims[1:2], End.RETRY, delay_s=100, attempts=1)
    assert ids_of(store.run(jobs.page("a", "queued", 0, 10))) == [ids[3], held[0]]
    assert ids_of(store.run(jobs.page("a", "started", 0, 10))) == [ids[2]]
    assert ids_of(store.run(jobs.page("a", "deferred", 0, 10))) == [held[1]]
    assert ids_of(store.run(jobs.page("a", "scheduled", 0, 10))) == [ids[1]]
    (failed,) = store.run(jobs.page("a", "failed", 0, 10))
    assert (failed.job_id, failed.attempts, failed.state, failed.queue) == (ids[0], 2, "failed", "a")
    assert "550" in failed.error
    assert "bob@" not in failed.error
    assert store.run(jobs.page("a", "finished", 0, 10)) == []
    assert store.run(jobs.page("a", "failed", 1, 10)) == []


def test_what_is_not_there_is_a_usage_error(store: Store) -> None:
    with pytest.raises(UsageError, match="no state 'lost'; allowed: queued, started"):
        store.run(jobs.page("a", "lost", 0, 10))
    with pytest.raises(UsageError, match="no job 'x' is in Redis"):
        store.run(jobs.detail("x"))


def test_looking_writes_nothing(store: Store, redis: Redis) -> None:
    put(store, "a", 5)
    end(store, take(store, "a", 1), End.FAILED)
    before = everything(redis)
    for state in jobs.STATES:
        for view in store.run(jobs.page("a", state, 0, 10)):
            store.run(jobs.detail(view.job_id))
    assert everything(redis) == before


def test_a_mail_is_shown_masked(store: Store, redis: Redis) -> None:
    message = MailMessage(to="jane.doe@example.org", subject="Re: bob@example.org", text="Write to eve@example.net",
                          params={}, headers={"X-Who": "kim@example.com"})  # fmt: skip
    (verdict,) = store.run(admission.admit("a", [message]))
    age(redis, [verdict.job_id], 100)
    (row,) = store.run(jobs.page("a", "queued", 0, 1))
    shown = store.run(jobs.detail(verdict.job_id))
    assert row.age_s == pytest.approx(100, abs=5)
    assert (shown.encoding, shown.view.summary, shown.view.queue) == ("json", row.summary, "a")
    for text in (row.summary, shown.body, *shown.fields.values()):
        for name in ("jane.doe@", "bob@", "eve@", "kim@"):
            assert name not in text
    assert "@example.org" in row.summary


def test_secrets_are_hidden(store: Store, redis: Redis) -> None:
    params = {"reset_token": "t0k3n", "Password": "hunter2", "nested": {"api_key": ["k3y"]}, "name": "Ann"}
    message = MailMessage(to="a@b.org", template="t", params=params)
    (verdict,) = store.run(admission.admit("a", [message]))
    body = store.run(jobs.detail(verdict.job_id)).body
    assert '"name": "Ann"' in body
    assert not any(secret in body for secret in ("t0k3n", "hunter2", 'k3y"'))
    assert json.loads(body)["args"][0]["params"]["reset_token"] == "***"


@pytest.mark.parametrize("deflated", [True, False])
def test_a_pickle_is_never_loaded(store: Store, redis: Redis, tmp_path: Path, deflated: bool) -> None:
    bomb = pickle.dumps(("os.stat", None, (Bomb(tmp_path / "executed"),), {}))
    job_id = Queue("a", connection=redis).enqueue("os.stat", "/").id
    redis.hset(keys.job(job_id), "data", zlib.compress(bomb) if deflated else bomb)
    redis.hdel(keys.job(job_id), "description")
    (row,) = store.run(jobs.page("a", "queued", 0, 10))
    shown = store.run(jobs.detail(job_id))
    assert row.summary == "os.stat"
    assert shown.encoding == "pickle"
    assert "REDUCE" in shown.body
    assert "mkdir" in shown.body
    done(store, Drain("a", Target.OVERFLOW))
    done(store, Refill("a"))
    assert not (tmp_path / "executed").exists()
    pickle.loads(bomb)
    assert (tmp_path / "executed").exists()


def test_a_long_pickle_is_cut_and_says_so() -> None:
    encoding, body = jobs.describe(pickle.dumps(list(range(9000))))
    assert encoding == "pickle"
    assert body.splitlines()[-1].endswith("more lines")
    assert len(body.splitlines()) == jobs.DISASSEMBLY_LINES + 1


def test_a_stock_jobs_description_and_results_are_shown(store: Store, redis: Redis) -> None:
    job_id = Queue("a", connection=redis).enqueue("os.stat", "ann@example.org").id
    (row,) = store.run(jobs.page("a", "queued", 0, 1))
    assert "os.stat(" in row.summary
    assert "ann@" not in row.summary
    end(store, take(store, "a", 1), End.FAILED, error="Traceback: ann@example.org refused")
    (result,) = store.run(jobs.detail(job_id)).results
    assert result.startswith("failed: Traceback: ")
    assert "ann@" not in result


ODD = [
    b"", b"[]", b"null", b"[1,2,3,4]", b"[" * 100_000, b"9" * 5000, b"\x80\x04", b"\x80\x05.", zlib.compress(b"x")[:-2],
    f'["{FUNCTION}",null,["x"],{{}}]'.encode(), f'["{FUNCTION}",null,{{"a":1}},{{}}]'.encode(),
    f'["{FUNCTION}",null,[[1]],{{}}]'.encode(), f'["{FUNCTION}",null,[],{{}}]'.encode(), b'["f",null,7,null]',
]  # fmt: skip


@pytest.mark.parametrize("data", ODD, ids=lambda data: repr(data[:30]))
def test_whatever_lies_in_a_job_can_be_looked_at(store: Store, redis: Redis, data: bytes) -> None:
    job_id = put(store, "a", 1)[0]
    redis.hset(keys.job(job_id), mapping={"data": data, "number_of_retries": "many", "created_at": b"\xff"})
    (row,) = store.run(jobs.page("a", "queued", 0, 1))
    assert (row.attempts, row.age_s) == (0, None)
    assert store.run(jobs.detail(job_id)).view.job_id == job_id


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=40).map(lambda tail: b"\x80\x04" + tail)))
@settings(max_examples=500, deadline=None)
def test_any_bytes_are_described(data: bytes) -> None:
    for blob in (data, zlib.compress(data)):
        assert jobs.describe(blob)[0] in ("json", "pickle", "unknown")
        assert jobs.summarise(blob)


def test_a_few_bytes_that_stand_for_gigabytes_are_not_unpacked() -> None:
    bomb = zlib.compress(b"[" + b" " * (64 * 1024 * 1024) + b"]")
    assert jobs.describe(bomb)[0] == "unknown"
    assert jobs.summarise(bomb) == "unreadable job"


def test_a_record_that_is_gone_says_so(store: Store, redis: Redis) -> None:
    (job_id,) = put(store, "a", 1)
    redis.delete(keys.job(job_id))
    (row,) = store.run(jobs.page("a", "queued", 0, 1))
    assert (row.summary, row.age_s) == ("record is gone", None)
