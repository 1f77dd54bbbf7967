"""What the server believes of a worker, for the worker to compare with what it knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from queuectl.store import keys
from queuectl.store.claims import Claim
from queuectl.store.client import Steps, ask, command


def address(default: str) -> Steps[str]:
    """Our address as the server sees it; `default` where it does not say."""
    reply = yield from ask(command("CLIENT", "INFO"))
    text = reply.decode() if isinstance(reply, bytes) else ""
    return next((part[5:] for part in text.split() if part.startswith("addr=")), default)


def is_registered(worker: str) -> Steps[bool]:
    """False after repair took this worker for dead, its record expired while the server was away, or data was lost."""
    key = keys.worker(worker)
    named, known = yield (command("SISMEMBER", keys.WORKERS, key), command("HEXISTS", key, "birth"))
    return bool(named and known)


def announce_shutdown(worker: str) -> Steps[None]:
    """Let RQ's tools see that this worker claims nothing more."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    yield (command("HSET", keys.worker(worker), "shutdown_requested_date", at),)


def waiting(queues: Sequence[str]) -> Steps[int]:
    """Jobs in the queues' lists, paused ones included."""
    lengths = yield tuple(command("LLEN", keys.queue(name)) for name in queues)
    return sum(lengths)


def strays(worker: str, known: Collection[str]) -> Steps[tuple[Claim, ...]]:
    """Claims the server holds for this worker and the worker has never seen: the reply that carried them was lost.

    `known`: members it has in hand or is still finishing. Call it only while no claim is under way.
    """
    members = yield from ask(command("SMEMBERS", keys.worker_executions(worker)))
    unknown = [member for raw in members if (member := raw.decode()) not in known]
    if not unknown:
        return ()
    pairs = [tuple(member.rsplit(":", 1)) for member in unknown]
    origins = yield tuple(command("HGET", keys.job(job_id), "origin") for job_id, _ in pairs)
    return tuple(
        Claim(origin.decode(), job_id, execution_id, b"", 0.0, 0, "", 0)
        for (job_id, execution_id), origin in zip(pairs, origins, strict=True)
        if origin is not None
    )
