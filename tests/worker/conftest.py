"""Mail on its way and a place for it to go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sink import Sink, smtp_sink
from worker_runs import WorkerProcess, mail_settings

from queuectl import MailMessage
from queuectl.store.admission import admit
from queuectl.store.connect import open_store

sys.path.insert(0, str(Path(__file__).parents[1] / "rqcompat"))


@pytest.fixture
def sink() -> Iterator[Sink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture
def shut_sink() -> Iterator[Sink]:
    """Takes messages, but answers the final dot only once it is opened."""
    with smtp_sink(shut=True) as sink:
        yield sink


@pytest.fixture
def send(redis_url: str) -> Callable[..., list[str]]:
    """Admit messages to the queue `mail`; returns their job ids."""

    def send(*recipients: str, **fields: Any) -> list[str]:
        mails = [MailMessage(**{"to": to, "subject": "Hello", "text": "Hello\n", **fields}) for to in recipients]
        with open_store(redis_url) as store:
            return [verdict.job_id for verdict in store.run(admit("mail", mails))]

    return send


@pytest.fixture
def ledger(redis: Redis) -> Callable[[], dict[str, int]]:
    def read() -> dict[str, int]:
        return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:mail").items()}

    return read


@pytest.fixture
def start(redis_url: str) -> Iterator[Callable[..., WorkerProcess]]:
    """Start worker processes on `mail`; what still runs at the end of the test is killed."""
    started: list[WorkerProcess] = []

    def start(port: int | None = None, sections: dict[str, Any] | None = None, **options: Any) -> WorkerProcess:
        process = WorkerProcess(redis_url, ["mail"], mail_settings(port, **(sections or {})), **options)
        started.append(process)
        return process.ready()

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()
        elif process.process.stderr:
            process.process.stderr.close()
