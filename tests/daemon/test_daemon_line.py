"""One first-in-first-out line through all tiers, wherever the leader dies: a property of the real scripts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis import Redis

from queuectl.daemon.automation import _divert
from queuectl.daemon.tiers import LiveTiers
from queuectl.model import Control, FleetState, MailMessage, Switch
from queuectl.policy.decision import ControlName, Latch
from queuectl.settings import Settings
from queuectl.store import admission, automatic, claims, keys, surge, tiers
from queuectl.store.automatic import Limit
from queuectl.store.claims import End, Finish
from queuectl.store.client import Call, Steps, Store
from queuectl.store.packed import unpack
from queuectl.store.reader import Reader

T = TypeVar("T")
SEGMENT = 4
SETTINGS = Settings.model_validate(
    {"queues": {"a": {"surge": "auto", "overflow": "auto"}}, "automation": {"overflow_enter_work_s": 20}}
)
switches = st.sampled_from([Switch.OFF, Switch.ON, Switch.ON])


class KilledError(Exception):
    """The leader is gone."""


class Mortal:
    """A store whose user is killed after so many round trips."""

    def __init__(self, store: Store, round_trips: int) -> None:
        self._store, self._left = store, round_trips

    async def run(self, steps: Steps[T]) -> T:
        return self._store.run(self._counted(steps))

    def _counted(self, steps: Steps[T]) -> Steps[T]:
        replies = None
        while True:
            try:
                calls: tuple[Call, ...] = steps.send(replies)
            except StopIteration as stop:
                return stop.value
            if not self._left:
                raise KilledError
            self._left -= 1
            replies = yield calls


class Line(RuleBasedStateMachine):
    """A queue, its producers and workers, and leaders that come and die."""

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self.redis, self.store, self.reader = redis, Store(redis), Reader(SETTINGS)
        self.line: list[str] = []
        self.now_s = 0.0
        self.mail = 0

    @initialize(number=st.integers(5, 30))
    def begin(self, number: int) -> None:
        self.redis.flushall()
        self.admit(number)

    @rule(number=st.integers(1, 12))
    def admit(self, number: int) -> None:
        mails = [MailMessage(to=f"u{index}@example.org", text="T") for index in range(number)]
        self.line += [verdict.job_id for verdict in self.store.run(admission.admit("a", mails))]

    @rule(number=st.integers(1, 15))
    def deliver(self, number: int) -> None:
        claimed = self.store.run(claims.claim("w1", [("a", number)], number, lease_s=60)).jobs
        if not claimed:
            return
        assert [claim.job_id for claim in claimed] == self.line[: len(claimed)]
        del self.line[: len(claimed)]
        finishes = [Finish(claim, End.DELIVERED) for claim in claimed]
        self.store.run(claims.finish("w1", finishes, busy_s=0.1, keep_delivered_s=0))

    @rule(surging=switches, overflowing=switches, service_per_s=st.sampled_from([0.2, 1.0, 2.0]),
          short=st.booleans(), round_trips=st.integers(0, 40))  # fmt: skip
    def lead(self, surging: Switch, overflowing: Switch, service_per_s: float, short: bool, round_trips: int) -> None:
        """A leader's second, or its beginning."""
        store = Mortal(self.store, round_trips)
        fleet = self.picture(surging, overflowing, service_per_s, short)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(surge, "MOST", SEGMENT)
            patch.setattr(tiers, "SEGMENT_JOBS", SEGMENT)
            with contextlib.suppress(KilledError):
                asyncio.run(self.second(store, fleet))

    async def second(self, store: Mortal, fleet: FleetState) -> None:
        (queue,) = fleet.queues
        latches = {ControlName.SURGE: Latch(queue.surging.value == Switch.ON),
                   ControlName.OVERFLOW: Latch(queue.overflowing.value == Switch.ON)}  # fmt: skip
        if latches[ControlName.SURGE].on:
            await store.run(surge.sweep(queue, 4, fence=""))
        await store.run(automatic.remember("{}", [Limit("a", divert=_divert(latches, queue))], fence=""))
        await LiveTiers(store, "").step(fleet.queues, fleet, SETTINGS, lambda: True)

    def picture(self, surging: Switch, overflowing: Switch, service_per_s: float, short: bool) -> FleetState:
        fleet = self.store.run(self.reader.fleet())
        (queue,) = fleet.queues
        queue = replace(queue, surging=Control(surging), overflowing=Control(overflowing), service_per_s=service_per_s)
        self.now_s = max(self.now_s + 1, fleet.taken_at_s)
        server = replace(fleet.server, memory_bytes=90 if short else 10, memory_max_bytes=100)
        return replace(fleet, queues=(queue,), server=server, taken_at_s=self.now_s)

    @rule()
    def no_daemon_lives_any_more(self) -> None:
        """While something is packed, this is the one thing that the line does not outlast."""
        if not self.redis.exists(keys.returning("a")):
            self.redis.hset(keys.control("a"), "automation_until", "1")

    @invariant()
    def it_stands_in_order(self) -> None:
        found = [*self.ids(keys.queue("a")), *self.ids(keys.surge("a")), *self.ids(keys.staging("a", surge.SQUEEZE))]
        for segment_id in self.redis.lrange(keys.returning("a"), 0, -1):
            found += [job_id for job_id, _ in unpack(self.redis.hget(keys.tier("overflow", "a"), segment_id)).jobs]
        found += [*self.ids(keys.staging("a", surge.ARRIVALS)), *self.ids(keys.staging("a", surge.SWEPT))]
        assert found == self.line

    @invariant()
    def the_picture_and_the_ledger_are_true(self) -> None:
        (queue,) = self.store.run(self.reader.fleet()).queues
        assert (queue.waiting, queue.ledger.residue, queue.parked) == (len(self.line), 0, 0)

    def ids(self, key: str) -> list[str]:
        return [raw.decode() for raw in self.redis.lrange(key, 0, -1)]


@pytest.mark.parametrize("round_trips", range(1, 24))
def test_a_leader_that_dies_while_it_packs_and_the_next(redis: Redis, round_trips: int) -> None:
    line = Line(redis)
    line.begin(40)
    line.lead(Switch.ON, Switch.ON, 0.2, True, round_trips)
    line.it_stands_in_order()
    line.lead(Switch.ON, Switch.ON, 0.2, True, 1000)
    line.it_stands_in_order()
    (queue,) = line.store.run(line.reader.fleet()).queues
    assert queue.returning >= 24
    assert not redis.exists(keys.staging("a", surge.SQUEEZE))


def test_first_in_first_out_through_all_tiers(redis: Redis) -> None:
    machine: Callable[[], Line] = lambda: Line(redis)  # noqa: E731
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
