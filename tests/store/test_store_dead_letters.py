"""Failed jobs found by error and recipient, retried at a rate or deleted in bulk, by an operation that can stop."""

from __future__ import annotations

import pytest
from redis import Redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from store_world import DRIVER, OPERATOR, SETTINGS, commit, done, end, mail, take, waiting

from queuectl.model import (
    ContinueOperation,
    DeleteFailed,
    LedgerState,
    Operation,
    RetryFailed,
    StopOperation,
    UsageError,
)
from queuectl.store import admission, dead_letters, keys, operations
from queuectl.store.changes.facts import of_queue
from queuectl.store.claims import End
from queuectl.store.client import Store
from queuectl.store.gate import Gate

GONE, FULL = "550 5.1.1 no such user ben@example.org", "452 4.2.2 mailbox full"


@pytest.fixture
def failed(store: Store) -> Store:
    """40 failed messages: every fourth for a full mailbox, the others for one that is gone."""
    messages = [mail(number, campaign="digest") for number in range(40)]
    store.run(admission.admit("a", messages))
    for number, claim in enumerate(take(store, "a", 40)):
        end(store, [claim], End.FAILED, reason=GONE if number % 4 else FULL)
    return store


def step(store: Store, op_id: str) -> Operation:
    found = store.run(operations.drive(op_id, driver=DRIVER))
    assert found is not None
    return found


def left(store: Store) -> int:
    facts = store.run(of_queue("a", SETTINGS)).queue
    assert facts.ledger.state is LedgerState.BALANCED
    return facts.failed


@pytest.mark.parametrize(
    ("match", "number"),
    [("", 40), ("5.1.1", 30), ("mailbox full", 10), ('!"mailbox full"', 30), ("@example.org", 40), ("ben@", 0),
     ("user", 30), ("5.1.1 4.2.2", 0)],
)  # fmt: skip
def test_a_search_looks_at_errors_and_masked_recipients(failed: Store, match: str, number: int) -> None:
    assert failed.run(dead_letters.count("a", match)) == (number, False)
    assert len(failed.run(dead_letters.find("a", match, 0, 100))) == number
    assert len(failed.run(dead_letters.find("a", match, 8, 5))) == min(5, max(0, number - 8))


def test_of_many_the_number_is_an_estimate(failed: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "PAGE", 10)
    monkeypatch.setattr(dead_letters, "LOOK_AT", 20)
    number, estimated = failed.run(dead_letters.count("a", "5.1.1"))
    assert estimated
    assert 20 <= number <= 40


def test_what_stock_rq_failed_is_found_by_its_exception(store: Store, redis: Redis) -> None:
    queue = Queue("a", connection=redis, serializer=JSONSerializer)
    for argument in ("x", "/nowhere"):
        queue.enqueue("builtins.int" if argument == "x" else "os.stat", argument)
    SimpleWorker([queue], connection=redis, serializer=JSONSerializer).work(burst=True, logging_level="CRITICAL")
    (row,) = store.run(dead_letters.find("a", "FileNotFoundError", 0, 9))
    assert row.error.startswith("FileNotFoundError: [Errno 2]")
    done(store, RetryFailed("a", match="ValueError"))
    assert len(waiting(redis, "a")) == 1


def test_those_that_match_are_retried_and_the_rest_stays(failed: Store, redis: Redis) -> None:
    outcome = done(failed, RetryFailed("a", match="5.1.1"))
    assert (len(waiting(redis, "a")), left(failed)) == (30, 10)
    ended = failed.run(operations.read(outcome.operation))
    assert ended is not None
    assert (ended.kind, ended.done, ended.finished, ended.match) == ("retry", 30, True, "5.1.1")


def test_those_that_match_are_deleted(failed: Store, redis: Redis) -> None:
    done(failed, DeleteFailed("a", match="4.2.2"))
    assert (left(failed), len(redis.keys(keys.job("*")))) == (30, 30)


def test_a_rate_is_kept_a_stop_stops_and_it_goes_on_where_it_was(failed: Store, redis: Redis) -> None:
    outcome = commit(failed, RetryFailed("a", match="5.1.1", rate_per_s=4))
    assert step(failed, outcome.operation).done == 4
    for _ in range(3):
        assert step(failed, outcome.operation).idle
    commit(failed, StopOperation(outcome.operation))
    assert step(failed, outcome.operation).finished
    assert (len(waiting(redis, "a")), left(failed)) == (4, 36)
    commit(failed, ContinueOperation(outcome.operation))
    redis.hset(keys.operation(outcome.operation), "pace_from_s", "1")
    while not step(failed, outcome.operation).finished:
        pass
    assert (len(waiting(redis, "a")), left(failed)) == (30, 10)


def test_what_fails_again_meanwhile_is_not_retried_twice(
    failed: Store, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "PAGE", 7)
    outcome = commit(failed, RetryFailed("a", match="5.1.1"))
    steps = 0
    while not step(failed, outcome.operation).finished:
        steps += 1
        for claim in take(failed, "a", 100):
            end(failed, [claim], End.FAILED, reason=GONE)
    assert steps == 5
    ended = failed.run(operations.read(outcome.operation))
    assert ended is not None
    assert ended.done == 30


def test_the_audit_names_no_address(failed: Store) -> None:
    preview = failed.run(Gate(SETTINGS, OPERATOR).preview(RetryFailed("a", match="user1@example.org")))
    assert "user1@" not in preview.headline
    assert "u…@example.org" in preview.headline


@pytest.mark.parametrize(
    "action",
    [RetryFailed("a", ("x",), match="y"), RetryFailed("a", ("x",), rate_per_s=1), RetryFailed("a", rate_per_s=0)],
)
def test_what_makes_no_sense_is_refused(failed: Store, action: RetryFailed) -> None:
    with pytest.raises(UsageError):
        commit(failed, action)
