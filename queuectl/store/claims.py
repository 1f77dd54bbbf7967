"""A worker's conversation with the server: register, claim, renew, finish."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zlib import compress

from queuectl.store import ids, keys
from queuectl.store.client import Argument, Call, Steps, ask, command, script
from queuectl.store.providers import NO_INTAKES, OPEN, UNLIMITED, Intake, Rate
from queuectl.store.scripts import load

CLAIM = load("claim_jobs")
FINISH = load("finish_jobs")
HEARTBEAT = load("heartbeat")
MARK = load("mark_sent")
MARK_BATCH = 500
FAILURE_TTL_S = 30 * 86400
"""Failed mail stays for thirty days (rq: a year)."""
WORKER_TTL_S = 120
FINISH_BATCH = 400


@dataclass(frozen=True, slots=True)
class Claim:
    """One job in our hands. `data` is empty for jobs of stock producers, which rq itself loads."""

    queue: str
    job_id: str
    execution_id: str
    data: bytes
    age_s: float
    attempts: int
    """Counted attempts before this one."""
    ordering_key: str
    losses: int
    provider: str = ""
    """Whose tokens it spent: that one has to deliver it. Empty: the claim named none."""
    probe: bool = False
    """The one message that tries whether a suspended provider takes mail again."""

    @property
    def member(self) -> str:
        """Its entry in the started registry: job id:execution id."""
        return f"{self.job_id}:{self.execution_id}"

    @property
    def foreign(self) -> bool:
        return not self.data


@dataclass(frozen=True, slots=True)
class Claims:
    """What a claim brought. `suspended`: `rq suspend` is in force."""

    jobs: tuple[Claim, ...]
    suspended: bool = False
    wait_s: float | None = None
    """Jobs wait that a rate held back; the soonest of them may go in so many seconds. None: no rate held any back."""
    suppressing: bool = False
    """The suppression list is not empty."""


class End(StrEnum):
    """How an execution ended."""

    DELIVERED = "d"
    RETRY = "r"
    FAILED = "f"
    BACK = "b"
    """Handed back unattempted: shutdown."""
    HELD = "h"
    """Handed back unattempted, to be claimed again after `delay_s`."""


@dataclass(frozen=True, slots=True)
class Finish:
    """One ended execution. `attempts` is what shall stand in the record after it."""

    claim: Claim
    end: End
    delay_s: float = 0.0
    attempts: int = 0
    error: str = ""
    """Text for rq's result record."""
    reason: str = ""
    """Short grouping key, without addresses."""


def claim(worker: str, limits: Sequence[tuple[str, int]], wanted: int, *, lease_s: float,
          intakes: Mapping[str, Intake] = NO_INTAKES, shared: int | None = None,
          rate: Rate = UNLIMITED) -> Steps[Claims]:  # fmt: skip
    """Claim up to `wanted` jobs from the queues in order; `limits` is (queue, most from it), a queue may come twice.

    `intakes`: what bounds the claims from a queue besides. `shared`: most from all queues whose intake shares slots.
    `rate`: of all queues and providers together.
    """
    arguments: list[Argument] = [worker, wanted, lease_s, secrets.token_hex(14), ids.PREFIX]
    arguments += (wanted if shared is None else shared, rate.per_s, rate.burst)
    for queue, most in limits:
        arguments += (queue, most, *intakes.get(queue, OPEN).arguments())
    reply = yield from ask(script(CLAIM, (keys.worker(worker), keys.worker_executions(worker)), arguments))
    wait_s = float(reply[1]) if reply[1] else None
    return Claims(tuple(_claim(row) for row in reply[3:]), reply[0] == 1, wait_s, reply[2] == 1)


def _claim(row: Sequence[bytes]) -> Claim:
    return Claim(
        queue=row[0].decode(),
        job_id=row[1].decode(),
        execution_id=row[2].decode(),
        data=row[3],
        age_s=float(row[4]),
        attempts=int(row[5] or 0),
        ordering_key=row[6].decode(),
        losses=int(row[7]),
        provider=row[8].decode(),
        probe=row[9] == b"1",
    )


def mark_sent(about_to: Sequence[Claim]) -> Steps[list[bool]]:
    """Note that these, at most MARK_BATCH, may have arrived from now on: repair will not give them to another worker.
    False: it already has."""
    arguments: list[Argument] = []
    for claimed in about_to:
        arguments += (claimed.queue, claimed.member)
    reply = yield from ask(script(MARK, (), arguments))
    return [noted == 1 for noted in reply]


