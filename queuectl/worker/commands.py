"""Commands of RQ's tools: `rq.command.send_*` publishes them on the worker's channel."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Protocol

from redis.exceptions import RedisError

from queuectl.store import keys
from queuectl.store.client import AsyncStore

LOG = logging.getLogger("queuectl.worker")
LISTEN_S = 4.0
"""Below the connection's own time-out: silence is normal here."""
RECONNECT_S = 1.0


class Commanded(Protocol):
    """What RQ's commands can ask of a worker."""

    def stop(self) -> None:
        """Warm shutdown."""

    def stop_job(self, job_id: str, execution_id: str = "") -> bool:
        """Stop one job on purpose; False: it is not running here."""

    def kill_jobs(self) -> int:
        """Interrupt every running job of stock producers; they fail. Returns how many."""


async def listen(store: AsyncStore, worker: str, commanded: Commanded) -> None:
    """Obey commands for ever; subscribe again when the connection breaks."""
    while True:
        try:
            async with store.listening(keys.worker_channel(worker)) as pubsub:
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                    if message:
                        obey(message["data"], commanded)
        except (RedisError, OSError):
            await asyncio.sleep(RECONNECT_S)


def obey(payload: bytes, commanded: Commanded) -> None:
    """Carry out one command; what cannot be understood is logged and ignored, as rq does."""
    try:
        wish = json.loads(payload)
        command, job_id = str(wish["command"]), str(wish.get("job_id", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        LOG.warning("ignored a command that is not RQ's JSON")
        return
    if command == "shutdown":
        LOG.info("told to shut down")
        commanded.stop()
    elif command in ("stop-job", "stop-execution"):
        if not commanded.stop_job(job_id, str(wish.get("execution_id", ""))):
            LOG.warning("told to stop job %s, which is not running here", job_id)
    elif command == "kill-horse":
        LOG.info("told to kill the work horse: %d running jobs interrupted", commanded.kill_jobs())
    else:
        LOG.warning("ignored the unknown command %r", command[:40])
