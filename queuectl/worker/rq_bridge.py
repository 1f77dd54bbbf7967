"""Jobs of stock producers, run by rq's own machinery inside our worker: its results, callbacks, retries, dependents,
webhooks and rate limits are rq's code, not a copy."""

from __future__ import annotations

import asyncio
import concurrent.futures
import zlib
from typing import Any

import redis
from redis.exceptions import ConnectionError, TimeoutError
from rq.callbacks import execute_stopped_callback
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.queue import Queue
from rq.serializers import JSONSerializer, PickleSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now
from rq.worker.base import BaseWorker

from queuectl.store import keys
from queuectl.worker.death_penalty import Target, ThreadDeathPenalty, timed_out


class JobInterrupted(BaseException):
    """Stopped or killed by an operator. No Exception, so that a job does not swallow it."""


class PickleRefusedError(Exception):
    """The job is a pickle, and this worker does not unpickle."""

    def __init__(self) -> None:
        super().__init__(
            "this job is pickled, and unpickling runs whatever code the pickle names; start the worker with "
            "--allow-pickle if you trust everyone who can write to this Redis, or enqueue with rq's JSON serializer"
        )


class JobOverdueError(Exception):
    """A job ran past its time limit and could not be interrupted."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"the job did not end in {limit_s:g} seconds and could not be interrupted; its thread was left"
        )


class ServerGoneError(Exception):
    """The server went away while the end of a job was written: nobody knows what it took."""


class BridgedJob(Job):
    """A job whose coroutine runs on the worker's event loop, and which can be interrupted from outside."""

    loop: asyncio.AbstractEventLoop | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._target = Target()
        self._interrupted = False
        self._coroutine: concurrent.futures.Future[Any] | None = None

    @property
    def limit_s(self) -> float:
        """Its time limit, seconds; -1: none."""
        return self.timeout or Queue.DEFAULT_TIMEOUT

    def perform(self) -> Any:
        with self._target:
            if self._interrupted:
                raise JobInterrupted
            return super().perform()

    def interrupt(self) -> None:
        """Break off its function, now or when it begins; what rq does after it is left alone."""
        self._interrupted = True
        self._target.raise_in(JobInterrupted)
        if self._coroutine is not None:
            self._coroutine.cancel()

    def _execute(self) -> Any:
        if not self.func:
            raise ValueError("Cannot execute job: function is None")
        result = self.func(*self.args, **self.kwargs)
        if not asyncio.iscoroutine(result) or self.loop is None:
            return result
        self._coroutine = asyncio.run_coroutine_threadsafe(result, self.loop)
        try:
            return self._coroutine.result(self.limit_s if self.limit_s > 0 else None)
        except concurrent.futures.TimeoutError:
            if self._coroutine.done():
                raise
            raise timed_out(JobTimeoutException, self.limit_s)() from None
        finally:
            self._coroutine.cancel()


class Bridge(BaseWorker):
    """rq's worker for one job, under our worker's name; never told to work, only to perform."""

    death_penalty_class = ThreadDeathPenalty
    job_class = BridgedJob
    log_result_lifespan = False

    def __init__(self, queue: str, name: str, connection: redis.Redis, serializer: Any) -> None:
        super().__init__([queue], name=name, connection=connection, prepare_for_work=False, serializer=serializer,
                         log_job_description=False)  # fmt: skip
        self.abandoned = False
        """Someone else has the job now: write nothing."""
        self._finalizing = False
        self._repeats = False

    def fail(self, job: Job, execution: Execution, error: Exception, *, retry: bool) -> None:
        """Fail a job without running it. `retry`: if it has tries left, it gets them."""
        if not retry:
            job.retries_left = None
        self._finalize_failure(job, self.queues[0], execution, (type(error), error, None))

    def expect_stop(self, job: Job) -> None:
        """What breaks off from now on was stopped on purpose: it ends as stopped, not as failed."""
        self._stopped_job_id = job.id

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Our worker sends its own."""

    def procline(self, message: str) -> None:
        """A process that runs many jobs has no title for one."""

    def _set_connection(self, connection: redis.Redis) -> redis.Redis:
        """Nothing here blocks on Redis, so its time-out need not be stretched."""
        return connection

    def increment_successful_job_count(self, pipeline: Any = None) -> None:
        """Counts the delivery in the ledger too, in the transaction that ends the job; one that repeats is not out."""
        super().increment_successful_job_count(pipeline=pipeline)
        if not self._repeats:
            pipeline.hincrby(keys.ledger(self.queues[0].name), "delivered", 1)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        self._repeats = bool(job.repeats_left)
        return super().perform_job(job, queue, execution)

    def _finalize_success(self, job: Job, queue: Queue, execution: Execution, return_value: Any) -> None:
        if self.abandoned:
            return
        self._finalizing = True
        super()._finalize_success(job, queue, execution, return_value)

    def _finalize_failure(self, job: Job, queue: Queue, execution: Execution, exc_info: Any) -> None:
        if self.abandoned:
            return
        if self._finalizing and isinstance(exc_info[1], ConnectionError | TimeoutError):
            raise ServerGoneError from exc_info[1]
        try:
            if self._stopped_job_id == job.id:
                self._finalize_stop(job, queue, execution)
            else:
                super()._finalize_failure(job, queue, execution, exc_info)
        except (ConnectionError, TimeoutError) as error:
            raise ServerGoneError from error

    def _finalize_stop(self, job: Job, queue: Queue, execution: Execution) -> None:
        job.ended_at = now()
        try:
            execute_stopped_callback(job, self.death_penalty_class)
        except Exception:
            self.log.exception("Worker %s: stopped callback for job %s raised", self.name, job.id)
        self.handle_job_failure(job, queue=queue, exc_string="Job stopped by user.", execution=execution)


def load_job(job_id: str, connection: redis.Redis, loop: asyncio.AbstractEventLoop) -> tuple[BridgedJob, bool]:
    """The job, and whether it is a pickle. Nothing is unpickled here. Raises NoSuchJobError."""
    raw: Any = connection.hgetall(BridgedJob.key_for(job_id))
    if not raw or b"data" not in raw:
        raise NoSuchJobError(f"no job {job_id}")
    pickled = not _plain(raw[b"data"]).lstrip().startswith(b"[")
    job = BridgedJob(job_id, connection=connection, serializer=JSONSerializer)
    job.restore(raw)
    job.loop = loop
    return job, pickled


def unpickling(job: BridgedJob) -> None:
    """Let this job be read with pickle."""
    job.serializer = PickleSerializer
    job.refresh()  # type: ignore[no-untyped-call]


def outcome(job: Job) -> str:
    """The ledger's event for how rq left a job, other than delivered; '' for none."""
    status = job.get_status(refresh=False)
    if status in (JobStatus.FAILED, JobStatus.STOPPED):
        return "failed"
    return "retried" if status in (JobStatus.QUEUED, JobStatus.SCHEDULED) else ""


def _plain(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data