def finish(worker: str, ended: Sequence[Finish], *, busy_s: float, keep_delivered_s: float) -> Steps[int]:
    """Record ended executions. Returns how many had lost their lease (their mail may go out twice).

    What is handed back is claimed next, in the order of `ended`.
    """
    if not ended:
        return 0
    back = [job for job in ended if job.end is End.BACK]
    done = [job for job in ended if job.end is not End.BACK] if back else ended
    # A batch handed back later stands before an earlier one.
    batches = [*_batches(done), *reversed(_batches(back))]
    return sum((yield tuple(_finish_batch(worker, batch, busy_s / len(ended), keep_delivered_s) for batch in batches)))


def _batches(ended: Sequence[Finish]) -> list[Sequence[Finish]]:
    return [ended[start : start + FINISH_BATCH] for start in range(0, len(ended), FINISH_BATCH)]


def _finish_batch(worker: str, batch: Sequence[Finish], busy_each_s: float, keep_delivered_s: float) -> Call:
    delivered: dict[str, list[str]] = {}
    rest: list[Argument] = []
    for job in batch:
        claimed = job.claim
        if job.end is End.DELIVERED and not claimed.ordering_key:
            delivered.setdefault(claimed.queue, []).append(claimed.member)
            continue
        rest += (
            claimed.queue, claimed.job_id, claimed.execution_id, job.end.value, f"{job.delay_s:.3f}", job.attempts,
            packed_error(job.error) if job.end is End.FAILED else "", claimed.ordering_key, job.reason,
        )  # fmt: skip
    arguments: list[Argument] = [worker, f"{busy_each_s * len(batch):.6f}", int(keep_delivered_s), FAILURE_TTL_S]
    arguments.append(len(delivered))
    for queue, members in delivered.items():
        arguments += (queue, "\n".join(members))
    return script(FINISH, (keys.worker(worker), keys.worker_executions(worker)), [*arguments, *rest])


def packed_error(text: str) -> str:
    """As `rq.results.Result` stores an exception: base64 of zlib."""
    return b64encode(compress(text.encode())).decode()


def register(worker: str, queues: Sequence[str], facts: Mapping[str, Argument]) -> Steps[None]:
    """Appear among RQ's workers. `facts`: hostname, pid, pool, slots, version, …, as the worker hash holds them."""
    now = yield from ask(command("TIME"))
    born = datetime.fromtimestamp(int(now[0]) + int(now[1]) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields: list[Argument] = []
    for field, value in {
        **facts, "birth": born, "last_heartbeat": born, "queues": ",".join(queues), "state": "started", "busy": 0,
    }.items():  # fmt: skip
        fields += (field, value)
    key = keys.worker(worker)
    yield (
        command("HSET", key, *fields),
        command("EXPIRE", key, WORKER_TTL_S),
        command("SADD", keys.WORKERS, key),
        *(command("SADD", keys.queue_workers(queue), key) for queue in queues),
        command("ZADD", keys.WORKER_HEARTBEATS, int(now[0]), worker),
    )


def unregister(worker: str, queues: Sequence[str]) -> Steps[None]:
    """Leave cleanly: nothing is in flight any more."""
    key = keys.worker(worker)
    died = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    yield (
        command("HSET", key, "death", died),
        command("EXPIRE", key, 60),
        command("SREM", keys.WORKERS, key),
        *(command("SREM", keys.queue_workers(queue), key) for queue in queues),
        command("ZREM", keys.WORKER_HEARTBEATS, worker),
        command("UNLINK", keys.worker_executions(worker)),
    )


@dataclass(frozen=True, slots=True)
class Beat:
    """The server's answer to a heartbeat."""

    suspended: bool
    lost: frozenset[str]
    """Members whose lease is gone: repair gave their jobs to someone else."""


def heartbeat(worker: str, state: str, busy: int, in_flight: Sequence[Claim], *, lease_s: float) -> Steps[Beat]:
    """Renew registration and leases."""
    arguments: list[Argument] = [worker, state, busy, lease_s, WORKER_TTL_S]
    for held in in_flight:
        arguments += (held.queue, held.member)
    reply = yield from ask(
        script(HEARTBEAT, (keys.worker(worker), keys.worker_executions(worker), keys.WORKER_HEARTBEATS), arguments)
    )
    return Beat(reply[0] == 1, frozenset(member.decode() for member in reply[1:]))
