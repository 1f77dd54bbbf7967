"""Messages that may have arrived: sent again, or held where the settings say so. Workers are killed at known points."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from queuectl import MailMessage
from queuectl.model import RetryFailed
from queuectl.settings import Settings
from queuectl.store import jobs, repair
from queuectl.store.admission import admit
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate

sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))

from sink import Sink, smtp_sink
from worker_runs import WorkerProcess, burst, mail_settings, until

PEOPLE = [f"u{number}@example.org" for number in range(5)]
HOLD = {"queues": {"mail": {"on_ambiguous": "hold"}}}


@pytest.fixture
def shut_sink() -> Iterator[Sink]:
    """Takes messages whole and does not answer."""
    with smtp_sink(shut=True) as sink:
        yield sink


@pytest.fixture
def spawn() -> Iterator[Callable[..., WorkerProcess]]:
    started: list[WorkerProcess] = []

    def spawn(url: str, port: int, **sections: Any) -> WorkerProcess:
        started.append(WorkerProcess(url, ["mail"], mail_settings(port, **sections)))
        return started[-1].ready()

    yield spawn
    for process in started:
        if process.process.poll() is None:
            process.kill()
        elif process.process.stderr:
            process.process.stderr.close()


def send(url: str, **fields: Any) -> None:
    with open_store(url) as store:
        store.run(admit("mail", [MailMessage(to=to, text="Hello\n", **fields) for to in PEOPLE]))


def repair_all(url: str) -> repair.Repaired:
    with open_store(url) as store:
        (repaired,) = store.run(repair.repair_workers("", dead_after_s=-1, max_losses=3))
        return repaired


def shown(url: str, state: str) -> set[tuple[str, int]]:
    """(reason, attempts) of the jobs in a state."""
    with open_store(url) as store:
        return {(job.error, job.attempts) for job in store.run(jobs.page("mail", state, 0, 100))}


def ledger(redis: Redis) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall("queuectl:ledger:mail").items()}


def test_killed_after_the_final_dot_they_are_held_and_an_operator_sends_them(spawn, shut_sink: Sink, redis: Redis, redis_url: str):  # noqa: E501  # fmt: skip
    worker = spawn(redis_url, shut_sink.port, **HOLD)
    send(redis_url)
    until(lambda: shut_sink.waiting == len(PEOPLE))
    worker.kill()
    assert repair_all(redis_url) == repair.Repaired(worker.name, requeued=0, poisoned=0, ambiguous=len(PEOPLE))
    assert shown(redis_url, "failed") == {("ambiguous: worker died after the message was sent", 0)}
    assert ledger(redis) == {"accepted": 5, "claimed": 5, "lost_lease": 5, "failed": 5}
    assert not redis.exists("rq:queue:mail", "rq:wip:mail")
    with open_store(redis_url) as store:
        gate = Gate(Settings(), "ana")
        preview = store.run(gate.preview(RetryFailed("mail")))
        assert preview.affected == len(PEOPLE)
        store.run(gate.commit(preview))
    shut_sink.open()
    assert burst(redis_url, "mail", settings=mail_settings(shut_sink.port, **HOLD)) == 0
    assert set(shut_sink.taken) == set(PEOPLE)
    assert not list(redis.scan_iter("rq:job:*"))
    assert not list(redis.scan_iter("rq:execution*"))


def test_killed_before_data_they_are_sent_again_even_where_others_are_held(spawn, redis: Redis, redis_url: str):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        worker = spawn(redis_url, silent.getsockname()[1], **HOLD)
        send(redis_url)
        until(lambda: worker.in_flight() == len(PEOPLE))
        worker.kill()
    assert repair_all(redis_url).requeued == len(PEOPLE)
    with smtp_sink() as sink:
        assert burst(redis_url, "mail", settings=mail_settings(sink.port, **HOLD)) == 0
        assert sink.taken == dict.fromkeys(PEOPLE, 1)
    assert not list(redis.scan_iter("rq:job:*"))


def test_by_default_they_are_sent_again(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port)
    send(redis_url)
    until(lambda: shut_sink.waiting == len(PEOPLE))
    worker.kill()
    assert repair_all(redis_url).requeued == len(PEOPLE)


def test_a_worker_that_has_to_stop_holds_what_was_sent(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port, worker={"grace_s": 0}, **HOLD)
    send(redis_url)
    until(lambda: shut_sink.waiting == len(PEOPLE))
    worker.send(signal.SIGTERM)
    assert worker.end()[0] == 0
    assert shown(redis_url, "failed") == {("ambiguous: interrupted after the message was sent", 1)}
    assert ledger(redis) == {"accepted": 5, "claimed": 5, "failed": 5}


def test_a_held_message_lets_the_next_of_its_ordering_key_go(spawn, shut_sink: Sink, redis: Redis, redis_url: str):
    worker = spawn(redis_url, shut_sink.port, **HOLD)
    send(redis_url, ordering_key="k")
    until(lambda: shut_sink.waiting == 1)
    redis.hset("queuectl:control:mail", "pause", "on")
    worker.kill()
    assert repair_all(redis_url).ambiguous == 1
    assert redis.llen("rq:queue:mail") == 1


@pytest.mark.parametrize(("by", "section"), [("queue", HOLD), ("delivery", {"delivery": {"on_ambiguous": "hold"}})])
def test_a_final_dot_without_an_answer_is_held(shut_sink: Sink, redis: Redis, redis_url: str, by: str, section: Any):
    settings = mail_settings(shut_sink.port, **section)
    settings["providers"]["default"]["timeouts"] = {"final_dot_s": 0.2}
    send(redis_url)
    assert burst(redis_url, "mail", settings=settings) == 0
    assert shown(redis_url, "failed") == {("ambiguous: no reply in time after the final dot", 1)}


def test_a_final_dot_without_an_answer_is_tried_again_by_default(shut_sink: Sink, redis: Redis, redis_url: str):
    settings = mail_settings(shut_sink.port)
    settings["providers"]["default"]["timeouts"] = {"final_dot_s": 0.2}
    send(redis_url)
    assert burst(redis_url, "mail", settings=settings) == 0
    assert shown(redis_url, "scheduled") == {("no reply in time after the final dot", 1)}
