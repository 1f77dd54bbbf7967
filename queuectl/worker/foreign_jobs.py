"""Jobs of stock producers in threads beside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import traceback
from typing import Any

import redis
from redis.exceptions import ConnectionError, TimeoutError
from rq.exceptions import NoSuchJobError
from rq.executions import Execution

from queuectl.model import ServerError
from queuectl.store import foreign
from queuectl.store.claims import End, Finish
from queuectl.store.client import AsyncStore, Store
from queuectl.worker.flights import Flight, Interrupt
from queuectl.worker.rq_bridge import (
    Bridge,
    BridgedJob,
    JobOverdueError,
    PickleRefusedError,
    ServerGoneError,
    load_job,
    outcome,
    unpickling,
)

LOG = logging.getLogger("queuectl.worker")
OVERDUE_S = 60.0
"""How long after its time limit a job that cannot be interrupted is given up, as rq kills its work horse then."""


class ForeignJobs:
    """Runs them, a daemon thread each: a job that will not end must not keep the process from ending."""

    def __init__(self, worker: str, store: AsyncStore, sync_store: Store, *, allow_pickle: bool,
                 overdue_s: float = OVERDUE_S) -> None:  # fmt: skip
        self._worker = worker
        self._store = store
        self._sync_store = sync_store
        self._allow_pickle = allow_pickle
        self._overdue_s = overdue_s

    async def run(self, flight: Flight) -> Finish | None:
        """Run one job to its end, which rq writes. A Finish is returned when rq could not."""
        try:
            return await self._run(flight, None)
        except NoSuchJobError:
            await self._store.run(foreign.forget(self._worker, flight.claim))
            return None
        except JobOverdueError as error:
            return await self._run(flight, error)

    async def _run(self, flight: Flight, instead: Exception | None) -> Finish | None:
        run = _Run(flight, self._worker, self._sync_store, allow_pickle=self._allow_pickle, instead=instead)
        ended = run.start(self._overdue_s)
        while True:
            try:
                return await asyncio.shield(ended)
            except asyncio.CancelledError:
                run.obey_interrupt()
                if flight.interrupt not in (Interrupt.STOPPED, Interrupt.KILLED):
                    raise
                _uncancel()


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


class _Run:
    """One job in its thread. `instead`: fail it with this, unrun."""

    def __init__(
        self, flight: Flight, worker: str, store: Store, *, allow_pickle: bool, instead: Exception | None
    ) -> None:
        self._flight = flight
        self._claim = flight.claim
        self._worker = worker
        self._store = store
        self._connection: redis.Redis = store.connection
        self._allow_pickle = allow_pickle
        self._instead = instead
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Finish | None] = self._loop.create_future()
        self._ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._overdue_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._running: tuple[Bridge, BridgedJob] | None = None

    def start(self, overdue_s: float) -> asyncio.Future[Finish | None]:
        """The future ends with the job. Its exception is NoSuchJobError, JobOverdueError or a bug."""
        self._overdue_s = overdue_s
        threading.Thread(target=self._thread, name=f"job-{self._claim.job_id}", daemon=True).start()
        return self._ended

    def obey_interrupt(self) -> None:
        """Apply the flight's interrupt; called on both sides, since either may be first to know."""
        if self._running is None or self._flight.interrupt is None:
            return
        bridge, job = self._running
        if self._flight.interrupt is Interrupt.STOPPED:
            bridge.expect_stop(job)
        elif self._flight.interrupt is not Interrupt.KILLED:
            bridge.abandoned = True
        job.interrupt()

    def _thread(self) -> None:
        finish: Finish | None = None
        error: BaseException | None = None
        try:
            finish = self._perform()
        except BaseException as caught:
            error = caught
        with contextlib.suppress(RuntimeError):
            # The loop is closed when the process ends before a thread it left behind.
            self._loop.call_soon_threadsafe(self._end, finish, error)

    def _end(self, finish: Finish | None, error: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._ended.done():
            return
        if error is None:
            self._ended.set_result(finish)
        else:
            self._ended.set_exception(error)

    def _watch(self, limit_s: float) -> None:
        if limit_s > 0 and not self._ended.done():
            self._timer = self._loop.call_later(limit_s + self._overdue_s, self._give_up, limit_s)

    def _give_up(self, limit_s: float) -> None:
        """The thread is stuck in a call that cannot be interrupted: leave it behind."""
        if self._running is not None:
            self._running[0].abandoned = True
        self._end(None, JobOverdueError(limit_s))

    def _perform(self) -> Finish | None:
        claim = self._claim
        try:
            self._perform_by_rq()
            return None
        except NoSuchJobError:
            raise
        except (ServerGoneError, ServerError, ConnectionError, TimeoutError):
            LOG.warning("the server went away while job %s ended: it will run again", claim.job_id)
            return Finish(claim, End.BACK)
        except Exception as error:
            LOG.exception("rq could not run job %s", claim.job_id)
            reason = f"rq could not run it: {type(error).__name__}"
            return Finish(claim, End.FAILED, attempts=claim.attempts, error=traceback.format_exc(), reason=reason)

    def _perform_by_rq(self) -> None:
        claim = self._claim
        job, pickled = load_job(claim.job_id, self._connection, self._loop)
        if pickled and self._allow_pickle:
            unpickling(job)
        bridge = Bridge(claim.queue, self._worker, self._connection, job.serializer)
        self._running = bridge, job
        self.obey_interrupt()
        if bridge.abandoned:
            return
        execution: Any = Execution(claim.execution_id, claim.job_id, self._connection, worker_name=self._worker)
        if self._instead is not None:
            bridge.fail(job, execution, self._instead, retry=True)
        elif pickled and not self._allow_pickle:
            bridge.fail(job, execution, PickleRefusedError(), retry=False)
        else:
            self._loop.call_soon_threadsafe(self._watch, job.limit_s)
            bridge.perform_job(job, bridge.queues[0], execution)
        event = outcome(job)
        if event and not bridge.abandoned:
            self._store.run(foreign.count(claim.queue, event))
