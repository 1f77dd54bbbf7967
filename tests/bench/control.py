"""Benches of the control plane: what a leader's second costs, and what a message takes in each tier."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from statistics import median

from queuectl.daemon.automation import Automation
from queuectl.daemon.duties import Duties
from queuectl.daemon.trouble import Trouble
from queuectl.model import FleetState, QueueState
from queuectl.settings import Settings
from queuectl.store import claims, lease, pools, surge
from queuectl.store.client import AsyncStore, Store
from queuectl.store.connect import open_async_store
from queuectl.store.reader import Reader
from tests.bench.queues import QUEUE, WARM_UP, own_enqueue
from tests.bench.sides import Bench, Side
from tests.bench.world import World

QUEUES = 100
TICKS = 20
Piece = Callable[[FleetState], Awaitable[object]]


def tick(scale: float) -> Bench:
    ticks = max(3, round(TICKS * scale))

    def side(name: str, pieces: Callable[[AsyncStore, Reader, str], Piece]) -> Side:
        return Side(name, lambda world: asyncio.run(_tick_us(world, pieces, ticks)))

    return Bench("tick", f"a leader's second, {QUEUES} queues with everything on auto", "µs", (
        side("all duties", _duties),
        side("of it, automation", _automation),
        side("the picture before it", lambda store, reader, _: lambda _: store.run(reader.fleet())),
    ))  # fmt: skip


def tiers(scale: float) -> Bench:
    jobs = max(2_000, round(20_000 * scale))
    return Bench("tiers", "server memory for a waiting 300-byte mail, by tier", "bytes/job", (
        Side("primary", lambda world: _tier_bytes(world, jobs, 0, 0)),
        Side("surge", lambda world: _tier_bytes(world, jobs, jobs, 0)),
        Side("overflow", lambda world: _tier_bytes(world, jobs, jobs, jobs)),
    ), needs_aof_off=True)  # fmt: skip


def _settings() -> Settings:
    auto = {"shed": "auto", "direction": "auto", "objective": "freshness", "surge": "auto", "overflow": "auto"}
    names = [f"q{number}" for number in range(QUEUES)]
    pool = {"queues": names, "scaling": {"min": 1, "max": 8}}
    return Settings.model_validate({"queues": dict.fromkeys(names, auto), "pools": {"mail": pool}})


def _duties(store: AsyncStore, reader: Reader, fence: str) -> Piece:
    duties = Duties(store, "bench:1", fence, Trouble())
    return lambda fleet: duties.carry_out(fleet, reader.settings)


def _automation(store: AsyncStore, reader: Reader, fence: str) -> Piece:
    automation = Automation(store, fence)
    return lambda fleet: automation.step(fleet, reader.settings)


async def _tick_us(world: World, pieces: Callable[[AsyncStore, Reader, str], Piece], ticks: int) -> float:
    """The median, while every queue holds more than it should."""
    settings, store = _settings(), await open_async_store(world.url)
    await store.run(pools.publish(settings))
    await store.run(claims.register("w1", tuple(settings.queues), {"pool": "mail", "queuectl": "1", "slots": 50}))
    fence = (await store.run(lease.hold("bench:1", "bench", ""))).fence
    reader, took = Reader(settings), []
    piece = pieces(store, reader, fence)
    for number in range(ticks):
        await store.run(lease.hold("bench:1", "bench", fence))
        fleet = await store.run(reader.fleet())
        queues = tuple(replace(queue, depth=900, service_per_s=100.0, in_per_s=120.0) for queue in fleet.queues)
        seen = replace(fleet, queues=queues, taken_at_s=fleet.taken_at_s + number)
        started_s = time.perf_counter()
        await piece(seen)
        took.append(time.perf_counter() - started_s)
    await store.close()
    return 1e6 * median(took)


def _tier_bytes(world: World, jobs: int, to_surge: int, to_overflow: int) -> float:
    own_enqueue(world, 1)
    with world.redis() as client:
        client.flushall()
        before = client.info("memory")["used_memory"]
        own_enqueue(world, jobs)
        store, queue = Store(client), QueueState(QUEUE)
        while to_surge > 0:
            to_surge -= store.run(surge.trim(queue, to_surge, fence="")) or to_surge
        if to_overflow:
            while store.run(surge.squeeze(queue, 0, fence="")):
                pass
        return float(client.info("memory")["used_memory"] - before) / (jobs + WARM_UP)
