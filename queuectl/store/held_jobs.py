"""What held jobs wait for: the active job of their ordering key."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.store import keys
from queuectl.store.client import Steps, ask, command


def waits_for(queue: str, job_ids: Sequence[str]) -> Steps[list[str]]:
    """For each job the id of the one it is held behind; empty where it waits for something else."""
    found = yield tuple(command("HGET", keys.job(job_id), "ordering_key") for job_id in job_ids)
    ordering_keys = [raw or b"" for raw in found]
    active = yield from ask(command("HMGET", keys.order(queue), *ordering_keys))
    return [job_id.decode() if job_id and key else "" for key, job_id in zip(ordering_keys, active, strict=True)]
