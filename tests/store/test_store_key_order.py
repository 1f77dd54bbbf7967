"""Messages of one ordering key leave one at a time and in order, whatever happens to them and to all others; and in the
end every one of them leaves."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from store_world import DRIVER, age, census, mail, take, waiting
from test_store_conservation import QUEUES, STALE_S, Mail, few

from queuectl.model import (
    Admission,
    Direction,
    OrderBlock,
    Policy,
    QueueState,
    Refill,
    RetryFailed,
    SetDirection,
    SetShed,
    Switch,
    Target,
    Tier,
)
from queuectl.store import admission, assist, automatic, keys, ordering, repair
from queuectl.store.claims import Claim, End

CUT = ("order", "admission")
"""Owners of what is on its way to the shed store, a suffix of a key each."""
DOINGS = (
    "bulk", "dear", "deliver", "deliver", "land", "try_later", "fail", "crash", "promote", "grow_stale", "pack",
    "park", "unpark", "replay", "turn", "under_pressure", "rest", "give_up", "go_round", "sweep_keys", "retry_failed",
)  # fmt: skip


class KeyedMail(Mail):
    """Messages with ordering keys; a line a key says who has to be next. Driven by DOINGS, not by the rules."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.lines: dict[str, list[str]] = {f"{queue} {key}": [] for queue in QUEUES for key in ("k1", "k2")}
        self.line_of: dict[str, str] = {}
        self.place: dict[str, int] = {}
        self.places = itertools.count()
        self.shed: set[str] = set()
        self.failed: set[str] = set()
        self.doomed: set[str] = set()
        self.closed: set[str] = set()
        """Lines of which the curve has met a message, and nothing was admitted since."""

    def begin(self, numbers: tuple[int, int, int]) -> None:
        self.redis.flushall()
        for (queue, key), number in zip((("a", "k1"), ("a", "k2"), ("b", "k1")), numbers, strict=True):
            self.admit(queue, number, key, 90)

    def admit(self, queue: str, number: int, key: str, priority: int) -> None:
        messages = [mail(index, ordering_key=key, priority=priority) for index in range(number)]
        line = f"{queue} {key}"
        for verdict in self.store.run(admission.admit(queue, messages)):
            self.alive.add(verdict.job_id)
            if verdict.admission is Admission.SHED:
                self.closed.add(line)
            else:
                assert line not in self.closed or not self.lines[line], "a hole"
                self.closed.discard(line)
            self.line_up(verdict.job_id, line)
            self.follow_the_scripts()

    def line_up(self, job_id: str, line: str) -> None:
        self.place[job_id] = next(self.places)
        self.line_of[job_id] = line
        self.lines[line].append(job_id)

    def claim(self, queue: str, number: int, worker: str) -> None:
        before = len(self.held)
        super().claim(queue, number, worker)
        self.follow_the_scripts()
        for _, claim in self.held[before:]:
            self.check_turn(claim)

    def check_turn(self, claim: Claim) -> None:
        """It is the first of its line; that the one before has ended follows, since only then it is off the line."""
        assert claim.job_id not in self.doomed
        if line := self.lines.get(self.line_of.get(claim.job_id, ""), []):
            assert claim.job_id == line[0]

    def bulk(self, queue: str) -> None:
        self.admit(queue, 3, "k1", 10)

    def dear(self, queue: str) -> None:
        self.admit(queue, 2, "k1", 90)

    def deliver(self, queue: str) -> None:
        self.work(queue, 2, End.DELIVERED)

    def land(self, queue: str) -> None:
        while self.held:
            self.end_one(0, End.DELIVERED)

    def try_later(self, queue: str) -> None:
        self.work(queue, 2, End.RETRY)

    def fail(self, queue: str) -> None:
        self.work(queue, 1, End.FAILED)

    def crash(self, queue: str) -> None:
        self.claim(queue, 3, "w2")
        self.worker_dies("w2")

    def grow_stale(self, queue: str) -> None:
        self.act(SetShed(queue, Switch.ON))
        age(self.redis, waiting(self.redis, queue), STALE_S)
        self.claim(queue, 3, "w1")

    def pack(self, queue: str) -> None:
        self.store.run(assist.shed(self.fleet_queue(queue), fence="", sweep=True))

    def park(self, queue: str) -> None:
        self.drain(queue, Target.OVERFLOW, None, None, 30)

    def replay(self, queue: str) -> None:
        self.pack(queue)
        self.act(Refill(queue, Tier.SHED))
        self.drive_for(30)

    def unpark(self, queue: str) -> None:
        self.act(Refill(queue, Tier.OVERFLOW))
        self.drive_for(30)

    def turn(self, queue: str) -> None:
        lifo = self.fleet_queue(queue).direction.value == Direction.LIFO
        self.act(SetDirection(queue, Direction.FIFO if lifo else Direction.LIFO))

    def under_pressure(self, queue: str) -> None:
        self.press(queue, True)

    def rest(self, queue: str) -> None:
        self.press(queue, False)

    def give_up(self, queue: str) -> None:
        self.lose_patience(queue, OrderBlock.SUPERSEDE)

    def go_round(self, queue: str) -> None:
        self.lose_patience(queue, OrderBlock.SKIP)

    def end_one(self, index: int, how: End) -> None:
        _, claim = self.held[index]
        super().end_one(index, how)
        if how is End.DELIVERED:
            self.leave(claim.job_id)

    def leave(self, job_id: str) -> None:
        line = self.line_of.pop(job_id, "")
        if line:
            self.lines[line].remove(job_id)

    def press(self, queue: str, on: bool) -> None:
        """The curve meets priorities below 50, or nothing."""
        self.redis.hset(keys.policy(queue), "shed", "auto")
        self.redis.hset(keys.control(queue), "shed_auto", "on" if on else "off")
        self.act(SetShed(queue, None))
        self.store.run(automatic.remember("{}", [automatic.Limit(queue, 50.0 if on else None)], fence=""))

    def lose_patience(self, queue: str, how: OrderBlock) -> None:
        active = keys.order(queue)
        before = self.redis.hgetall(active)
        policy = Policy(on_order_block=how, order_block_s=0.0)
        self.store.run(ordering.end_blocking(QueueState(queue, policy), fence=""))
        after = self.redis.hgetall(active)
        for key, job_id in before.items():
            if after.get(key) != job_id:
                self.leave(job_id.decode())
                if how is OrderBlock.SUPERSEDE:
                    self.doomed.add(job_id.decode())

    def sweep_keys(self, queue: str) -> None:
        """Nothing was deleted or ended elsewhere, so no key is let go."""
        assert self.store.run(ordering.sweep(queue, ordering.START, fence="")) == (ordering.START, 0)

    def retry_failed(self, queue: str) -> None:
        self.follow_the_scripts()
        back = [job_id.decode() for job_id in self.redis.zrange(keys.registry("failed", queue), 0, -1)]
        if not back:
            return
        self.act(RetryFailed(queue))
        for job_id in back:
            if job_id in self.failed:
                self.failed.remove(job_id)
                self.line_up(job_id, self.line_of[job_id])

    def delete_failed(self, queue: str) -> None:
        self.follow_the_scripts()
        super().delete_failed(queue)
        self.failed &= self.alive

    def each_is_in_one_place(self) -> None:
        self.follow_the_scripts()
        super().each_is_in_one_place()

    def follow_the_scripts(self) -> None:
        """Take out of the lines what was shed or failed meanwhile, and put in what came back."""
        now = census(self.redis, QUEUES)
        living = set(now.places)
        gone = {job_id for job_id in self.doomed if job_id not in living}
        self.doomed -= gone
        self.alive -= gone
        cut = {job_id for queue in QUEUES for job_id in now.at(f"tier shed {queue}")}
        cut |= {job_id.decode() for queue in QUEUES for owner in CUT
                for job_id in self.redis.lrange(keys.staging(queue, owner), 0, -1)}  # fmt: skip
        failed = {job_id for queue in QUEUES for job_id in now.at(f"failed {queue}")}
        for line in self.lines.values():
            lost = [job_id for job_id in line if job_id in cut]
            assert lost == line[len(line) - len(lost) :], "a hole"
            self.shed |= set(lost)
            self.failed |= failed & set(line)
            line[:] = [job_id for job_id in line if job_id not in cut and job_id not in failed]
        back = sorted(self.shed - cut, key=self.place.__getitem__)
        self.shed -= set(back)
        for job_id in back:
            self.line_up(job_id, self.line_of[job_id])

    def deliver_all(self) -> None:
        """With everything back and nothing failing any more, all of it is delivered."""
        self.redis.delete(*(keys.policy(queue) for queue in QUEUES), *(keys.control(queue) for queue in QUEUES))
        for queue in QUEUES:
            self.act(SetShed(queue, Switch.OFF))
            self.act(SetDirection(queue, Direction.FIFO))
            self.store.run(assist.shed(self.fleet_queue(queue), fence="", sweep=False))
        self.drive_for(500)
        for queue, tier in itertools.product(QUEUES, Tier):
            self.act(Refill(queue, tier))
            self.drive_for(500)
        for queue in QUEUES:
            self.act(RetryFailed(queue))
        self.drain_all()
        assert not self.alive

    def drain_all(self) -> None:
        for queue in (*QUEUES, *QUEUES):
            for job_id in self.redis.zrange(keys.registry("scheduled", queue), 0, -1):
                self.redis.zadd(keys.registry("scheduled", queue), {job_id: 1})
            self.store.run(repair.promote_scheduled("", queue, DRIVER))
            self.held += [("w1", claim) for claim in take(self.store, queue, 200)]
            while self.held:
                worker, _ = self.held[-1]
                super().end_one(len(self.held) - 1, End.DELIVERED)
                self.held += [(worker, following) for following in take(self.store, queue, 200)]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    numbers=st.tuples(few, few, few),
    doings=st.lists(st.tuples(st.sampled_from(QUEUES), st.sampled_from(DOINGS)), min_size=10, max_size=60),
)
def test_keys_keep_their_order_and_nothing_is_stranded(
    redis: Redis, numbers: tuple[int, int, int], doings: list[tuple[str, str]]
) -> None:
    machine = KeyedMail(redis)
    machine.begin(numbers)
    for queue, doing in doings:
        getattr(machine, doing)(queue)
        machine.each_is_in_one_place()
    machine.the_picture_is_true()
    machine.one_of_an_ordering_key_at_a_time()
    machine.deliver_all()
