"""What crosses the line between rq's bookkeeping and ours."""

from __future__ import annotations

from queuectl.store import keys
from queuectl.store.claims import Claim
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

SETTLE = load("settle_foreign")


def settle(queue: str, job_id: str, *, delivered: bool, ordering_key: str, reason: str = "") -> Steps[None]:
    """A stock worker ended one of our messages: count it, group it, and let the next of its ordering key go.

    Call it inside the job, before rq writes the end: rq itself knows neither ledger nor ordering keys.
    """
    arguments = (queue, job_id, int(delivered), ordering_key, reason)
    yield from ask(script(SETTLE, (keys.job(job_id), keys.ledger(queue)), arguments))


def count(queue: str, event: str) -> Steps[None]:
    """Count one event of a job that rq itself has ended: `failed` or `retried`, for rates only."""
    yield (command("HINCRBY", keys.ledger(queue), event, 1),)


def forget(worker: str, claim: Claim) -> Steps[None]:
    """Drop a claim whose job record has gone between claiming and loading."""
    yield (
        command("ZREM", keys.registry("wip", claim.queue), claim.member),
        command("SREM", keys.worker_executions(worker), claim.member),
        command("UNLINK", f"{keys.RQ}:execution:{claim.member}", f"{keys.RQ}:executions:{claim.job_id}"),
        command("HINCRBY", keys.ledger(claim.queue), "vanished", 1),
    )
