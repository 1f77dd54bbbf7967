"""What an application's jobs look like: imported by name by whichever worker runs them."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from rq import Retry, get_current_job


def add(a, b):
    return a + b


def job_context():
    job = get_current_job()
    return [job.id, threading.current_thread().name.startswith("job-")]


async def slow_add(a, b):
    await asyncio.sleep(0.01)
    return [a + b, get_current_job().id, threading.current_thread() is threading.main_thread()]


def fail(text="broken on purpose"):
    raise ValueError(text)


async def fail_async():
    raise ValueError("broken in a coroutine")


def fail_until(key, times):
    job = get_current_job()
    if job.connection.incr(key) < times:
        raise ValueError("not yet")
    return "at last"


def ask_for_retry(key, times, interval=0):
    job = get_current_job()
    if job.connection.incr(key) < times:
        return Retry(max=times, interval=interval)
    return "at last"


def always_retry():
    return Retry(max=1)


def mark(key, value="ran"):
    get_current_job().connection.rpush(key, value)


def announce_and_spin(key):
    get_current_job().connection.rpush(key, "started")
    while True:
        time.sleep(0.01)


async def announce_and_wait(key):
    get_current_job().connection.rpush(key, "started")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        get_current_job().connection.rpush(key, "cancelled")
        raise


def announce_and_block(key, seconds):
    get_current_job().connection.rpush(key, "started")
    time.sleep(seconds)
    get_current_job().connection.rpush(key, "finished")


def announce_and_wait_for_file(key, path):
    get_current_job().connection.rpush(key, "started")
    while not Path(path).exists():
        time.sleep(0.01)
    return "at last"


def unserialisable():
    return object()


def on_success(job, connection, result):
    connection.rpush("callbacks", f"success {job.id} {result}")


def on_failure(job, connection, kind, value, trace):
    connection.rpush("callbacks", f"failure {job.id} {kind.__name__}")


def on_stopped(job, connection):
    connection.rpush("callbacks", f"stopped {job.id}")


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")
