"""Real `rq worker` processes and stock producers, steered by a leader they know nothing of."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from daemon_runs import DaemonProcess, Leader
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from worker_runs import SAMPLE_JOBS, until

from queuectl.daemon.guards import GUARDS, Guards
from queuectl.model import Direction, SetDirection, SetPause, SetShed, Switch
from queuectl.store import keys


class StockWorker:
    """One `rq worker` process."""

    def __init__(self, url: str, *queues: str, options: tuple[str, ...] = ()) -> None:
        self.redis = Redis.from_url(url)
        self.name = f"stock-{os.getpid()}-{id(self)}"
        command = [sys.executable, "-m", "rq.cli", "worker", "--serializer", "json", "-n", self.name, *options, *queues]
        environ = {**os.environ, "RQ_REDIS_URL": url, "PYTHONPATH": str(SAMPLE_JOBS)}
        self.process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def idle(self) -> StockWorker:
        """Wait until it blocks for a job."""
        until(lambda: b"cmd=bl" in self.redis.execute_command("CLIENT", "LIST") and self._field("state") == b"idle")
        return self

    @property
    def done(self) -> int:
        return int(self._field("successful_job_count") or 0)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.redis.close()

    def _field(self, name: str) -> bytes | None:
        return self.redis.hget(f"rq:worker:{self.name}", name)


@pytest.fixture
def stock(redis_url: str) -> Iterator[Callable[..., StockWorker]]:
    started: list[StockWorker] = []

    def start(*queues: str, options: tuple[str, ...] = ()) -> StockWorker:
        started.append(StockWorker(redis_url, *(queues or ("forum",)), options=options))
        return started[-1]

    yield start
    for worker in started:
        worker.process.kill()
        worker.process.wait()
        worker.redis.close()


@pytest.fixture
async def ticking(leader: Leader) -> AsyncIterator[Leader]:
    """A leader whose seconds pass by themselves, and quickly."""

    async def tick() -> None:
        while True:
            await leader.tick()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(tick())
    yield leader
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def queue(redis: Redis) -> Queue:
    redis.sadd(keys.QUEUES, keys.queue("forum"))
    return Queue("forum", connection=redis, serializer=JSONSerializer)


def mark(queue: Queue, *names: str) -> list[str]:
    """Jobs that write their name into the list `ran`."""
    return [queue.enqueue("sample_jobs.mark", "ran", name).id for name in names]


def ran(redis: Redis) -> list[str]:
    return [raw.decode() for raw in redis.lrange("ran", 0, -1)]


async def eventually(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(until, condition)


class Line:
    """Who blocks on a queue. Made before guards come: then every worker stands where it stood."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._before = self._heartbeats()

    def is_guarded(self) -> bool:
        """The guards are there, and every worker has asked anew since."""
        found = self._redis.execute_command("CLIENT", "LIST").decode().splitlines()
        guards = sum("name=queuectl-guard" in line and "cmd=blmove" in line for line in found)
        now = self._heartbeats()
        return guards == GUARDS and all(now[worker] != self._before.get(worker) for worker in now)

    def _heartbeats(self) -> dict[bytes, bytes | None]:
        return {worker: self._redis.hget(worker, "last_heartbeat") for worker in self._redis.smembers("rq:workers")}


@pytest.mark.parametrize("queues", [("forum",), ("forum", "other")], ids=["blmove", "blpop"])
async def test_a_paused_queue_gives_idle_stock_workers_nothing(
    queues: tuple[str, ...], ticking: Leader, queue: Queue, stock: Callable[..., StockWorker], redis: Redis
):
    workers = [stock(*queues) for _ in range(2)]
    await asyncio.to_thread(lambda: [worker.idle() for worker in workers])
    line = Line(redis)
    await ticking.act(SetPause("forum", Switch.ON))
    await eventually(line.is_guarded)
    job_ids = []
    for number in range(30):
        job_ids += await asyncio.to_thread(mark, queue, f"{number}")
    await eventually(lambda: redis.llen(keys.aside("forum")) == 30)
    forum = (await ticking.picture()).queue("forum")
    assert forum and (forum.depth, forum.aside, forum.in_flight) == (30, 30, 0)
    assert ran(redis) == []
    assert [raw.decode() for raw in redis.lrange(keys.aside("forum"), 0, -1)] == job_ids
    if "other" in queues:
        other = Queue("other", connection=redis, serializer=JSONSerializer)
        await asyncio.to_thread(mark, other, "unpaused")
        await eventually(lambda: ran(redis) == ["unpaused"])
        redis.delete("ran")
    workers[1].stop()
    await ticking.act(SetPause("forum", None))
    await eventually(lambda: len(ran(redis)) == 30)
    assert ran(redis) == [str(number) for number in range(30)]
    assert not redis.exists(keys.aside("forum"))


async def test_guards_take_none_of_the_daemons_own_connections(leader: Leader, redis: Redis):
    leader.store.connection.connection_pool.max_connections = 2
    guards = Guards(leader.store)
    await guards.keep({name: frozenset() for name in ("a", "b", "c", "d")})
    await eventually(lambda: redis.execute_command("CLIENT", "LIST").count(b"cmd=blmove") == 4 * GUARDS)
    await leader.tick()
    await guards.leave()
    await eventually(lambda: redis.execute_command("CLIENT", "LIST").count(b"name=queuectl-guard") == 0)


