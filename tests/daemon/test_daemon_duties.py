"""A leader's second: what stock rq cannot do for itself, and what others left half done."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from daemon_runs import Leader
from redis import Redis
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer

from queuectl import MailMessage, Outbox
from queuectl.daemon.duties import Duties
from queuectl.daemon.trouble import Trouble
from queuectl.model import Direction, Drain, Refill, SetDirection, SetPause, SetShed, Switch, Target, Tier
from queuectl.settings import Settings
from queuectl.store import audit, claims, lease, operations, tiers
from queuectl.store.client import LeaseLostError
from queuectl.store.connect import open_async_store


@pytest.fixture
def queue(redis: Redis) -> Queue:
    return Queue("forum", connection=redis, serializer=JSONSerializer)


@pytest.fixture
def stock_worker(queue: Queue, redis: Redis) -> Iterator[SimpleWorker]:
    """Registered, and idle until the test says `work`."""
    worker = SimpleWorker([queue], connection=redis, serializer=JSONSerializer)
    worker.register_birth()
    yield worker
    worker.register_death()


def enqueue(queue: Queue, number: int) -> list[str]:
    return [queue.enqueue("os.getcwd").id for _ in range(number)]


def run_in_order(worker: SimpleWorker) -> list[str]:
    """The ids of what this worker ran, in its order."""
    order: list[str] = []

    class Noting(SimpleWorker):
        def execute_job(self, job: Job, queue: Queue) -> None:
            order.append(job.id)
            super().execute_job(job, queue)

    stock = Noting(worker.queues, connection=worker.connection, serializer=JSONSerializer)
    stock.work(burst=True, logging_level="ERROR")
    return order


def waiting(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("rq:queue:forum", 0, -1)]


def make_old(redis: Redis, job_ids: list[str], age_s: float) -> None:
    created = datetime.now(UTC) - timedelta(seconds=age_s)
    for job_id in job_ids:
        redis.hset(f"rq:job:{job_id}", "created_at", created.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def send(url: str, number: int) -> list[str]:
    with Outbox(url) as outbox:
        mails = [MailMessage(to=f"u{index}@example.org", subject="Hello", text="Hello") for index in range(number)]
        return [verdict.job_id for verdict in outbox.enqueue_many("forum", mails)]


async def test_scheduled_jobs_of_stock_rq_are_promoted(leader: Leader, queue: Queue, stock_worker: SimpleWorker):
    due = queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=2), "os.getcwd")
    later = queue.enqueue_in(timedelta(hours=1), "os.getcwd")
    await leader.tick()
    assert run_in_order(stock_worker) == [due.id]
    assert later.get_status() == "scheduled"


async def test_a_stock_schedulers_lock_is_respected_and_ours_by_it(leader: Leader, queue: Queue, redis: Redis):
    scheduler = RQScheduler(["forum"], redis)
    assert scheduler.acquire_locks() == {"forum"}
    job = queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=2), "os.getcwd")
    await leader.tick()
    assert job.get_status() == "scheduled"
    scheduler.release_locks()
    await leader.tick()
    assert job.get_status() == "queued"
    assert RQScheduler(["forum"], redis).acquire_locks() == set()


async def test_the_next_leader_inherits_the_scheduler_locks(leader: Leader, queue: Queue, redis: Redis):
    queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=2), "os.getcwd")
    await leader.tick()
    job = queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=2), "os.getcwd")
    redis.delete("queuectl:lease")
    await (await Leader.elected(leader.store, Settings())).tick()
    assert job.get_status() == "queued"


async def test_lifo_for_stock_workers(leader: Leader, queue: Queue, stock_worker: SimpleWorker, redis: Redis):
    old = enqueue(queue, 3)
    await leader.act(SetDirection("forum", Direction.LIFO))
    await leader.tick()
    new = enqueue(queue, 2)
    await leader.tick()
    assert redis.hget("queuectl:control:forum", "assist") == b"1"
    assert run_in_order(stock_worker) == [new[1], old[0], new[0], old[2], old[1]]


async def test_rotation_ends_with_lifo_only(leader: Leader, queue: Queue, stock_worker: SimpleWorker, redis: Redis):
    job_ids = enqueue(queue, 3)
    await leader.act(SetDirection("forum", Direction.LIFO))
    await leader.tick()
    stock_worker.register_death()
    await leader.tick()
    assert redis.hget("queuectl:control:forum", "assist") == b"1"
    assert waiting(redis) == job_ids[::-1]
    await leader.act(SetDirection("forum", None))
    await leader.tick()
    assert redis.hget("queuectl:control:forum", "assist") is None


async def test_stale_jobs_are_swept_and_replayed(leader: Leader, queue: Queue, redis: Redis):
    stale, fresh = enqueue(queue, 5), enqueue(queue, 2)
    make_old(redis, stale, 5 * 3600)
    await leader.act(SetShed("forum", Switch.ON))
    await leader.tick()
    assert waiting(redis) == fresh
    forum = (await leader.picture()).queue("forum")
    assert forum and (forum.shed_stored, forum.draining) == (5, 0)
    await leader.act(SetShed("forum", None))
    await leader.act(Refill("forum", Tier.SHED))
    await leader.tick()
    assert waiting(redis) == fresh + stale
    assert [job.id for job in Job.fetch_many(stale, redis, JSONSerializer) if job] == stale


async def test_a_sweep_takes_more_than_one_segment(leader: Leader, redis: Redis, redis_url: str):
    make_old(redis, send(redis_url, 1500), 5 * 3600)
    await leader.act(SetShed("forum", Switch.ON))
    await leader.tick()
    await leader.tick()
    forum = (await leader.picture()).queue("forum")
    assert forum and (forum.depth, forum.shed_stored, forum.ledger.residue) == (0, 1500, 0)


async def test_a_drain_whose_driver_died_is_finished(leader: Leader, redis: Redis, redis_url: str):
    job_ids = send(redis_url, 3500)
    outcome = await leader.act(Drain("forum", Target.OVERFLOW))
    begun = await leader.store.run(operations.drive(outcome.operation, driver="elsewhere:1"))
    assert begun and begun.done == 1000
    await leader.tick()
    assert len(waiting(redis)) == 2500, "its driver may still live"
    redis.delete(f"queuectl:op:{outcome.operation}:driver")
    while waiting(redis):
        await leader.tick()
    await leader.tick()
    ended = await leader.store.run(operations.read(outcome.operation))
    assert ended and (ended.done, ended.finished) == (3500, True)
    await leader.act(Refill("forum"))
    while len(waiting(redis)) < 3500:
        await leader.tick()
    assert sorted(waiting(redis)) == sorted(job_ids)


async def test_two_operations_share_the_second(leader: Leader, redis: Redis, redis_url: str):
    with Outbox(redis_url) as outbox:
        for name in ("forum", "welcome"):
            list(outbox.enqueue_many(name, [MailMessage(to="a@example.org", text="Hello") for _ in range(50)]))
    drains = [await leader.act(Drain(name, Target.OVERFLOW)) for name in ("forum", "welcome")]
    while any(redis.llen(f"rq:queue:{name}") for name in ("forum", "welcome")):
        await leader.tick()
    assert [outcome.operation for outcome in drains] != ["", ""]


@pytest.mark.parametrize("end", ["head", "tail"])
async def test_what_a_vanished_drain_staged_goes_back_in_order(leader: Leader, redis: Redis, redis_url: str, end: str):
    job_ids = send(redis_url, 20)
    for _ in range(2):
        await leader.store.run(
            tiers.stage("forum", "0123456789", fence="", end=end, most=4, cutoff_s=None, shedding=False)
        )
    assert len(waiting(redis)) == 12
    await leader.tick()
    assert waiting(redis) == job_ids
    assert not redis.exists("queuectl:staged:forum", "queuectl:staged:forum:ends")


async def test_a_drain_of_a_lifo_queue_that_lost_its_record_goes_back_to_the_head(
    leader: Leader, redis: Redis, redis_url: str
):
    job_ids = send(redis_url, 20)
    await leader.act(SetDirection("forum", Direction.LIFO))
    outcome = await leader.act(Drain("forum", Target.OVERFLOW, limit=8))
    steps = operations.drive(outcome.operation, driver="elsewhere:1")
    calls = steps.send(None)
    for _ in range(5):
        calls = steps.send(await leader.store._ask(calls))
    assert waiting(redis) == job_ids[8:], "its driver dies here"
    redis.delete(f"queuectl:op:{outcome.operation}", f"queuectl:op:{outcome.operation}:driver", "queuectl:ops")
    await leader.tick()
    assert waiting(redis) == job_ids


async def test_a_dead_workers_messages_come_back_with_an_audit_entry(leader: Leader, redis: Redis, redis_url: str):
    job_ids = send(redis_url, 3)
    await leader.store.run(claims.register("w1", ["forum"], {"queuectl": 1}))
    await leader.store.run(claims.claim("w1", [("forum", 3)], 3, lease_s=60))
    redis.zadd("queuectl:workers", {"w1": 1})
    await leader.tick()
    assert sorted(waiting(redis)) == sorted(job_ids)
    (entry,) = await leader.store.run(audit.recent())
    assert (entry.who, entry.action, entry.scope, entry.after) == ("auto", "repair", "w1", "3 requeued")
    assert not entry.undoable


async def test_a_damaged_segment_does_not_hold_up_a_refill(leader: Leader, redis: Redis, redis_url: str):
    for number in (10, 5):
        send(redis_url, number)
        await leader.act(Drain("forum", Target.OVERFLOW))
        await leader.tick()
    damaged = redis.zrange("queuectl:overflow:forum:index", 0, 0)[0]
    redis.hset("queuectl:overflow:forum", damaged, b"no zstd")
    outcome = await leader.act(Refill("forum"))
    await leader.tick()
    ended = await leader.store.run(operations.read(outcome.operation))
    assert ended
    assert (ended.finished, ended.done, ended.note) == (True, 5, "1 damaged segment set aside")
    assert len(waiting(redis)) == 5
    assert redis.hexists("queuectl:overflow:forum", damaged), "what cannot be read is kept for a human"


async def test_a_failing_duty_does_not_keep_the_others_from_theirs(
    leader: Leader, redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
):
    send(redis_url, 10)
    await leader.act(Drain("forum", Target.OVERFLOW))
    redis.acl_setuser(
        "limited", enabled=True, nopass=True, keys="*", channels="*", commands=["+@all", "-zrangebyscore"]
    )
    separator = "&" if "?" in redis_url else "?"
    store = await open_async_store(f"{redis_url}{separator}username=limited&password=x")
    duties = Duties(store, "test:1", leader.fence, Trouble())
    with caplog.at_level(logging.ERROR):
        for _ in range(6):
            await duties.carry_out(await leader.picture(), leader.settings)
    await store.close()
    redis.acl_deluser("limited")
    assert not waiting(redis)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["repair"], "said once"


async def test_an_old_leader_changes_nothing(leader: Leader, redis: Redis, redis_url: str, queue: Queue):
    """Everything a tick could do is there to be done; with a lease that another took, none of it happens."""
    stale = send(redis_url, 5)
    make_old(redis, stale, 5 * 3600)
    await leader.act(SetShed("forum", Switch.ON))
    await leader.act(Drain("forum", Target.OVERFLOW, limit=1))
    redis.zadd("queuectl:workers", {"w1": 1})
    await leader.store.run(tiers.stage("forum", "gone", fence="", end="tail", most=1, cutoff_s=None, shedding=False))
    queue.enqueue_at(datetime.now(UTC) - timedelta(seconds=2), "os.getcwd")
    redis.delete("queuectl:lease")
    await leader.store.run(lease.hold("other:2", "other", ""))
    picture = await leader.picture()
    before = dump(redis)
    refused = []
    for subject, duty in Duties(leader.store, "test:1", leader.fence, Trouble())._due():
        try:
            await duty(picture, leader.settings)
        except LeaseLostError:
            refused.append(subject)
    assert refused == ["automation", "surge and overflow", "promoting scheduled jobs", "shedding", "repair",
                       "staging lists", "operations"]  # fmt: skip
    assert dump(redis) == before


def dump(redis: Redis) -> dict[bytes, bytes | None]:
    """Everything on the server, but for locks that expire by themselves."""
    return {key: redis.dump(key) for key in redis.scan_iter() if not key.endswith(b":driver") and b"-lock:" not in key}


async def test_a_paused_queue_is_left_alone(leader: Leader, redis: Redis, redis_url: str):
    job_ids = send(redis_url, 3)
    await leader.act(SetPause("forum", Switch.ON))
    await leader.tick()
    assert waiting(redis) == job_ids


async def test_server_and_ledger_are_watched(
    leader: Leader, redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
):
    send(redis_url, 3)
    redis.hincrby("queuectl:ledger:forum", "accepted", 2)
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        await leader.tick()
    finally:
        redis.config_set("maxmemory-policy", "noeviction")
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "ledger of forum: residue +2" in said
    assert "maxmemory-policy is allkeys-lru" in said


async def test_the_shed_store_expires_with_a_note(leader: Leader, redis: Redis, redis_url: str):
    send(redis_url, 3)
    await leader.act(Drain("forum", Target.SHED))
    await leader.tick()
    assert leader.settings.automation.shed_keep_s == 7 * 86400
    redis.delete("queuectl:lease")
    settings = Settings.model_validate({"automation": {"shed_keep_s": 1e-6}})
    await (await Leader.elected(leader.store, settings)).tick()
    forum = (await leader.picture()).queue("forum")
    assert forum and (forum.shed_stored, forum.ledger.expired, forum.ledger.residue) == (0, 3, 0)
    entry, *_ = await leader.store.run(audit.recent())
    assert (entry.who, entry.action, entry.scope, entry.after) == ("auto", "expire", "forum", "3 expired")
