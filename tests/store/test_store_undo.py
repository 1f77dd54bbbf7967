"""Undo: back to exactly what was, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis
from store_world import OPERATOR, POOLED, commit, done, everything, put, waiting

from queuectl.model import (
    Action,
    DeleteFailed,
    Direction,
    Drain,
    Refill,
    RefusedError,
    RetryFailed,
    Scale,
    SetDirection,
    SetPause,
    SetShed,
    Switch,
    Target,
    Undo,
)
from queuectl.policy.decision import ControlName, Decision
from queuectl.store import assist, audit, automatic, keys, operations
from queuectl.store.client import Store
from queuectl.store.gate import Gate
from queuectl.store.reader import Reader

UNDOABLE: dict[str, Callable[[], Action]] = {
    "shed": lambda: SetShed("a", Switch.ON, 900),
    "auto": lambda: SetShed("a", None),
    "mode": lambda: SetDirection("a", Direction.LIFO),
    "pause": lambda: SetPause("a", Switch.ON, 60),
    "scale": lambda: Scale("bulk", 5, 900),
    "drain": lambda: Drain("a", Target.OVERFLOW),
    "drain-shed": lambda: Drain("a", Target.SHED),
    "drain-move": lambda: Drain("a", Target.QUEUE, "b"),
}


@pytest.mark.parametrize("earlier", ["nothing", "an override"])
@pytest.mark.parametrize("name", UNDOABLE)
def test_it_restores_the_fields_exactly(world: Store, redis: Redis, name: str, earlier: str) -> None:
    if earlier == "an override" or name == "auto":
        for action in (SetShed("a", Switch.ON), SetDirection("a", Direction.LIFO, 60), SetPause("a", Switch.ON),
                       Scale("bulk", 4, 60)):  # fmt: skip
            commit(world, action, settings=POOLED, reason="before")
    before, jobs = _fields(redis), redis.lrange(keys.queue("a"), 0, -1)
    outcome = done(world, UNDOABLE[name](), settings=POOLED, reason="a try")
    assert outcome.number
    undo = done(world, Undo(outcome.number), settings=POOLED)
    assert _fields(redis) == before
    assert redis.lrange(keys.queue("a"), 0, -1) == jobs
    assert undo.number == outcome.number + 1


def _fields(redis: Redis) -> dict[bytes, bytes]:
    """The hashes of queue and pool, without what only counts changes."""
    found = {**redis.hgetall(keys.control("a")), **redis.hgetall(keys.pool("bulk"))}
    return {name: value for name, value in found.items() if name not in (b"version", b"last_action")}


def test_twice_is_refused(world: Store, redis: Redis) -> None:
    shed = commit(world, SetShed("a", Switch.ON), settings=POOLED)
    undo = commit(world, Undo(shed.number), settings=POOLED)
    before = everything(redis)
    with pytest.raises(RefusedError, match=f"#{shed.number} was undone by #{undo.number}"):
        commit(world, Undo(shed.number), settings=POOLED)
    with pytest.raises(RefusedError, match="a undo has no undo"):
        commit(world, Undo(undo.number), settings=POOLED)
    assert everything(redis) == before


def test_two_undos_at_once_and_one_wins(world: Store, redis: Redis) -> None:
    """The hash says so even where versions do not: the stale preview carries no version here."""
    shed = commit(world, SetShed("a", Switch.ON), settings=POOLED)
    gate = Gate(POOLED, OPERATOR)
    preview = world.run(gate.preview(Undo(shed.number)))
    world.run(gate.commit(preview))
    with pytest.raises(RefusedError):
        world.run(gate.commit(replace(preview, token="")))


def test_a_later_change_comes_first(world: Store, redis: Redis) -> None:
    first = commit(world, SetShed("a", Switch.ON), settings=POOLED)
    second = commit(world, SetShed("a", Switch.OFF), settings=POOLED)
    commit(world, SetPause("a", Switch.ON), settings=POOLED)
    before = everything(redis)
    with pytest.raises(RefusedError, match=f"shed of a was changed again by #{second.number}; undo that first"):
        commit(world, Undo(first.number), settings=POOLED)
    assert everything(redis) == before
    commit(world, Undo(second.number), settings=POOLED)
    commit(world, Undo(first.number), settings=POOLED)
    assert redis.hget(keys.control("a"), "shed") is None


def test_what_shedding_dropped_comes_back(world: Store, redis: Redis) -> None:
    before = redis.llen(keys.queue("a"))
    shed = commit(world, SetShed("a", Switch.ON), settings=POOLED)
    state = world.run(Reader(POOLED).fleet()).queue("a")
    assert state is not None
    assert world.run(assist.shed(state, fence="", sweep=True)) == 1
    assert redis.llen(keys.queue("a")) == before - 1
    assert world.run(Gate(POOLED, OPERATOR).preview(Undo(shed.number))).affected == 1
    done(world, Undo(shed.number), settings=POOLED)
    assert redis.llen(keys.queue("a")) == before


def test_other_causes_segments_stay(world: Store, redis: Redis) -> None:
    drain = done(world, Drain("a", Target.OVERFLOW, limit=1), settings=POOLED)
    stored = world.run(Reader(POOLED).fleet()).queue("a")
    done(world, Undo(drain.number), settings=POOLED)
    now = world.run(Reader(POOLED).fleet()).queue("a")
    assert stored is not None
    assert now is not None
    assert (stored.overflow, now.overflow) == (3, 2)


@pytest.mark.parametrize("action", [Refill("a"), RetryFailed("a"), DeleteFailed("a")])
def test_what_has_no_undo_says_so(world: Store, action: Action) -> None:
    outcome = done(world, action, settings=POOLED)
    with pytest.raises(RefusedError, match="has no undo"):
        commit(world, Undo(outcome.number), settings=POOLED)


def test_a_running_drain_is_stopped_and_all_comes_back(store: Store, redis: Redis) -> None:
    ids = put(store, "a", 2500)
    drain = commit(store, Drain("a", Target.OVERFLOW))
    store.run(operations.drive(drain.operation, driver="test:1"))
    assert redis.llen(keys.queue("a")) == 1500
    done(store, Undo(drain.number))
    assert [raw.decode() for raw in redis.lrange(keys.queue("a"), 0, -1)] == ids
    assert store.run(operations.running()) == ()
    stopped = store.run(operations.read(drain.operation))
    assert stopped is not None
    assert (stopped.finished, stopped.note) == (True, "stopped")


def test_it_waits_for_the_drains_own_driver(store: Store, redis: Redis) -> None:
    put(store, "a", 2500)
    drain = commit(store, Drain("a", Target.OVERFLOW))
    store.run(operations.drive(drain.operation, driver="other:1"))
    undo = commit(store, Undo(drain.number))
    waits = store.run(operations.drive(undo.operation, driver="test:1"))
    assert waits is not None
    assert (waits.finished, waits.note) == (False, "waits for the drain to stop")
    assert redis.llen(keys.queue("a")) == 1500
    store.run(operations.drive(drain.operation, driver="other:1"))
    while not (operation := store.run(operations.drive(undo.operation, driver="test:1"))).finished:  # type: ignore[union-attr]
        pass
    assert operation is not None
    assert redis.llen(keys.queue("a")) == 2500
    assert not redis.exists(keys.tier("overflow", "a"))


def test_a_drain_of_which_nothing_is_left_is_not_undone(store: Store, redis: Redis) -> None:
    put(store, "a", 5)
    drain = done(store, Drain("a", Target.OVERFLOW))
    done(store, Refill("a"))
    before = everything(redis)
    with pytest.raises(RefusedError, match="nothing of it is left in overflow"):
        commit(store, Undo(drain.number))
    assert everything(redis) == before


def test_it_says_how_much_is_left(store: Store) -> None:
    put(store, "a", 500)
    drain = done(store, Drain("a", Target.OVERFLOW))
    done(store, Refill("a", limit=380))
    assert store.run(Gate(POOLED, OPERATOR).preview(Undo(drain.number))).affected == 120


class TestOfAutomation:
    """An operator undoes what automation decided: an override of the opposite, which ends by itself."""

    def decide(self, store: Store, what: ControlName, value: str, before: str, scope: str = "a") -> int:
        decision = Decision(scope, what, value, "pressure 0.93, over 0.8 for 15 s", {"pressure": 0.93})
        return store.run(automatic.decide(decision, before=before, version="", fence=""))

    @pytest.fixture
    def policies(self, world: Store, redis: Redis) -> Store:
        redis.hset(keys.policy("a"), mapping={"shed": "auto", "direction": "auto"})
        redis.hset(keys.pool("bulk"), mapping={"scaling_min": 1, "scaling_max": 9})
        return world

    @pytest.mark.parametrize(
        ("what", "value", "before", "scope", "field"),
        [
            (ControlName.SHED, "on", "off", "a", "shed"),
            (ControlName.SHED, "off", "on", "a", "shed"),
            (ControlName.DIRECTION, "lifo", "fifo", "a", "direction"),
            (ControlName.SCALE, "6", "2", "bulk", "desired"),
        ],
    )
    def test_the_opposite_for_an_hour(
        self, policies: Store, redis: Redis, what: ControlName, value: str, before: str, scope: str, field: str
    ) -> None:
        number = self.decide(policies, what, value, before, scope)
        outcome = commit(policies, Undo(number), settings=POOLED)
        assert "for 1h" in outcome.done
        stored = redis.hgetall(keys.pool(scope) if field == "desired" else keys.control(scope))
        assert (stored[field.encode()], stored[f"{field}_by".encode()]) == (before.encode(), OPERATOR.encode())
        assert stored[f"{field}_reason".encode()] == f"undo of #{number}".encode()
        assert float(stored[f"{field}_until".encode()]) - float(redis.time()[0]) == pytest.approx(3600, abs=5)
        entry = policies.run(audit.find(outcome.number))
        assert (entry.who, entry.action, entry.after) == (OPERATOR, "undo", f"{before} for 1h")
        assert policies.run(audit.find(number)).undone_by == outcome.number

    def test_what_it_shed_comes_back(self, policies: Store, redis: Redis) -> None:
        waits = waiting(redis, "a")
        number = self.decide(policies, ControlName.SHED, "on", "off")
        state = policies.run(Reader(POOLED).fleet()).queue("a")
        assert state
        assert policies.run(assist.shed(state, fence="", sweep=True)) == 1
        outcome = done(policies, Undo(number), settings=POOLED)
        assert sorted(waiting(redis, "a")) == sorted(waits)
        after = policies.run(Reader(POOLED).fleet()).queue("a")
        assert after
        assert (after.shed.value, after.shed.overridden, after.shed.cause) == ("off", True, outcome.number)

    def test_not_once_it_has_decided_again(self, policies: Store) -> None:
        first = self.decide(policies, ControlName.SHED, "on", "off")
        second = self.decide(policies, ControlName.SHED, "off", "on")
        with pytest.raises(RefusedError, match=f"has changed shed of a again since \\(#{second}\\)"):
            commit(policies, Undo(first), settings=POOLED)
        commit(policies, Undo(second), settings=POOLED)

    def test_not_against_another_operator(self, policies: Store) -> None:
        number = self.decide(policies, ControlName.DIRECTION, "lifo", "fifo")
        other = commit(policies, SetDirection("a", Direction.FIFO), settings=POOLED)
        with pytest.raises(RefusedError, match=f"{OPERATOR} has overridden it since: mode fifo \\(#{other.number}\\)"):
            commit(policies, Undo(number), settings=POOLED)

    def test_not_what_is_no_longer_automatic(self, policies: Store, redis: Redis) -> None:
        number = self.decide(policies, ControlName.SHED, "on", "off")
        redis.hdel(keys.control("a"), *automatic.fields_of(ControlName.SHED))
        with pytest.raises(RefusedError, match="automation does not decide shed of a any more"):
            commit(policies, Undo(number), settings=POOLED)

    def test_a_refusal_of_admission_has_no_undo(self, policies: Store) -> None:
        number = self.decide(policies, ControlName.REFUSE, "on", "")
        with pytest.raises(RefusedError, match="a refuse has no undo"):
            commit(policies, Undo(number), settings=POOLED)
