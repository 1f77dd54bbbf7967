"""Overflow on a second server: every message is in one place wherever a process or a server dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from servers import OwnServer
from store_world import DRIVER, OPERATOR, SETTINGS, Census, carry_on, census, commit, cut_off, done, put, waiting

import queuectl
from queuectl.model import ContinueOperation, Drain, Operation, Outcome, QueueState, Refill, Target, Tier, Undo
from queuectl.store import audit, keys, operations, overflow_server, restoring, tiers
from queuectl.store.client import OverflowServerError, Steps, Store
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate
from queuectl.store.packed import unpack
from queuectl.store.reader import Reader

NUMBER = 1500
THERE = keys.tier("overflow", "a")
NOTES = keys.tier_away("overflow", "a")


@dataclass
class Pair:
    """The first server, the second, and a store that knows both."""

    store: Store
    redis: Redis
    second: Redis
    server: OwnServer

    def picture(self) -> QueueState:
        state = self.store.run(Reader(SETTINGS).fleet()).queue("a")
        assert state
        return state

    def clean_up(self) -> int:
        """As the daemon does, once whoever wrote has had time enough."""
        return self.store.run(overflow_server.clear_leftovers("a", fence="", now_s=9e9))

    def count(self) -> Census:
        """Every job's place; one that is packed is where its segment is listed here."""
        found = census(self.redis, ("a",), away=self.second)
        listed = {name for name, blob in self.redis.hgetall(THERE).items() if blob == b""}
        assert listed <= set(self.second.hkeys(THERE)), "what is listed is there"
        return found


@pytest.fixture
def pair(redis_url: str, own_server: Callable[..., OwnServer]) -> Iterator[Pair]:
    server = own_server()
    with (
        open_store(redis_url, overflow_url=server.url) as store,
        Redis.from_url(redis_url) as redis,
        Redis.from_url(server.url) as second,
    ):
        yield Pair(store, redis, second, server)


def drive(pair: Pair, outcome: Outcome) -> Operation:
    operation = pair.store.run(operations.drive(outcome.operation, driver=DRIVER))
    assert operation
    return operation


def test_there_and_back(pair: Pair) -> None:
    ids = put(pair.store, "a", NUMBER)
    done(pair.store, Drain("a", Target.OVERFLOW))
    state = pair.picture()
    assert (state.overflow, state.overflow_away, state.overflow_bytes) == (NUMBER, NUMBER, 0)
    assert sum(len(unpack(blob).jobs) for blob in pair.second.hvals(THERE)) == NUMBER
    assert set(pair.redis.hvals(THERE)) == {b""}
    done(pair.store, Refill("a"))
    assert waiting(pair.redis, "a") == ids
    assert not pair.second.exists(THERE)
    assert not pair.redis.exists(NOTES, THERE)
    assert (pair.picture().overflow_away, pair.picture().ledger.residue) == (0, 0)


def test_undo_and_a_part_of_a_segment(pair: Pair) -> None:
    ids = put(pair.store, "a", NUMBER)
    drain = done(pair.store, Drain("a", Target.OVERFLOW))
    pair.store.run(restoring.restore_next("a", Tier.OVERFLOW, fence="", most=100))
    assert waiting(pair.redis, "a") == ids[:100]
    assert (pair.picture().overflow, pair.picture().overflow_away) == (NUMBER - 100, 1000)
    done(pair.store, Undo(drain.number))
    assert sorted(waiting(pair.redis, "a")) == sorted(ids)
    assert not pair.second.exists(THERE)


def test_the_shed_store_stays_here(pair: Pair) -> None:
    put(pair.store, "a", 5)
    done(pair.store, Drain("a", Target.SHED))
    assert not pair.second.keys("*")
    assert pair.picture().shed_stored == 5


@pytest.mark.parametrize("dies_after", range(14))
def test_a_packing_process_may_die_anywhere(pair: Pair, dies_after: int) -> None:
    ids = put(pair.store, "a", 20)
    outcome = commit(pair.store, Drain("a", Target.OVERFLOW))
    pair.store.run(cut_off(operations.drive(outcome.operation, driver=DRIVER), dies_after))
    now = pair.count()
    assert sorted(now.places) == sorted(ids)
    assert {len(places) for places in now.places.values()} == {1}
    carry_on(pair.store, outcome)
    pair.clean_up()
    assert sum(len(unpack(blob).jobs) for blob in pair.second.hvals(THERE)) == 20, "nothing is left behind there"
    assert not pair.redis.exists(NOTES)
    done(pair.store, Refill("a"))
    assert waiting(pair.redis, "a") == ids


