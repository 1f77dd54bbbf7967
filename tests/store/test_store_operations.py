"""Drains and moves in their order, past what they spare; stopped and continued at any point, through the gate."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import (
    DRIVER,
    OPERATOR,
    SETTINGS,
    carry_on,
    census,
    commit,
    cut_off,
    done,
    hold_clock,
    put,
    waiting,
    with_environment,
)

from queuectl.model import (
    ContinueOperation,
    Drain,
    Operation,
    Outcome,
    Refill,
    RefusedError,
    StopOperation,
    Target,
    Tier,
    Undo,
    UsageError,
)
from queuectl.store import audit, keys, operations, tiers
from queuectl.store.client import Store
from queuectl.store.gate import Gate
from queuectl.store.reader import Reader

MANY = 2300


def drive(store: Store, outcome: Outcome) -> Operation:
    operation = store.run(operations.drive(outcome.operation, driver=DRIVER))
    assert operation
    return operation


def put_mixed(store: Store, number: int) -> tuple[list[str], list[str]]:
    """(ordered, plain): every other message has an ordering key of its own."""
    ordered, plain = [], []
    for index in range(0, number, 500):
        for place in range(index, min(index + 500, number)):
            (plain if place % 2 else ordered).extend(
                put(store, "a", 1, **({} if place % 2 else {"ordering_key": f"k{place}"}))
            )
    return ordered, plain


class TestMove:
    """Drains to another queue."""

    @pytest.mark.parametrize("limit", [None, 2200, 1300, 3])
    def test_the_order_is_kept(self, store: Store, redis: Redis, limit: int | None) -> None:
        already, ids = put(store, "b", 2), put(store, "a", MANY)
        done(store, Drain("a", Target.QUEUE, "b", limit=limit))
        left = 0 if limit is None else MANY - limit
        assert (waiting(redis, "a"), waiting(redis, "b")) == (ids[:left], [*already, *ids[left:]])
        assert {queue.ledger.residue for queue in store.run(Reader(SETTINGS).fleet()).queues} == {0}

    @pytest.mark.parametrize("limit", [None, 1300])
    def test_undo_puts_them_back_where_they_were(self, store: Store, redis: Redis, limit: int | None) -> None:
        already, ids = put(store, "b", 700), put(store, "a", MANY)
        drain = done(store, Drain("a", Target.QUEUE, "b", limit=limit))
        late = put(store, "b", 3)
        done(store, Undo(drain.number))
        assert (waiting(redis, "a"), waiting(redis, "b")) == (ids, [*already, *late])

    def test_what_arrives_meanwhile_is_not_moved_behind_it(self, store: Store, redis: Redis) -> None:
        """A drain from the tail collects before it moves: what it has collected when it dies goes back in order."""
        ids = put(store, "a", 30)
        outcome = commit(store, Drain("a", Target.QUEUE, "b", limit=20))
        drive(store, outcome)
        assert (waiting(redis, "a"), waiting(redis, "b")) == (ids[:10], [])
        assert census(redis, ("a", "b")).at("staging a") == ids[10:]
        redis.delete(keys.operation(outcome.operation))
        store.run(tiers.unstage("a", outcome.operation, fence=""))
        assert waiting(redis, "a") == ids

    def test_ordered_messages_stay_in_their_places(self, store: Store, redis: Redis) -> None:
        ordered, plain = put_mixed(store, 200)
        outcome = done(store, Drain("a", Target.QUEUE, "b"))
        assert (waiting(redis, "a"), waiting(redis, "b")) == (ordered, plain)
        ended = store.run(operations.read(outcome.operation))
        assert ended
        assert ended.note == "100 with an ordering key stay in the queue"

    def test_records_that_are_gone_are_counted(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 5)
        redis.delete(keys.job(ids[1]))
        done(store, Drain("a", Target.QUEUE, "b"))
        assert waiting(redis, "b") == [ids[0], *ids[2:]]
        assert redis.hget(keys.ledger("a"), "vanished") == b"1"


class TestSpared:
    """More than a thousand messages that shedding spares lie at the end that a drain takes from."""

    @pytest.fixture
    def ordered(self, store: Store) -> list[str]:
        return [put(store, "a", 1, ordering_key=f"k{number}")[0] for number in range(1100)]

    def test_a_drain_looks_behind_them(self, store: Store, redis: Redis, ordered: list[str]) -> None:
        plain = put(store, "a", 3)
        done(store, Drain("a", Target.SHED, older_than_s=0))
        assert waiting(redis, "a") == ordered
        done(store, Refill("a", Tier.SHED))
        assert waiting(redis, "a") == [*ordered, *plain]

    def test_so_does_a_sweep(self, store: Store, redis: Redis, ordered: list[str]) -> None:
        plain = put(store, "a", 3)
        assert store.run(tiers.sweep_stale("a", fence="", max_age_s=-60)) == 3
        assert waiting(redis, "a") == ordered
        assert store.run(tiers.staged_owners("a")) == {"sweep": 3}
        assert census(redis, ("a",)).at("staging a") == plain

    def test_stopped_on_the_way_they_are_back_at_their_end(
        self, store: Store, redis: Redis, ordered: list[str]
    ) -> None:
        before = put(store, "b", 1)
        plain = put(store, "a", 3)
        outcome = commit(store, Drain("a", Target.SHED))
        store.run(cut_off(operations.drive(outcome.operation, driver=DRIVER), 6))
        assert waiting(redis, "a") != [*ordered, *plain]
        store.run(Gate(SETTINGS, OPERATOR).stop_operation(outcome.operation))
        carry_on(store, outcome)
        back = waiting(redis, "a")
        assert sorted(back) == sorted([*ordered, *plain])
        assert [job_id for job_id in back if job_id not in plain] == ordered
        assert waiting(redis, "b") == before
        assert store.run(tiers.staged_owners("a")) == {}


class TestStopAndContinue:
    """Both pass the gate."""

    def stopped(self, store: Store, action: Drain | Refill) -> tuple[Outcome, Operation]:
        """Begun, stopped after one step, and over."""
        outcome = commit(store, action)
        drive(store, outcome)
        commit(store, StopOperation(outcome.operation), reason="enough")
        return outcome, drive(store, outcome)

    def test_who_and_why_stand_in_the_log(self, store: Store) -> None:
        put(store, "a", MANY)
        _, operation = self.stopped(store, Drain("a", Target.OVERFLOW))
        assert (operation.done, operation.finished, operation.note) == (1000, True, "stopped")
        entry, *_ = store.run(audit.recent(1))
        assert (entry.who, entry.action, entry.scope, entry.reason, entry.undoable) == (
            OPERATOR, "stop", "a", "enough", True
        )  # fmt: skip
        assert (entry.before, entry.after) == ("drain to overflow, 1,000 done", "stopped")

    @pytest.mark.parametrize("target", [Target.OVERFLOW, Target.SHED])
    def test_it_goes_on_where_it_was(self, store: Store, redis: Redis, target: Target) -> None:
        ids = put(store, "a", MANY)
        outcome, _ = self.stopped(store, Drain("a", target, limit=2000))
        assert store.run(operations.running()) == ()
        commit(store, ContinueOperation(outcome.operation))
        assert redis.ttl(keys.operation(outcome.operation)) == -1, "it does not expire on the way"
        carry_on(store, outcome)
        ended = store.run(operations.read(outcome.operation))
        assert ended
        assert (ended.done, ended.stopped) == (2000, False)
        assert waiting(redis, "a") == ids[:300]
        done(store, Undo(outcome.number))
        assert waiting(redis, "a") == ids

    def test_a_move_stopped_while_it_collects_goes_on(self, store: Store, redis: Redis) -> None:
        ids = put(store, "a", 30)
        outcome, _ = self.stopped(store, Drain("a", Target.QUEUE, "b", limit=20))
        assert waiting(redis, "a") == ids
        commit(store, ContinueOperation(outcome.operation))
        carry_on(store, outcome)
        assert (waiting(redis, "a"), waiting(redis, "b")) == (ids[:10], ids[10:])

    def test_the_rate_counts_anew(self, store: Store, redis: Redis) -> None:
        """The time while it was stopped is not made up for."""
        put(store, "a", 1000)
        done(store, Drain("a", Target.OVERFLOW))
        outcome = commit(store, Refill("a", rate_per_s=20))
        hold_clock(redis, outcome)
        drive(store, outcome)
        commit(store, StopOperation(outcome.operation))
        operation = drive(store, outcome)
        redis.hset(keys.operation(outcome.operation), "pace_from_s", 0)
        commit(store, ContinueOperation(outcome.operation))
        hold_clock(redis, outcome)
        assert (operation.done, drive(store, outcome).done, drive(store, outcome).idle) == (20, 40, True)

    def test_the_last_stopped_one_is_found(self, store: Store) -> None:
        put(store, "a", MANY)
        outcome, _ = self.stopped(store, Drain("a", Target.OVERFLOW))
        done(store, Refill("a", limit=1))
        found = store.run(operations.stopped_last("a"))
        assert found
        assert found.op_id == outcome.operation
        assert store.run(operations.stopped_last("b")) is None

    def test_what_is_over_or_undone_does_not_go_on(self, store: Store, redis: Redis) -> None:
        put(store, "a", MANY)
        over = done(store, Drain("a", Target.OVERFLOW, limit=1))
        with pytest.raises(RefusedError, match="the drain of a is over: 1 done"):
            commit(store, ContinueOperation(over.operation))
        outcome, _ = self.stopped(store, Drain("a", Target.OVERFLOW))
        undo = done(store, Undo(outcome.number))
        with pytest.raises(RefusedError, match=f"#{outcome.number} was undone by #{undo.number}"):
            commit(store, ContinueOperation(outcome.operation))
        with pytest.raises(UsageError, match="no operation 'x'"):
            commit(store, ContinueOperation("x"))

    def test_one_that_ends_meanwhile_is_not_stopped(self, store: Store, redis: Redis) -> None:
        put(store, "a", 3)
        outcome = commit(store, Drain("a", Target.OVERFLOW))
        gate = Gate(SETTINGS, OPERATOR)
        preview = store.run(gate.preview(StopOperation(outcome.operation)))
        carry_on(store, outcome)
        with pytest.raises(RefusedError, match="a changed meanwhile"):
            store.run(gate.commit(preview))
        assert store.run(operations.running()) == ()

    def test_undo_of_a_stop_continues_and_of_a_continue_stops(self, store: Store) -> None:
        put(store, "a", MANY)
        outcome, _ = self.stopped(store, Drain("a", Target.OVERFLOW))
        stop, *_ = store.run(audit.recent(1))
        commit(store, Undo(stop.number))
        assert [running.op_id for running in store.run(operations.running())] == [outcome.operation]
        commit(store, StopOperation(outcome.operation))
        drive(store, outcome)
        goes_on = commit(store, ContinueOperation(outcome.operation))
        commit(store, Undo(goes_on.number))
        assert drive(store, outcome).note == "stopped"

    def test_read_only_refuses_both_and_production_stops_at_once(self, store: Store) -> None:
        put(store, "a", 3)
        outcome = commit(store, Drain("a", Target.OVERFLOW))
        with pytest.raises(RefusedError, match="read-only"):
            store.run(Gate(with_environment(read_only=True), OPERATOR).stop_operation(outcome.operation))
        assert store.run(Gate(with_environment(production=True), OPERATOR).stop_operation(outcome.operation)).number
