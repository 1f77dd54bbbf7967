"""Looking into packed tiers and at held jobs: in order, bounded, nothing changed."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import done, everything, mail, put, waiting

from queuectl.model import Drain, JobView, Target, Tier, UsageError
from queuectl.store import admission, jobs, keys, packed_jobs
from queuectl.store.client import Store


def page(store: Store, state: str, offset: int, limit: int) -> list[JobView]:
    return store.run(jobs.page("a", state, offset, limit))


def ids(rows: list[JobView]) -> list[str]:
    return [row.job_id for row in rows]


@pytest.mark.parametrize("tier", ["overflow", "shed"])
def test_packed_jobs_are_listed_oldest_first_and_stay(store: Store, redis: Redis, tier: str) -> None:
    put(store, "a", 2_500)
    known = waiting(redis, "a")
    done(store, Drain("a", Target(tier), limit=900))
    done(store, Drain("a", Target(tier)))
    before = everything(redis)
    rows = page(store, tier, 0, 3_000)
    assert sorted(ids(rows)) == sorted(known)
    assert [ids(page(store, tier, offset, 7)) for offset in (0, 898, 2_495)] == [
        ids(rows)[0:7], ids(rows)[898:905], ids(rows)[2_495:]
    ]  # fmt: skip
    assert page(store, tier, 2_500, 7) == []
    assert {(row.state, row.queue, row.error) for row in rows} == {(tier, "a", "operator")}
    assert rows[0].summary.startswith("u…@example.org  Hello ")
    assert rows[0].age_s is not None
    assert everything(redis) == before


def test_a_look_goes_through_so_many_segments(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_jobs, "MOST_SEGMENTS", 2)
    put(store, "a", 6)
    for _ in range(3):
        done(store, Drain("a", Target.OVERFLOW, limit=2))
    assert len(page(store, "overflow", 0, 10)) == 4
    with pytest.raises(UsageError, match="only the first 4 jobs in overflow can be looked at"):
        page(store, "overflow", 4, 10)


def test_a_damaged_segment_is_one_row_that_says_so(store: Store, redis: Redis) -> None:
    put(store, "a", 4)
    done(store, Drain("a", Target.SHED, limit=2))
    done(store, Drain("a", Target.SHED, limit=2))
    damaged = redis.zrange(keys.tier_index("shed", "a"), 0, 0)[0]
    redis.hset(keys.tier("shed", "a"), damaged, b"not zstd")
    rows = page(store, "shed", 0, 10)
    assert len(rows) == 3
    assert rows[0].job_id == damaged.decode()
    assert rows[0].error.startswith("damaged segment")


def test_one_packed_job_is_found(store: Store) -> None:
    (first, second) = put(store, "a", 2)
    done(store, Drain("a", Target.OVERFLOW, limit=1))
    found = store.run(packed_jobs.find("a", Tier.OVERFLOW, second))
    assert found is not None
    assert b"data" in found.record
    assert store.run(packed_jobs.find("a", Tier.OVERFLOW, first)) is None


def test_held_jobs_say_behind_which_they_wait(store: Store) -> None:
    messages = [mail(number, ordering_key="order-7") for number in range(3)]
    first, *held = [verdict.job_id for verdict in store.run(admission.admit("a", messages))]
    rows = page(store, "held", 0, 10)
    assert sorted(ids(rows)) == sorted(held)
    assert {row.error for row in rows} == {f"behind {first}"}