@pytest.mark.parametrize("dies_after", range(14))
def test_a_restoring_process_may_die_anywhere(pair: Pair, dies_after: int) -> None:
    ids = put(pair.store, "a", 20)
    done(pair.store, Drain("a", Target.OVERFLOW))
    outcome = commit(pair.store, Refill("a"))
    pair.store.run(cut_off(operations.drive(outcome.operation, driver=DRIVER), dies_after))
    now = pair.count()
    assert sorted(now.places) == sorted(ids)
    assert {len(places) for places in now.places.values()} == {1}
    carry_on(pair.store, outcome)
    pair.clean_up()
    assert waiting(pair.redis, "a") == ids
    assert not pair.second.exists(THERE)
    assert not pair.redis.exists(NOTES)


def test_a_slow_writer_cannot_list_what_was_given_up(pair: Pair) -> None:
    """It wrote its segment, slept, and the daemon took it for dead: its commit is refused, and it packs anew."""
    ids = put(pair.store, "a", 5)
    pair.store.run(tiers.stage("a", "op", fence="", end="tail", most=9, cutoff_s=None, shedding=False))
    staging = tiers.Staging("a", "op", Tier.OVERFLOW, "test")
    steps = tiers.pack_staged(staging, fence="")
    sleeping = until_written(pair, steps)
    assert pair.clean_up() == 1
    assert not pair.second.exists(THERE)
    assert pair.store.run(sleeping) == 0
    assert pair.picture().draining == 5
    assert pair.store.run(tiers.pack_staged(staging, fence="")) == 5
    done(pair.store, Refill("a"))
    assert waiting(pair.redis, "a") == ids


def until_written(pair: Pair, steps: Steps[int]) -> Steps[int]:
    """Run the steps until the segment is on the second server; the rest of them."""
    replies = None
    while True:
        calls = steps.send(replies)  # type: ignore[arg-type]
        replies = pair.store._ask(calls)
        if calls[0].elsewhere and calls[0].args:
            break

    def rest() -> Steps[int]:
        waiting_calls = steps.send(replies)  # type: ignore[arg-type]
        try:
            while True:
                waiting_calls = steps.send((yield waiting_calls))
        except StopIteration as stop:
            return int(stop.value)

    return rest()


def test_what_is_fresh_is_not_given_up(pair: Pair) -> None:
    put(pair.store, "a", 5)
    outcome = commit(pair.store, Drain("a", Target.OVERFLOW))
    pair.store.run(cut_off(operations.drive(outcome.operation, driver=DRIVER), 9))
    now_s = float(pair.redis.time()[0])
    assert pair.store.run(overflow_server.clear_leftovers("a", fence="", now_s=now_s)) == 0


def test_a_drain_stops_at_the_safe_side_when_it_is_away(pair: Pair) -> None:
    ids = put(pair.store, "a", NUMBER)
    outcome = commit(pair.store, Drain("a", Target.OVERFLOW))
    assert drive(pair, outcome).done == 1000
    pair.server.kill()
    operation = drive(pair, outcome)
    assert (operation.finished, operation.note[:30]) == (True, "stopped: the overflow server: ")
    assert waiting(pair.redis, "a") == ids[:500], "what it had taken is back"
    assert pair.picture().draining == 0
    entry, *_ = pair.store.run(audit.recent(1))
    assert (entry.action, entry.after) == ("drain", "stopped")
    assert "the overflow server: no server" in entry.reason
    pair.server.start()
    commit(pair.store, ContinueOperation(outcome.operation))
    carry_on(pair.store, outcome)
    done(pair.store, Refill("a"))
    assert waiting(pair.redis, "a") == ids


def test_a_refill_stops_when_it_is_away_and_loses_nothing(pair: Pair) -> None:
    ids = put(pair.store, "a", NUMBER)
    done(pair.store, Drain("a", Target.OVERFLOW))
    pair.server.kill()
    outcome = commit(pair.store, Refill("a"))
    assert drive(pair, outcome).note.startswith("stopped: the overflow server: no server")
    assert pair.picture().overflow == NUMBER
    pair.server.start()
    commit(pair.store, ContinueOperation(outcome.operation))
    carry_on(pair.store, outcome)
    assert waiting(pair.redis, "a") == ids


