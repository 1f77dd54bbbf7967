"""Whatever happens in whatever order, and wherever a process dies: every message is in exactly one place, and the
ledger says so."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis import Redis
from store_world import DRIVER, OPERATOR, SETTINGS, age, census, commit, cut_off, end, mail, take, waiting

from queuectl.model import (
    Action,
    ContinueOperation,
    DeleteFailed,
    Direction,
    Drain,
    QueueState,
    Refill,
    RefusedError,
    RetryFailed,
    SetDirection,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
    UsageError,
)
from queuectl.store import admission, assist, automatic, claims, keys, operations, repair, surge, tiers
from queuectl.store.claims import Claim, End
from queuectl.store.client import Steps, Store
from queuectl.store.gate import Gate
from queuectl.store.reader import Reader

QUEUES = ("a", "b")
queues = st.sampled_from(QUEUES)
few = st.integers(1, 6)
ordering_keys = st.sampled_from(["", "", "", "", "k1", "k2"])
STALE_S = 5 * 3600.0


def drive_to_the_end(op_id: str) -> Steps[None]:
    while (operation := (yield from operations.drive(op_id, driver=DRIVER))) and not operation.finished:
        pass


def every_way(queue: QueueState, keep: int) -> Steps[None]:
    """One step of each kind between the live tiers."""
    yield from surge.sweep(queue, keep, fence="")
    yield from surge.refill(queue, 2, fence="")
    yield from surge.pack_arrivals(queue, fence="")
    yield from surge.squeeze(queue, keep, fence="")
    yield from surge.bring_back(queue, fence="")
    yield from surge.trim(queue, 2, fence="")


class Mail(RuleBasedStateMachine):
    """Two queues, two workers, operators, and a driver that may die between any two round trips.

    No rule has a precondition and no draw depends on what was found: ids and times are the server's, so the same steps
    may meet another state in a second run, and hypothesis would call that flaky. A rule with nothing to do is skipped.
    """

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.redis = redis
        self.store = Store(redis)
        self.gate = Gate(SETTINGS, OPERATOR)
        self.reader = Reader(SETTINGS)
        self.alive: set[str] = set()
        self.held: list[tuple[str, Claim]] = []
        self.lost: list[tuple[str, Claim]] = []

    @initialize(numbers=st.tuples(st.integers(3, 9), st.integers(0, 4)))
    def begin(self, numbers: tuple[int, int]) -> None:
        self.redis.flushall()
        for queue, number in zip(QUEUES, numbers, strict=True):
            self.admit(queue, number, "", "")

    def has(self, kind: str) -> bool:
        return any(self.redis.exists(keys.registry(kind, queue)) for queue in QUEUES)

    def fleet_queue(self, name: str) -> QueueState:
        state = self.store.run(self.reader.fleet()).queue(name)
        assert state is not None
        return state

    def act(self, action: Action) -> None:
        with contextlib.suppress(RefusedError, UsageError):
            commit(self.store, action)

    @rule(queue=queues, number=few, key=ordering_keys, campaign=st.sampled_from(["", "", "c"]))
    def admit(self, queue: str, number: int, key: str, campaign: str) -> None:
        messages = [mail(index, ordering_key=key, campaign=campaign) for index in range(number)]
        verdicts = self.store.run(admission.admit(queue, messages))
        self.alive |= {verdict.job_id for verdict in verdicts if verdict.ok}

    @rule(queue=queues, number=few, worker=st.sampled_from(["w1", "w2"]))
    def claim(self, queue: str, number: int, worker: str) -> None:
        self.store.run(claims.register(worker, QUEUES, {"hostname": "h", "pid": 1, "queuectl": "0"}))
        self.held += [(worker, claim) for claim in take(self.store, queue, number, worker)]

    @rule(picks=st.lists(st.integers(0, 99), min_size=1, max_size=6), how=st.sampled_from(End))
    def finish(self, picks: list[int], how: End) -> None:
        for pick in picks[: len(self.held)]:
            self.end_one(pick % len(self.held), how)

    def end_one(self, index: int, how: End) -> None:
        worker, claim = self.held.pop(index)
        assert end(self.store, [claim], how, worker, delay_s=1000.0, attempts=1) == 0
        if how is End.DELIVERED:
            self.alive.remove(claim.job_id)

    @rule(queue=queues, number=few, how=st.sampled_from(End))
    def work(self, queue: str, number: int, how: End) -> None:
        self.claim(queue, number, "w1")
        for _ in range(min(number, len(self.held))):
            self.end_one(len(self.held) - 1, how)

    @rule()
    def finish_what_was_given_to_others(self) -> None:
        if not self.lost:
            return
        for worker, claim in self.lost:
            assert end(self.store, [claim], End.DELIVERED, worker) == 1
        self.lost.clear()

    @rule(worker=st.sampled_from(["w1", "w2"]))
    def worker_dies(self, worker: str) -> None:
        if not self.held:
            return
        if self.redis.zscore(keys.WORKER_HEARTBEATS, worker) is not None:
            self.redis.zadd(keys.WORKER_HEARTBEATS, {worker: 1})
        self.store.run(repair.repair_workers("", dead_after_s=30, max_losses=2))
        self.lost += [(name, claim) for name, claim in self.held if name == worker]
        self.held = [(name, claim) for name, claim in self.held if name != worker]

    @rule(queue=queues)
    def promote(self, queue: str) -> None:
        if not self.has("scheduled"):
            return
        for job_id in self.redis.zrange(keys.registry("scheduled", queue), 0, 2):
            self.redis.zadd(keys.registry("scheduled", queue), {job_id: 1})
        self.store.run(repair.promote_scheduled("", queue, DRIVER))

    @rule(queue=queues, number=few)
    def time_passes(self, queue: str, number: int) -> None:
        age(self.redis, waiting(self.redis, queue)[:number], STALE_S)

    @rule(queue=queues, what=st.sampled_from([SetShed, SetDirection]), on=st.sampled_from([True, True, False, None]))
    def switch(self, queue: str, what: type[SetShed | SetDirection], on: bool | None) -> None:
        values = list(Switch) if what is SetShed else list(Direction)
        self.act(what(queue, None if on is None else values[on]))

    @rule(queue=queues, round_trips=st.integers(1, 9))
    def sweep_and_pack(self, queue: str, round_trips: int) -> None:
        state = self.fleet_queue(queue)
        self.store.run(cut_off(assist.shed(state, fence="", sweep=True), round_trips))

    @rule(queue=queues, tier=st.sampled_from(["", "surge", "overflow", "overflow"]))
    def divert(self, queue: str, tier: str) -> None:
        self.store.run(automatic.remember("{}", [automatic.Limit(queue, divert=tier)], fence=""))

    @rule(queue=queues, keep=st.integers(0, 4), round_trips=st.integers(1, 12))
    def move_tiers(self, queue: str, keep: int, round_trips: int) -> None:
        """As a leader does that dies after so many round trips."""
        state = self.fleet_queue(queue)
        self.store.run(cut_off(every_way(state, keep), round_trips))

    @rule(
        queue=queues,
        to=st.sampled_from([*Target, Target.OVERFLOW]),
        older_than_s=st.sampled_from([None, None, 3600.0]),
        limit=st.sampled_from([None, None, 2]),
        round_trips=st.integers(0, 30),
    )
    def drain(self, queue: str, to: Target, older_than_s: float | None, limit: int | None, round_trips: int) -> None:
        other = "b" if queue == "a" else "a"
        self.act(Drain(queue, to, other if to is Target.QUEUE else "", older_than_s, limit))
        self.drive_for(round_trips)

    def drive_for(self, round_trips: int) -> None:
        """A driver that dies after so many round trips, wherever that is."""
        for operation in self.store.run(operations.running()):
            self.store.run(cut_off(drive_to_the_end(operation.op_id), round_trips))

    @rule(
        queue=queues,
        tier=st.sampled_from(Tier),
        limit=st.sampled_from([None, 2]),
        reason=st.sampled_from(["", "", "operator", "max-age"]),
    )
    def refill(self, queue: str, tier: Tier, limit: int | None, reason: str) -> None:
        if not census(self.redis, QUEUES).packed:
            return
        self.act(Refill(queue, tier, limit=limit, reason=reason))

    @rule(back=st.integers(0, 5))
    def undo(self, back: int) -> None:
        if not self.redis.exists(keys.AUDIT_NUMBER):
            return
        self.act(Undo(max(1, int(self.redis.get(keys.AUDIT_NUMBER)) - back)))

    @rule(round_trips=st.integers(1, 9))
    def drive_and_die(self, round_trips: int) -> None:
        if not self.redis.exists(keys.OPERATIONS):
            return
        self.drive_for(round_trips)

    @rule()
    def drive(self) -> None:
        if not self.redis.exists(keys.OPERATIONS):
            return
        for operation in self.store.run(operations.running()):
            self.store.run(operations.drive(operation.op_id, driver=DRIVER))

    @rule()
    def stop(self) -> None:
        if not self.redis.exists(keys.OPERATIONS):
            return
        for operation in self.store.run(operations.running())[:1]:
            self.store.run(self.gate.stop_operation(operation.op_id))
        self.drive()

    @rule(queue=queues)
    def go_on(self, queue: str) -> None:
        if not self.redis.exists(keys.AUDIT):
            return
        stopped = self.store.run(operations.stopped_last(queue))
        if stopped:
            self.act(ContinueOperation(stopped.op_id))

    @rule(queue=queues)
    def retry_failed(self, queue: str) -> None:
        if not self.has("failed"):
            return
        self.act(RetryFailed(queue))

    @rule(queue=queues)
    def delete_failed(self, queue: str) -> None:
        if not self.has("failed"):
            return
        gone = self.redis.zrange(keys.registry("failed", queue), 0, -1)
        self.act(DeleteFailed(queue))
        self.alive -= {job_id.decode() for job_id in gone}

    @invariant()
    def each_is_in_one_place(self) -> None:
        now = census(self.redis, QUEUES)
        assert set(now.places) == self.alive
        assert [places for places in now.places.values() if len(places) > 1] == []
        assert now.records == self.alive - now.packed

    @invariant()
    def claims_are_what_workers_hold(self) -> None:
        now = census(self.redis, QUEUES)
        assert sorted(now.at("wip a") + now.at("wip b")) == sorted(claim.job_id for _, claim in self.held)

    @invariant()
    def the_picture_is_true(self) -> None:
        now = census(self.redis, QUEUES)
        for state in self.store.run(self.reader.fleet()).queues:
            name = state.name
            assert state.ledger.residue == 0
            shown = {
                "queue": state.depth, "surge": state.surge, "wip": state.in_flight, "scheduled": state.scheduled,
                "deferred": state.deferred, "failed": state.failed, "staging": state.draining,
                "tier overflow": state.overflow, "tier shed": state.shed_stored,
            }  # fmt: skip
            assert shown == {place: len(now.at(f"{place} {name}")) for place in shown}
            stored = sum(map(len, self.redis.hvals(keys.tier("overflow", name))))
            assert state.overflow_bytes == stored
            assert sum(self.store.run(tiers.staged_owners(name)).values()) == state.draining

    @invariant()
    def one_of_an_ordering_key_at_a_time(self) -> None:
        now = census(self.redis, QUEUES)
        for queue in QUEUES:
            held = {
                job_id.decode()
                for name in self.redis.scan_iter(keys.order_held(queue, "*"))
                for job_id in self.redis.lrange(name, 0, -1)
            }
            assert held == set(now.at(f"deferred {queue}"))
            for job_id in self.redis.hvals(keys.order(queue)):
                assert now.places[job_id.decode()][0].split()[0] not in ("deferred", "failed")


def test_every_message_is_in_exactly_one_place_and_the_ledger_balances(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surge, "MOST", 2)
    run_state_machine_as_test(
        lambda: Mail(redis),
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
