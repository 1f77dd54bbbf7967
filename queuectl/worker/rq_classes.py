"""Worker classes for teams that keep rq's own worker: `rq worker -w queuectl.worker.rq_classes.ControlledWorker …`.

They are rq's workers in everything but how they come by a job: each is claimed by the script that our own workers use.
So they obey direction, pause, shedding and rates, and no job is ever between its queue and the started registry. While
a job runs, its lease is renewed from a thread; a worker that dies is noticed by the daemon's repair as ours are.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import traceback
from typing import Any

from redis.exceptions import ConnectionError, TimeoutError
from rq.exceptions import NoSuchJobError, StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.utils import get_version
from rq.worker import SimpleWorker, Worker
from rq.worker.base import BaseWorker, WorkerStatus

from queuectl import __version__
from queuectl.model import QueuectlError
from queuectl.settings import load
from queuectl.store import claims, foreign, ids, keys, presence
from queuectl.store.claims import Claim, Claims, End, Finish
from queuectl.store.client import Argument, Store
from queuectl.store.decode import pool_of_name
from queuectl.worker.intake import global_rate, intake_of
from queuectl.worker.rq_bridge import outcome

BEAT_S = 5.0
IDLE_S = (0.02, 0.5)
"""Shortest and longest pause between two claims that brought nothing."""
AWAY_S = (0.5, 10.0)
"""The same while the server is away."""
STRAYS_S = 30.0


class Controlled(BaseWorker):
    """What makes an rq worker obey queuectl; put it before the class that says how a job is run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # rq would log the arguments of each job, and with them mail addresses.
        self.log_job_description = False
        self._store = Store(self.connection)
        self._held: Claim | None = None
        self._counts_delivery = False
        self._ended = threading.Event()
        self._beats: threading.Thread | None = None
        self._strays_due_s = 0.0

    def register_birth(self) -> None:
        """Appear among rq's workers as one that asks queuectl for its jobs. Raises UsageError for bad settings."""
        self._settings = load(environ=os.environ).settings
        self._intakes = {name: intake_of(self._settings, name) for name in self.queue_names()}
        super().register_birth()  # type: ignore[no-untyped-call]
        self._register()
        self._beats = threading.Thread(target=self._beat_until_ended, name="queuectl-heartbeat", daemon=True)
        self._beats.start()

    def register_death(self) -> None:
        self._ended.set()
        if self._beats:
            self._beats.join(BEAT_S)
        held, self._held = self._held, None
        with contextlib.suppress(QueuectlError):
            if held:
                self._finish(held, End.BACK)
            self._store.run(claims.unregister(self.name, self.queue_names()))
        super().register_death()  # type: ignore[no-untyped-call]

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next job; None: nothing is left (`timeout` None: burst), or nothing came for `max_idle_time` seconds."""
        self.set_state(WorkerStatus.IDLE)
        self.procline("Listening on " + ",".join(self.queue_names()))  # type: ignore[no-untyped-call]
        idle_since_s, pause_s = time.monotonic(), IDLE_S[0]
        while True:
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
            claimed, found = self._next_job()
            if found:
                return found
            if claimed.suspended:
                self.check_for_suspension(burst=timeout is None)
            elif timeout is None and not claimed.jobs and claimed.wait_s is None:
                return None
            if max_idle_time is not None and time.monotonic() - idle_since_s >= max_idle_time:
                return None
            pause_s = IDLE_S[0] if claimed.jobs else min(pause_s * 1.5, IDLE_S[1])
            time.sleep(pause_s)

    def prepare_execution(self, job: Job) -> Execution:
        """The claim has registered it already."""
        held = self._held
        if held is None or held.job_id != job.id:
            return super().prepare_execution(job)
        execution = Execution(held.execution_id, job.id, self.connection, worker_name=self.name)
        execution._job = job
        self.executions[execution.id] = execution
        self.set_state(WorkerStatus.BUSY)
        return execution

    def execute_job(self, job: Job, queue: Queue) -> None:
        try:
            super().execute_job(job, queue)
        finally:
            self._held = None

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Runs in the work horse, if there is one. Our own messages count themselves."""
        own = job.id.startswith(ids.PREFIX)
        self._counts_delivery = not own and not job.repeats_left
        succeeded = super().perform_job(job, queue, execution)
        event = outcome(job)
        if event and not own:
            self._store.run(foreign.count(queue.name, event))
        return succeeded

    def increment_successful_job_count(self, pipeline: Any = None) -> None:
        """Counts the delivery in the ledger too, in the transaction that ends the job."""
        super().increment_successful_job_count(pipeline=pipeline)
        if self._counts_delivery and pipeline is not None:
            pipeline.hincrby(keys.ledger(self._origin()), "delivered", 1)

    def _origin(self) -> str:
        return self._held.queue if self._held else self.queues[0].name

    def _next_job(self) -> tuple[Claims, tuple[Job, Queue] | None]:
        """One claim. A signal must not fall between it and its reply: rq defers those that come while it is busy."""
        self._state = WorkerStatus.BUSY
        try:
            claimed = self._claim()
            found = self._load(claimed.jobs[0]) if claimed.jobs else None
        finally:
            self._state = WorkerStatus.IDLE
        if self._stop_requested and not found:
            raise StopRequested
        return claimed, found

    def _claim(self) -> Claims:
        pause_s = AWAY_S[0]
        while True:
            try:
                if time.monotonic() >= self._strays_due_s:
                    self._return_strays()
                limits = [(queue.name, 1) for queue in self._ordered_queues]
                claimed = self._store.run(claims.claim(
                    self.name, limits, 1, lease_s=self._settings.worker.lease_s, intakes=self._intakes,
                    rate=global_rate(self._settings),
                ))  # fmt: skip
            except QueuectlError as error:
                self.log.warning("Worker %s: claims wait for the server: %s", self.name, error)
                self._strays_due_s = 0.0
            else:
                self._held = claimed.jobs[0] if claimed.jobs else None
                return claimed
            if self._stop_requested:
                raise StopRequested
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, AWAY_S[1])

    def _return_strays(self) -> None:
        """A claim whose reply was lost may have been carried out; rq may have failed to write a job's end."""
        for stray in self._store.run(presence.strays(self.name, ())):
            self._finish(stray, End.BACK)
        self._strays_due_s = time.monotonic() + STRAYS_S

    def _load(self, claim: Claim) -> tuple[Job, Queue] | None:
        queue = next(queue for queue in self.queues if queue.name == claim.queue)
        try:
            job = self.job_class.fetch(claim.job_id, connection=self.connection, serializer=self.serializer)
        except (ConnectionError, TimeoutError):
            raise
        except NoSuchJobError:
            self._held = None
            self._store.run(foreign.forget(self.name, claim))
            return None
        except Exception:
            self.log.exception("Worker %s: job %s cannot be read", self.name, claim.job_id)
            self._held = None
            self._finish(claim, End.FAILED, error=traceback.format_exc(), reason="its record cannot be read")
            return None
        self.reorder_queues(reference_queue=queue)
        job.redis_server_version = get_version(self.connection)
        self.log.info("Worker %s: %s: %s", self.name, queue.name, job.id)
        return job, queue

    def _finish(self, claim: Claim, end: End, **fields: Any) -> None:
        finish = Finish(claim, end, attempts=claim.attempts, **fields)
        self._store.run(claims.finish(self.name, [finish], busy_s=0.0, keep_delivered_s=0.0))

    def _register(self) -> None:
        self._store.run(claims.register(self.name, self.queue_names(), self._facts()))

    def _facts(self) -> dict[str, Argument]:
        return {
            "hostname": self.hostname or "",
            "pid": self.pid or 0,
            "ip_address": self.ip_address,
            "version": self.version,
            "python_version": self.python_version,
            "pool": pool_of_name(self.name),
            "slots": 1,
            "queuectl": __version__,
        }

    def _beat_until_ended(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._beat()
            except QueuectlError as error:
                self.log.warning("Worker %s: no heartbeat: %s", self.name, error)

    def _beat(self) -> None:
        if not self._store.run(presence.is_registered(self.name)):
            self.log.warning("Worker %s: the server had forgotten this worker: registering again", self.name)
            self._register()
        held = [self._held] if self._held else []
        # A claim under way counts as busy, so that no signal falls into it; to the others it does not.
        state = WorkerStatus.IDLE if self._state == WorkerStatus.BUSY and not held else self._state
        lease_s = self._settings.worker.lease_s
        beat = self._store.run(claims.heartbeat(self.name, state, len(held), held, lease_s=lease_s))
        for member in beat.lost:
            self.log.warning("Worker %s: %s was given to another worker", self.name, member)


class ControlledWorker(Controlled, Worker):
    """rq's worker, with a process of its own for each job."""


class ControlledSimpleWorker(Controlled, SimpleWorker):
    """rq's worker that runs jobs in its own process: faster, and a job that hangs hangs it."""