def test_without_its_address_nothing_is_touched(pair: Pair, redis_url: str) -> None:
    put(pair.store, "a", 5)
    done(pair.store, Drain("a", Target.OVERFLOW))
    with open_store(redis_url) as ignorant:
        outcome = commit(ignorant, Refill("a"))
        operation = ignorant.run(operations.drive(outcome.operation, driver=DRIVER))
        assert operation
        assert "name it: server.overflow_url" in operation.note
        put(ignorant, "a", 3)
        done(ignorant, Drain("a", Target.OVERFLOW))
    assert (pair.picture().overflow, pair.picture().overflow_away) == (8, 5), "it packs here, and that is fine"
    done(pair.store, Refill("a"))
    assert len(waiting(pair.redis, "a")) == 8


def test_a_segment_that_the_second_server_lost_is_set_aside(pair: Pair) -> None:
    put(pair.store, "a", 5)
    done(pair.store, Drain("a", Target.OVERFLOW))
    pair.second.flushall()
    done(pair.store, Refill("a"))
    state = pair.picture()
    assert (state.overflow, state.overflow_damaged) == (5, 5)
    entry, *_ = pair.store.run(audit.recent(1))
    assert "missing on the overflow server" in entry.reason


def test_it_says_so_when_it_is_full(pair: Pair) -> None:
    put(pair.store, "a", 5)
    pair.second.config_set("maxmemory", "1")
    pair.store.run(tiers.stage("a", "op", fence="", end="tail", most=9, cutoff_s=None, shedding=False))
    with pytest.raises(OverflowServerError, match="the overflow server: the server is out of memory"):
        pair.store.run(tiers.pack_staged(tiers.Staging("a", "op", Tier.OVERFLOW, "test"), fence=""))


VICTIM = """
import os, signal, sys
from queuectl.store import operations
from queuectl.store.client import Store
from queuectl.store.connect import open_store

url, overflow_url, op_id, left = *sys.argv[1:4], int(sys.argv[4])
with open_store(url, overflow_url=overflow_url) as store:
    ask = store._ask
    def counted(calls):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return ask(calls)
    store._ask = counted
    while not store.run(operations.drive(op_id, driver="victim:1")).finished:
        pass
"""


@pytest.mark.parametrize("action", [Drain("a", Target.OVERFLOW), Refill("a")], ids=["drain", "refill"])
def test_killed_processes_lose_nothing(pair: Pair, redis_url: str, action: Drain | Refill) -> None:
    """One operation, each of its drivers killed (-9) a few round trips on, until one lives to the end."""
    ids = put(pair.store, "a", NUMBER)
    if isinstance(action, Refill):
        done(pair.store, Drain("a", Target.OVERFLOW))
    outcome = commit(pair.store, action)
    for left in (4, 9, 15, 21):
        victim = subprocess.run(
            [sys.executable, "-c", VICTIM, redis_url, pair.server.url, outcome.operation, str(left)],
            env={**os.environ, "PYTHONPATH": str(Path(queuectl.__file__).parents[1])}, check=False,
        )  # fmt: skip
        assert victim.returncode in (0, -signal.SIGKILL)
        pair.redis.delete(keys.operation_driver(outcome.operation))
        now = pair.count()
        assert sorted(now.places) == sorted(ids)
        assert {len(places) for places in now.places.values()} == {1}
    carry_on(pair.store, outcome)
    pair.clean_up()
    if isinstance(action, Drain):
        assert pair.second.hlen(THERE) == pair.redis.hlen(THERE) == 2
        done(pair.store, Refill("a"))
    assert waiting(pair.redis, "a") == ids
    assert not pair.second.exists(THERE)


def test_the_gate_needs_no_second_server(pair: Pair) -> None:
    """A preview tells what would be done while it is away."""
    put(pair.store, "a", 5)
    done(pair.store, Drain("a", Target.OVERFLOW))
    pair.server.kill()
    assert pair.store.run(Gate(SETTINGS, OPERATOR).preview(Refill("a"))).affected == 5
