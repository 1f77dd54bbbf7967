"""Bench of drains and refills: how fast, and how long the server is held from everyone else."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable

from redis import Redis

from queuectl.model import Action, Drain, Refill, Target
from queuectl.settings import Settings
from queuectl.store import operations
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate
from tests.bench.queues import QUEUE, SCRIPTS, own_enqueue
from tests.bench.sides import Bench, Side
from tests.bench.world import ROOT, SideError, World, module

JOBS = 1_000_000
SLOW_US = 500
"""Calls shorter than this are not looked at."""


def drain(scale: float) -> Bench:
    """One drain to overflow and back a round; every side but the first shows a figure of the same run."""
    jobs = max(2_000, round(JOBS * scale))
    seen: dict[str, float] = {}

    def first(world: World) -> float:
        seen.clear()
        seen.update(_there_and_back(world, jobs))
        return seen["drain, messages a second"]

    def side(name: str) -> Side:
        return Side(name, lambda _: _of_run(seen, name))

    names = ("bytes a message in overflow", "drain, longest call, µs", "drain, another client's p99.9, µs",
             "drain, its worst wait, µs", "refill, messages a second", "refill, longest call, µs",
             "refill, another client's p99.9, µs", "refill, its worst wait, µs")  # fmt: skip
    return Bench("drain", f"{jobs:,} waiting messages to overflow and back", "see names", (
        Side("drain, messages a second", first), *(side(name) for name in names),
    ), comparable=False)  # fmt: skip


def _of_run(seen: dict[str, float], name: str) -> float:
    if name not in seen:
        raise SideError("the run failed")
    return seen[name]


def _there_and_back(world: World, jobs: int) -> dict[str, float]:
    own_enqueue(world, jobs)
    found: dict[str, float] = {}
    with world.redis() as client:
        total = int(client.llen(f"rq:queue:{QUEUE}"))
        found |= _watched(world, client, "drain", Drain(QUEUE, Target.OVERFLOW), total)
        totals = client.hgetall(f"queuectl:overflow:{QUEUE}:totals")
        found["bytes a message in overflow"] = int(totals[b"bytes"]) / int(totals[b"jobs"])
        found |= _watched(world, client, "refill", Refill(QUEUE), total)
        if client.llen(f"rq:queue:{QUEUE}") != total:
            raise SideError(f"{client.llen(f'rq:queue:{QUEUE}'):,} of {total:,} messages came back")
    return found


def _watched(world: World, client: Redis, name: str, action: Action, jobs: int) -> dict[str, float]:
    client.config_set("slowlog-log-slower-than", SLOW_US)
    client.config_set("slowlog-max-len", 100_000)
    client.slowlog_reset()
    took_s, waits = _pinged(world, lambda: _carry_out(world, action))
    longest = max((entry["duration"] for entry in client.slowlog_get(100_000)), default=SLOW_US)
    return {
        f"{name}, messages a second": jobs / took_s,
        f"{name}, longest call, µs": longest,
        f"{name}, another client's p99.9, µs": waits["p999_us"],
        f"{name}, its worst wait, µs": waits["worst_us"],
    }


def _carry_out(world: World, action: Action) -> None:
    with open_store(world.url) as store:
        gate = Gate(Settings(), "bench@here")
        outcome = store.run(gate.commit(store.run(gate.preview(action))))
        while (step := store.run(operations.drive(outcome.operation, driver="bench:1"))) and not step.finished:
            pass


def _pinged(world: World, work: Callable[[], None]) -> tuple[float, dict[str, float]]:
    """Seconds that the work took, and what a client in another process had to wait meanwhile."""
    command = module(f"{SCRIPTS}.ping", world.url)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as pinging:
        assert pinging.stdout
        if pinging.stdout.readline() != "ready\n":
            raise SideError("the pinging client did not start")
        began_s = time.perf_counter()
        work()
        took_s = time.perf_counter() - began_s
        told, _ = pinging.communicate()
    return took_s, json.loads(told)
