"""`queuectl worker`: puts a worker together, runs it, takes it down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from queuectl import __version__
from queuectl.mail.deliverer import Deliverer
from queuectl.model import ServerError
from queuectl.policy.masking import mask_text
from queuectl.settings import Settings
from queuectl.store import admission, presence
from queuectl.store.client import Argument, AsyncStore
from queuectl.store.connect import open_async_store, open_store
from queuectl.worker.answers import Answers
from queuectl.worker.commands import listen
from queuectl.worker.commit_points import CommitPoints
from queuectl.worker.finishing import Finishing
from queuectl.worker.flights import Flights
from queuectl.worker.foreign_jobs import ForeignJobs
from queuectl.worker.heartbeat import Heartbeat
from queuectl.worker.intake import Intakes
from queuectl.worker.loop import Berth, Worker
from queuectl.worker.mail_jobs import MailJobs
from queuectl.worker.receivers import Receivers
from queuectl.worker.suppression import SuppressionCheck

LOG = logging.getLogger("queuectl.worker")
CANCEL_AGAIN_S = 1.0
CONNECTIONS_A_SLOT = 3
"""What one job of a stock producer may hold at once: rq's transaction, its own queries, its callback's."""


class MaskingFormatter(logging.Formatter):
    """No mail address reaches a log."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(super().format(record))


def run(
    settings: Settings, *, url: str, queues: Sequence[str], concurrency: int, burst: bool, pool: str = "",
    allow_pickle: bool = False, name: str | None = None, environ: Mapping[str, str],
) -> int:  # fmt: skip
    """Work until told to stop (or, with `burst`, until the queues are empty). Returns 0, or 1 when jobs in flight
    could not be given back: repair does it then. Raises ServerError when the server is away at the start."""
    _log_to_stderr()
    name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    helped = settings.pools[pool].helps if pool in settings.pools else ()
    berth = Berth(name, (*queues, *helped), settings.worker.lease_s, settings.worker.grace_s, burst)
    crew = _Crew(settings, berth, url=url, concurrency=concurrency, pool=pool, allow_pickle=allow_pickle,
                 environ=environ)  # fmt: skip
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(crew.work())


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("rq").setLevel(logging.WARNING)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Crew:
    """The parts of one worker process."""

    def __init__(self, settings: Settings, berth: Berth, *, url: str, concurrency: int, pool: str, allow_pickle: bool,
                 environ: Mapping[str, str]) -> None:  # fmt: skip
        self._settings = settings
        self._berth = berth
        self._url = url
        self._concurrency = concurrency
        self._pool = pool
        self._allow_pickle = allow_pickle
        self._environ = environ

    async def work(self) -> int:
        timeout_s = self._settings.server.timeout_s
        store = await open_async_store(self._url, timeout_s=timeout_s)
        with open_store(self._url, timeout_s=timeout_s) as sync_store:
            sync_store.connection.connection_pool.max_connections = 10 + CONNECTIONS_A_SLOT * self._concurrency
            try:
                foreign = ForeignJobs(self._berth.name, store, sync_store, allow_pickle=self._allow_pickle)
                return await self._sail(store, foreign)
            finally:
                await store.close()

    async def _sail(self, store: AsyncStore, foreign: ForeignJobs) -> int:
        berth, settings = self._berth, self._settings
        answers = Answers(store, settings, berth.name)
        deliverer = Deliverer(settings, self._environ, lambda found: store.run(admission.get_template(found)),
                              answers.leases)  # fmt: skip
        intakes = Intakes(settings, berth.queues, self._pool, deliverer)
        try:
            return await self._work_until_stopped(store, foreign, deliverer, intakes, answers)
        finally:
            await deliverer.close()
            with contextlib.suppress(ServerError):
                await answers.commit()

    async def _work_until_stopped(self, store: AsyncStore, foreign: ForeignJobs, deliverer: Deliverer,
                                  intakes: Intakes, answers: Answers) -> int:  # fmt: skip
        berth, settings = self._berth, self._settings
        check = SuppressionCheck(store)
        mail = MailJobs(deliverer, settings, answers, check=check, receivers=Receivers(store, settings.receivers),
                        commit_points=CommitPoints(store, settings))  # fmt: skip
        flights = Flights(self._concurrency, intakes.reserved(self._concurrency))
        finishing = Finishing(store, berth.name, settings.delivery.keep_delivered_s)
        worker = Worker(berth, store, flights, finishing, intakes=intakes, mail=mail, foreign=foreign, check=check)
        heartbeat = Heartbeat(store, berth.name, berth.queues, await self._facts(store), berth.lease_s)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, worker.stop)
        await heartbeat.register()
        LOG.info("worker %s: %d slots for %s", berth.name, self._concurrency, ", ".join(berth.queues))
        aides = {
            asyncio.create_task(finishing.run(), name="finishing"),
            asyncio.create_task(heartbeat.run(worker), name="heartbeat"),
            asyncio.create_task(answers.run(), name="answers"),
            asyncio.create_task(listen(store, berth.name, worker), name="commands"),
        }
        try:
            clean = await _with_aides(worker, aides)
        finally:
            await _dismiss(aides)
        if clean:
            with contextlib.suppress(ServerError):
                await heartbeat.unregister()
        LOG.info("worker %s ended" if clean else "worker %s ended with jobs in flight: repair will put them back",
                 berth.name)  # fmt: skip
        return 0 if clean else 1

    async def _facts(self, store: AsyncStore) -> dict[str, Argument]:
        hostname = socket.gethostname()
        return {
            "hostname": hostname,
            "pid": os.getpid(),
            "ip_address": await store.run(presence.address(hostname)),
            "version": __version__,
            "python_version": sys.version,
            "pool": self._pool,
            "slots": self._concurrency,
            "queuectl": 1,
        }


async def _dismiss(aides: set[asyncio.Task[Any]]) -> None:
    """Cancel until it is heard: a cancellation that meets a time-out inside a client call can be lost there."""
    pending = aides
    while pending:
        for aide in pending:
            aide.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)


async def _with_aides(worker: Worker, aides: set[asyncio.Task[Any]]) -> bool:
    """Run the worker; an aide that ends is a bug, and the worker lands. Returns whether it landed clean."""
    work = asyncio.create_task(worker.run_until_stopped(), name="worker")
    done, _ = await asyncio.wait({work, *aides}, return_when=asyncio.FIRST_COMPLETED)
    broken = [task for task in done if task is not work]
    for task in broken:
        LOG.error("%s broke: %r", task.get_name(), task.exception())
        worker.stop()
    return await work and not broken
