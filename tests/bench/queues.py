"""Benches of the queue itself: admission, no-op jobs, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.bench import bullmq_peer
from tests.bench.own import null_settings, worker
from tests.bench.sides import Bench, Side
from tests.bench.world import SideError, World, drain_rate, module, run_json

QUEUE = "bench"
SCRIPTS = "tests.bench.scripts"
OUR_LISTPACK_VALUE = 1024
"""What the embedded server sets, and `doctor` advises."""
STOCK_LISTPACK_VALUE = 64
WARM_UP = 100
"""Jobs that every enqueuing script adds before it starts its clock."""


def admission(scale: float) -> Bench:
    ours, theirs, peers = (round(jobs * scale) for jobs in (40_000, 10_000, 20_000))
    return Bench("admission", "300-byte mails enqueued by one process", "jobs/s", (
        Side("queuectl Outbox.enqueue_many", lambda world: _rate(own_enqueue(world, ours))),
        Side("rq Queue.enqueue_many (500 a call)", lambda world: _rate(rq_enqueue(world, theirs, "pickle"))),
        Side("BullMQ addBulk (500 a call)", lambda world: _rate(bullmq_enqueue(world, peers)), bullmq_peer.trouble()),
    ))  # fmt: skip


def noop(scale: float) -> Bench:
    ours, foreign, theirs, peers = (round(jobs * scale) for jobs in (40_000, 4_000, 600, 20_000))
    return Bench("noop", "jobs that do nothing, one worker process (the queue's part of the work)", "jobs/s", (
        Side("queuectl worker, mail, null transport", lambda world: _own_noop(world, ours)),
        Side("rq SimpleWorker, no-op function", lambda world: _rq_noop(world, theirs)),
        Side("queuectl worker, rq's no-op function", lambda world: _foreign_noop(world, foreign)),
        Side("BullMQ worker, concurrency 50", lambda world: _bullmq_noop(world, peers), bullmq_peer.trouble()),
    ))  # fmt: skip


def memory(scale: float) -> Bench:
    jobs = max(2_000, round(20_000 * scale))

    def side(name: str, command: Callable[[World, int], list[str]], listpack_value: int, skip: str = "") -> Side:
        return Side(f"{name}, {listpack_value}", lambda world: _bytes(world, command, jobs, listpack_value), skip)

    return Bench("bytes", "server memory for a waiting 300-byte mail, by hash-max-listpack-value", "bytes/job", (
        side("queuectl Outbox", own_enqueue_command, OUR_LISTPACK_VALUE),
        side("queuectl Outbox", own_enqueue_command, STOCK_LISTPACK_VALUE),
        side("rq Queue", rq_enqueue_command, STOCK_LISTPACK_VALUE),
        side("rq Queue", rq_enqueue_command, OUR_LISTPACK_VALUE),
        side("BullMQ", bullmq_enqueue_command, STOCK_LISTPACK_VALUE, bullmq_peer.trouble()),
        side("BullMQ", bullmq_enqueue_command, OUR_LISTPACK_VALUE, bullmq_peer.trouble()),
    ), needs_aof_off=True)  # fmt: skip


def own_enqueue_command(world: World, jobs: int) -> list[str]:
    return module(f"{SCRIPTS}.queuectl_enqueue", world.url, QUEUE, jobs)


def own_enqueue(world: World, jobs: int) -> dict[str, float]:
    return run_json(own_enqueue_command(world, jobs))


def rq_enqueue_command(
    world: World, jobs: int, serializer: str = "pickle", kind: str = "noop", *more: object
) -> list[str]:
    return module(f"{SCRIPTS}.rq_enqueue", world.url, QUEUE, jobs, kind, serializer, *more)


def rq_enqueue(world: World, jobs: int, serializer: str) -> dict[str, float]:
    return run_json(rq_enqueue_command(world, jobs, serializer))


def bullmq_enqueue_command(world: World, jobs: int) -> list[str]:
    return bullmq_peer.script("enqueue", world, QUEUE, jobs)


def bullmq_enqueue(world: World, jobs: int) -> dict[str, float]:
    return run_json(bullmq_enqueue_command(world, jobs))


def rq_drain(world: World, jobs: int, commands: Sequence[Sequence[str]]) -> float:
    """Drain the queue through keys that rq and queuectl share."""
    return drain_rate(world, commands, jobs, f"rq:queue:{QUEUE}", (f"rq:queue:{QUEUE}:intermediate", f"rq:wip:{QUEUE}"))


def rq_worker(world: World) -> list[str]:
    return module("rq.cli", "worker", "--burst", "--quiet", "--url", world.url, "--serializer", "json",
                  "--worker-class", "rq.SimpleWorker", QUEUE)  # fmt: skip


def check_delivered(world: World, jobs: int) -> None:
    """Our ledger must say that every message was delivered. Raises SideError."""
    with world.redis() as client:
        delivered = int(client.hget(f"queuectl:ledger:{QUEUE}", "delivered") or 0)
    if delivered != jobs:
        raise SideError(f"{jobs} messages, but the ledger counts {delivered} delivered")


def _rate(result: dict[str, float]) -> float:
    return result["jobs"] / result["seconds"]


def _own_noop(world: World, jobs: int) -> float:
    own_enqueue(world, jobs)
    rate = rq_drain(world, jobs, [worker(world, null_settings(world), QUEUE, 500)])
    check_delivered(world, jobs)
    return rate


def _foreign_noop(world: World, jobs: int) -> float:
    rq_enqueue(world, jobs, "json")
    return rq_drain(world, jobs, [worker(world, null_settings(world), QUEUE, 50)])


def _rq_noop(world: World, jobs: int) -> float:
    rq_enqueue(world, jobs, "json")
    return rq_drain(world, jobs, [rq_worker(world)])


def _bullmq_noop(world: World, jobs: int) -> float:
    bullmq_enqueue(world, jobs)
    keys = f"bull:{QUEUE}"
    return drain_rate(
        world, [bullmq_peer.script("work", world, QUEUE, jobs)], jobs, f"{keys}:wait", (f"{keys}:active",)
    )


def _bytes(world: World, command: Callable[[World, int], list[str]], jobs: int, listpack_value: int) -> float:
    """`used_memory` before and after; a first small run loads what is paid for once, such as scripts."""
    with world.redis() as client:
        client.config_set("hash-max-listpack-value", listpack_value)
        try:
            run_json(command(world, 1))
            client.flushall()
            before = client.info("memory")["used_memory"]
            run_json(command(world, jobs))
            return (client.info("memory")["used_memory"] - before) / (jobs + WARM_UP)
        finally:
            client.config_set("hash-max-listpack-value", OUR_LISTPACK_VALUE)
