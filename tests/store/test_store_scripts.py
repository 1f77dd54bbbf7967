"""Scripts: documented, loaded by one wrapper each, loaded again when the server forgot them, fenced, and bounded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis.asyncio
from redis import Redis
from script_calls import CALLS, Recorder, act, drive_all, set_scene
from store_world import SETTINGS, age, census, end, everything, put

import queuectl
from queuectl.model import (
    Control,
    DeleteFailed,
    Drain,
    QueueState,
    Refill,
    RetryFailed,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
)
from queuectl.store import assist, claims, keys, operations, repair, series, tiers
from queuectl.store.claims import End
from queuectl.store.client import AsyncStore, Call, LeaseLostError, Store, command, script
from queuectl.store.reader import Reader
from queuectl.store.scripts import FOLDER, load

NAMES = sorted(path.stem for path in FOLDER.glob("*.lua"))
FENCED = [name for name in NAMES if "-- @include fence" in (FOLDER / f"{name}.lua").read_text()]
each_script = pytest.mark.parametrize("name", NAMES)
BIG = 2500


def header(name: str) -> str:
    """The comment that a script begins with, as one line."""
    lines = (FOLDER / f"{name}.lua").read_text().splitlines()
    first_code = next(index for index, line in enumerate(lines) if not line.startswith("-- ") or "@include" in line)
    return " ".join(line.removeprefix("--").strip() for line in lines[:first_code])


def documented(name: str, section: str) -> set[int]:
    """The numbers that a section of the header explains: `KEYS: 1 queue list, 2 ledger hash`."""
    match = re.search(rf"{section}: (.*?)(?= KEYS:| ARGV:| Returns:|$)", header(name))
    assert match, f"{name}.lua does not say what its {section} are"
    return {int(number) for number in re.findall(r"(?:^|, |then )(\d+) (?!a |hours)", match[1])}


def used(name: str, table: str) -> set[int]:
    code = re.sub(r"--.*", "", (FOLDER / f"{name}.lua").read_text())
    return {int(number) for number in re.findall(rf"{table}\[(\d+)\]", code)}


@each_script
def test_its_header_explains_it(name: str) -> None:
    assert "Returns: " in header(name)
    assert len(header(name).split("KEYS:")[0]) > 30
    assert used(name, "KEYS") == documented(name, "KEYS")
    assert used(name, "ARGV") <= documented(name, "ARGV") | {len(documented(name, "ARGV")) + 1}


@each_script
def test_one_module_loads_it(name: str) -> None:
    sources = Path(queuectl.__file__).parent.rglob("*.py")
    assert len([path for path in sources if f'load("{name}")' in path.read_text()]) == 1


def test_every_script_is_called_here() -> None:
    assert sorted(CALLS) == NAMES


@each_script
def test_it_runs_after_the_server_forgot_it(store: Store, redis: Redis, name: str) -> None:
    set_scene(store, redis)
    recorder = Recorder(redis)
    redis.script_flush()
    recorder.run(CALLS[name](""))
    calls = [call for call in recorder.scripts if call.script == load(name)]
    assert calls
    assert redis.script_exists(load(name).sha) == [True]
    assert {call.args[2] for call in calls} == {len(documented(name, "KEYS"))}


def test_every_fenced_script_is_known() -> None:
    assert len(FENCED) == 23


@pytest.mark.parametrize("name", FENCED)
def test_an_old_leader_is_refused_and_changes_nothing(store: Store, redis: Redis, name: str) -> None:
    set_scene(store, redis)
    redis.set(keys.LEASE, "mx2:7|2")
    before = everything(redis)
    with pytest.raises(LeaseLostError):
        store.run(CALLS[name]("mx1:5|1"))
    redis.delete(*redis.keys(keys.scheduler_lock("*")), *redis.keys(keys.operation_driver("*")), "no lock at all")
    assert everything(redis) == before
    store.run(CALLS[name]("mx2:7|2"))
    assert everything(redis) != before


@pytest.mark.parametrize("name", FENCED)
def test_without_a_leader_an_old_one_is_refused_too(store: Store, redis: Redis, name: str) -> None:
    set_scene(store, redis)
    with pytest.raises(LeaseLostError):
        store.run(CALLS[name]("mx1:5|1"))


def sample_twice_and_count() -> tuple[Call, ...]:
    write = script(series.WRITE, (keys.SERIES_1S, keys.LATEST), ("", b"x", 100, "", ""))
    return (command("INCR", "n"), write, command("INCR", "n"), write, command("XLEN", keys.SERIES_1S))


def test_in_one_round_trip_only_the_forgotten_scripts_run_again(store: Store, redis: Redis) -> None:
    """Commands between them have run: a second time would count them twice."""
    redis.script_flush()
    first, _, second, _, _ = store._execute(sample_twice_and_count())
    assert (first, second, redis.get("n"), redis.xlen(keys.SERIES_1S)) == (1, 2, b"2", 2)
    assert store._execute(sample_twice_and_count())[4] == 4


async def test_the_same_on_asyncio(redis: Redis, redis_url: str) -> None:
    redis.script_flush()
    store = AsyncStore(_async_connection(redis_url))
    first, _, second, _, _ = await store._execute(sample_twice_and_count())
    await store.close()
    assert (first, second, redis.get("n"), redis.xlen(keys.SERIES_1S)) == (1, 2, b"2", 2)


def _async_connection(url: str) -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(url)


class Bounded(Recorder):
    """Fails when one script moves more than 1,000 jobs from where they were."""

    most = 0

    def _execute(self, calls: tuple[Call, ...]) -> list[object]:
        if not any(call.script for call in calls):
            return super()._execute(calls)
        before = census(self.connection, ("a", "b"))
        replies = super()._execute(calls)
        after = census(self.connection, ("a", "b"))
        jobs = before.places.keys() | after.places.keys()
        moved = sum(before.places.get(job_id) != after.places.get(job_id) for job_id in jobs)
        assert moved <= 1000, f"{calls[-1].script}: {moved}"
        self.most = max(self.most, moved)
        return replies


def all_of(store: Store) -> None:
    while store.run(operations.running()):
        store.run(drive_all(""))


def test_no_script_touches_more_than_a_thousand_jobs(redis: Redis) -> None:
    store = Bounded(redis)
    ids = put(store, "a", BIG)
    put(store, "b", 1)
    for action in (Drain("a", Target.OVERFLOW), Refill("a"), Drain("a", Target.SHED), Refill("a", Tier.SHED, 1e6),
                   Drain("a", Target.QUEUE, "b"), Undo(5)):  # fmt: skip
        store.run(act(action))
        all_of(store)
    assert redis.llen(keys.queue("a")) == BIG
    held = [store.run(claims.claim("w1", [("a", 9000)], 9000, lease_s=60)).jobs for _ in range(3)]
    assert [len(jobs) for jobs in held] == [1000, 1000, 500]
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    store.run(repair.repair_workers("", dead_after_s=30, max_losses=9))
    assert redis.llen(keys.queue("a")) == BIG
    for how in (End.RETRY, End.FAILED):
        for _ in range(3):
            end(store, store.run(claims.claim("w1", [("a", 9000)], 9000, lease_s=60)).jobs, how, attempts=1)
        if how is End.RETRY:
            assert [store.run(repair.promote_scheduled("", "a", "d")).jobs for _ in range(6)] == [500] * 5 + [0]
    store.run(act(RetryFailed("a")))
    state = QueueState("a", shed=Control(Switch.ON))
    while store.run(assist.rotate(state, fence="")):
        pass
    age(redis, ids, 9e5)
    for job_id in ids:
        redis.hdel(keys.job(job_id), "spared")
    assert [store.run(tiers.sweep_stale("a", fence="", max_age_s=60)) for _ in range(4)] == [1000, 1000, 500, 0]
    assert store.run(tiers.unstage("a", "sweep", fence="", end="head")) == BIG
    for _ in range(3):
        end(store, store.run(claims.claim("w1", [("a", 9000)], 9000, lease_s=60)).jobs, End.FAILED)
    store.run(act(DeleteFailed("a")))
    assert census(redis, ("a", "b")).at("failed a") == []
    assert store.most == 1000
    queue = store.run(Reader(SETTINGS).fleet()).queue("a")
    assert queue is not None
    assert queue.ledger.residue == 0


def test_a_stale_claim_looks_at_a_thousand_and_no_more(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 1500)
    age(redis, ids, 9e5)
    store.run(act(SetShed("a", Switch.ON)))
    assert store.run(claims.claim("w1", [("a", 10), ("b", 10)], 10, lease_s=60)).jobs == ()
    assert redis.llen(keys.queue("a")) == 500
    assert redis.hgetall(keys.staged("a")) == {b"claim": b"1000"}