async def test_a_pause_expires(ticking: Leader, queue: Queue, stock: Callable[..., StockWorker], redis: Redis):
    stock().idle()
    line = Line(redis)
    await ticking.act(SetPause("forum", Switch.ON, for_s=1.0))
    await eventually(line.is_guarded)
    await asyncio.to_thread(mark, queue, "a", "b")
    await eventually(lambda: ran(redis) == ["a", "b"])
    assert (await ticking.picture()).queue("forum").aside == 0


def test_a_new_leader_goes_on_pausing_and_brings_back(
    start_daemon: Callable[..., DaemonProcess], queue: Queue, stock: Callable[..., StockWorker], redis: Redis
):
    stock().idle()
    first = start_daemon()
    until(lambda: redis.get("queuectl:lease"))
    line = Line(redis)
    redis.hset(keys.control("forum"), "pause", "on")
    until(line.is_guarded)
    before = mark(queue, *(f"{number}" for number in range(20)))
    first.send(signal.SIGKILL)
    first.end()
    redis.delete("queuectl:lease")
    until(lambda: b"queuectl-guard" not in redis.execute_command("CLIENT", "LIST"))
    line = Line(redis)
    second = start_daemon()
    until(lambda: (redis.get("queuectl:lease") or b"").split(b"|")[0].endswith(str(second.pid).encode()))
    until(line.is_guarded)
    after = mark(queue, *(f"{number}" for number in range(20, 40)))
    until(lambda: redis.llen(keys.aside("forum")) == 40)
    assert [raw.decode() for raw in redis.lrange(keys.aside("forum"), 0, -1)] == before + after
    redis.hdel(keys.control("forum"), "pause")
    until(lambda: len(ran(redis)) == 40)
    assert ran(redis) == [str(number) for number in range(40)]
    assert second.stop() == 0


async def test_lifo_and_back_under_a_stock_producer_and_a_stock_worker(
    ticking: Leader, queue: Queue, stock: Callable[..., StockWorker], redis: Redis
):
    """1,500 wait; those that come while the queue is LIFO run before any of them, newest batch first."""
    names = [f"old{number}" for number in range(1500)]
    data = [Queue.prepare_data("sample_jobs.mark", ("ran", name)) for name in names]
    queue.enqueue_many(data)
    redis.sadd(keys.WORKERS, "rq:worker:w")
    redis.sadd(keys.queue_workers("forum"), "rq:worker:w")
    redis.hset("rq:worker:w", mapping={"queues": "forum", "state": "idle"})
    await ticking.act(SetDirection("forum", Direction.LIFO))
    await eventually(lambda: redis.lindex("rq:queue:forum", 0) == queue_id(redis, queue, names[-1]))
    new = await asyncio.to_thread(mark, queue, "new0", "new1", "new2")
    await eventually(lambda: set(new) <= {raw.decode() for raw in redis.lrange("rq:queue:forum", 0, 4)})
    redis.delete("rq:worker:w")
    redis.srem(keys.WORKERS, "rq:worker:w")
    await asyncio.to_thread(stock("forum", options=("--burst", "--max-jobs", "5")).process.wait, 60)
    assert [name for name in ran(redis) if name.startswith("new")] == ["new2", "new1", "new0"]
    await ticking.act(SetDirection("forum", None))
    await eventually(lambda: not redis.hexists(keys.control("forum"), "assist"))
    (last,) = await asyncio.to_thread(mark, queue, "last")
    await ticking.tick()
    assert redis.llen("rq:queue:forum") == 1499
    assert redis.lindex("rq:queue:forum", -1).decode() == last, "FIFO again: what arrives waits for its turn"


def queue_id(redis: Redis, queue: Queue, name: str) -> bytes | None:
    """The id of the waiting job of that name."""
    for raw in (*redis.lrange("rq:queue:forum", 0, 5), *redis.lrange("rq:queue:forum", -5, -1)):
        job = queue.fetch_job(raw.decode())
        if job and job.args[1] == name:
            return raw
    return None


async def test_the_stale_head_is_swept_before_a_stock_worker_sees_it(
    leader: Leader, queue: Queue, stock: Callable[..., StockWorker], redis: Redis
):
    stale = [f"stale{number}" for number in range(1200)]
    jobs = queue.enqueue_many([Queue.prepare_data("sample_jobs.mark", ("ran", name)) for name in stale])
    then = (datetime.now(UTC) - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for job in jobs:
        redis.hset(job.key, "created_at", then)
    mark(queue, "fresh")
    await leader.act(SetShed("forum", Switch.ON))
    for _ in range(3):
        await leader.tick()
    await asyncio.to_thread(stock("forum", options=("--burst",)).process.wait, 60)
    assert ran(redis) == ["fresh"]
    forum = (await leader.picture()).queue("forum")
    assert forum and (forum.shed_stored, forum.depth) == (1200, 0)
