"""The live tiers: one first-in-first-out line over primary, surge and overflow, whoever feeds and serves the queue."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from daemon_runs import Leader
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from queuectl.daemon.automation import Automation
from queuectl.daemon.duties import Duties
from queuectl.daemon.tiers import LiveTiers
from queuectl.model import (
    Direction,
    Drain,
    FleetState,
    LedgerState,
    MailMessage,
    QueueState,
    SetDirection,
    SetPause,
    Switch,
    Target,
)
from queuectl.settings import Settings
from queuectl.store import admission, claims, lease, pools
from queuectl.store.claims import End, Finish
from queuectl.store.client import LeaseLostError
from queuectl.store.connect import open_async_store

AUTO = Settings.model_validate(
    {
        "queues": {"forum": {"surge": "auto", "overflow": "auto"}, "plain": {}},
        "pools": {"mail": {"queues": ["forum", "plain"], "workers": 1}},
        "automation": {"surge_enter_for_s": 0, "overflow_enter_work_s": 60},
    }
)
SERVICE_PER_S = 20.0
"""Surge opens at 100 messages, and refill brings the primary to 70 and a second's work; overflow opens at 1,200 in
surge, and comes back under 60."""


class Forum:
    """A leader, and a queue whose workers are said to do 20 messages a second."""

    def __init__(self, leader: Leader, redis: Redis) -> None:
        self.leader, self.redis = leader, redis
        self.run = leader.store.run
        self.begin_to_lead()
        self.now_s = 0.0

    def begin_to_lead(self) -> None:
        self.automation = Automation(self.leader.store, self.leader.fence)
        self.tiers = LiveTiers(self.leader.store, self.leader.fence)

    async def picture(self, **changes: object) -> FleetState:
        found = await self.leader.picture()
        queues = tuple(replace(queue, service_per_s=SERVICE_PER_S, **changes) for queue in found.queues)
        self.now_s = max(self.now_s + 1.0, found.taken_at_s)
        return replace(found, queues=queues, taken_at_s=self.now_s)

    async def second(self, **changes: object) -> None:
        await self.run(lease.hold("test:1", "test", self.leader.fence))
        await self.automation.step(await self.picture(**changes), self.leader.settings)
        fleet = await self.picture(**changes)
        await self.tiers.step(fleet.queues, fleet, self.leader.settings, lambda: True)

    async def seconds(self, number: int) -> None:
        for _ in range(number):
            await self.second()

    async def admit(self, number: int, **fields: object) -> list[str]:
        mails = [MailMessage(to=f"u{index}@example.org", subject="S", text="T", **fields) for index in range(number)]
        return [verdict.job_id for verdict in await self.run(admission.admit("forum", mails))]

    async def deliver(self, number: int) -> list[str]:
        claimed = (await self.run(claims.claim("w1", [("forum", number)], number, lease_s=60))).jobs
        finishes = [Finish(claim, End.DELIVERED) for claim in claimed]
        if finishes:
            await self.run(claims.finish("w1", finishes, busy_s=0.1, keep_delivered_s=0))
        return [claim.job_id for claim in claimed]

    async def deliver_all(self, at_once: int = 500) -> list[str]:
        """With a leader's second whenever nothing more can be claimed."""
        delivered: list[str] = []
        while (await self.state()).waiting:
            found = await self.deliver(at_once)
            delivered += found
            if not found:
                await self.second()
        return delivered

    async def state(self) -> QueueState:
        found = (await self.leader.picture()).queue("forum")
        assert found
        assert found.ledger.state is not LedgerState.RESIDUE
        return found

    def waiting(self, key: str = "rq:queue:forum") -> list[str]:
        return [raw.decode() for raw in self.redis.lrange(key, 0, -1)]


@pytest.fixture
async def forum(redis: Redis, redis_url: str) -> AsyncIterator[Forum]:
    store = await open_async_store(redis_url)
    await store.run(pools.publish(AUTO))
    await store.run(claims.register("w1", ["forum"], {"pool": "mail", "queuectl": "1", "slots": 50}))
    yield Forum(await Leader.elected(store, AUTO), redis)
    await store.close()


async def test_arrivals_wait_in_surge_and_come_back_in_order(forum: Forum):
    ids = await forum.admit(300)
    await forum.second()
    state = await forum.state()
    assert (state.depth, state.surge, state.surging.value) == (90, 210, "on")
    assert "primary holds 15.0 s of work, over 5 s" in state.surging.reason
    ids += await forum.admit(50)
    assert (await forum.state()).surge == 260
    assert forum.waiting() + forum.waiting("queuectl:surge:forum") == ids
    delivered = await forum.deliver(60)
    await forum.second()
    assert 45 <= len(forum.waiting()) <= 100, "refilled"
    delivered += await forum.deliver_all()
    assert delivered == ids
    await forum.second()
    state = await forum.state()
    assert (state.surging.value, state.waiting) == ("off", 0)
    ids = await forum.admit(1)
    assert forum.waiting() == ids
    told = [(entry.action, entry.after) for entry in (await forum.leader.picture()).events]
    assert told == [("surge", "off"), ("surge", "on")]


async def test_a_queue_that_was_not_prepared_is_left_alone(forum: Forum, redis: Redis):
    mails = [MailMessage(to="a@example.org", text="T")] * 300
    await forum.run(admission.admit("plain", mails))
    await forum.seconds(3)
    assert redis.llen("rq:queue:plain") == 300
    assert not redis.exists("queuectl:surge:plain")


async def test_workers_never_idle_beside_a_full_surge(forum: Forum):
    ids = await forum.admit(300)
    await forum.second()
    assert await forum.deliver(200) == ids[:200], "no leader's second between"


async def overflowing(forum: Forum) -> list[str]:
    """Two segments packed, 300 arrivals on their way there."""
    ids = await forum.admit(1500)
    await forum.seconds(2)
    assert (await forum.state()).overflowing.value == "on"
    ids += await forum.admit(2300)
    await forum.second()
    return ids


async def test_more_than_minutes_of_it_are_packed_and_come_back_in_order(forum: Forum):
    ids = await overflowing(forum)
    state = await forum.state()
    assert (state.overflow, state.returning, state.arriving, state.draining) == (2000, 2000, 300, 300)
    assert state.parked == 0
    assert "surge holds" in state.overflowing.reason
    ids += await forum.admit(5)
    assert await forum.deliver_all() == ids
    await forum.seconds(30)
    state = await forum.state()
    assert (state.overflowing.value, state.surging.value, state.waiting) == ("off", "off", 0)


async def test_arrivals_stay_behind_what_is_packed_when_surge_is_empty(forum: Forum):
    ids = await overflowing(forum)
    delivered = []
    while found := await forum.deliver(500):
        delivered += found
    state = await forum.state()
    assert (state.depth, state.surge, state.returning, state.arriving) == (0, 0, 2000, 300)
    assert delivered == ids[:1500]
    assert await forum.deliver_all() == ids[1500:]


async def test_without_a_daemon_nothing_is_stranded_in_surge_or_on_its_way(forum: Forum, redis: Redis):
    ids = await overflowing(forum)
    redis.hset("queuectl:control:forum", "automation_until", "1")
    late = await forum.admit(3)
    assert forum.waiting("queuectl:staging:forum:arrivals") == ids[-300:] + late, "still the end of the line"
    delivered = []
    while found := await forum.deliver(500):
        delivered += found
    assert delivered == ids[:1500] + ids[-300:] + late
    assert (await forum.state()).waiting == 2000, "packed; the next leader brings it"
    after = await forum.admit(2)
    assert forum.waiting() == after, "diverted no more"
    assert (await forum.deliver_all())[:2] == after


async def test_short_memory_packs_what_waits_in_surge(forum: Forum):
    ids = await forum.admit(3000)
    await forum.second()
    fleet = await forum.picture()
    short = replace(fleet, server=replace(fleet.server, memory_bytes=70, memory_max_bytes=100))
    await forum.automation.step(short, AUTO)
    fleet = await forum.picture()
    short = replace(fleet, server=short.server)
    await forum.tiers.step(fleet.queues, short, AUTO, lambda: True)
    state = await forum.state()
    assert "memory is at 70%" in state.overflowing.reason
    assert (state.returning, state.surge) == (2000, 3000 - 100 - 2000)
    ids += await forum.admit(10)
    assert await forum.deliver_all() == ids


async def test_what_an_operator_drained_stays_parked(forum: Forum):
    ids = await forum.admit(90)
    outcome = await forum.leader.act(Drain("forum", Target.OVERFLOW, limit=30))
    while (await forum.state()).overflow < 30:
        await forum.leader.tick()
    assert outcome.operation
    more = await forum.admit(5)
    await forum.seconds(3)
    state = await forum.state()
    assert (state.parked, state.returning, state.surge, state.waiting) == (30, 0, 0, 65)
    assert forum.waiting() == ids[:60] + more


async def test_newest_first_while_surge_is_full(forum: Forum):
    old = await forum.admit(300)
    await forum.second()
    await forum.leader.act(SetDirection("forum", Direction.LIFO))
    new = await forum.admit(20)
    assert forum.waiting() == old[:90] + new, "arrivals enter the primary"
    assert set(new) <= set(await forum.deliver(25)), "and go first, but for the share of the oldest"
    await forum.deliver((await forum.state()).depth)
    assert set(await forum.deliver(10)) == set(old[-10:]), "then the newest of surge"
    assert set(await forum.deliver_all()) < set(old)


async def test_newest_first_keeps_the_primary_short_at_its_old_end(forum: Forum):
    await forum.leader.act(SetDirection("forum", Direction.LIFO))
    ids = await forum.admit(300)
    await forum.seconds(2)
    assert forum.waiting() == ids[-100:]
    assert forum.waiting("queuectl:surge:forum") == ids[:200]
    await forum.deliver(90)
    await forum.second()
    assert forum.waiting()[0] in ids[:200], "what is left of the service brings older mail back"


async def test_a_key_keeps_its_order_through_all_tiers(forum: Forum):
    keyed = []
    for part in range(4):
        await forum.admit(700)
        keyed += await forum.admit(3, ordering_key=f"order {part % 2}")
        await forum.second()
    assert (await forum.state()).returning
    delivered = await forum.deliver_all(at_once=50)
    for key in range(2):
        mine = [job_id for part, job_id in enumerate(keyed) if part // 3 % 2 == key]
        assert [job_id for job_id in delivered if job_id in mine] == mine


async def test_a_paused_queue_is_not_refilled(forum: Forum):
    await forum.admit(300)
    await forum.second()
    await forum.deliver(60)
    await forum.leader.act(SetPause("forum", Switch.ON))
    await forum.second()
    assert len(forum.waiting()) == 30


def stock(redis: Redis, number: int) -> list[str]:
    queue = Queue("forum", connection=redis, serializer=JSONSerializer)
    jobs = queue.enqueue_many([Queue.prepare_data("os.getcwd") for _ in range(number)])
    return [job.id for job in jobs]


async def test_stock_producers_are_swept_to_the_end_of_the_line(forum: Forum, redis: Redis):
    ids = stock(redis, 300)
    await forum.second()
    state = await forum.state()
    assert (state.depth, state.surge, state.assisted) == (90, 210, True)
    ids += stock(redis, 40)
    await forum.second()
    assert forum.waiting() + forum.waiting("queuectl:surge:forum") == ids
    ids += stock(redis, 2500)
    await forum.second()
    assert forum.waiting() + forum.waiting("queuectl:surge:forum") == ids
    assert len(forum.waiting()) <= 100
    assert await forum.deliver_all() == ids


async def test_stock_jobs_go_to_overflow_and_come_back_byte_for_byte(forum: Forum, redis: Redis):
    stock(redis, 1500)
    await forum.seconds(2)
    ids = stock(redis, 1400)
    fields = {job_id: redis.hgetall(f"rq:job:{job_id}") for job_id in ids}
    await forum.second()
    assert (await forum.state()).returning == 1000
    assert not redis.exists(f"rq:job:{ids[0]}")
    for _ in range(3):
        await forum.deliver(500)
    await forum.second()
    assert (await forum.state()).returning == 0
    assert {job_id: redis.hgetall(f"rq:job:{job_id}") for job_id in ids} == fields
    assert Job.fetch(ids[0], redis, JSONSerializer).func_name == "os.getcwd"


async def test_a_damaged_segment_is_parked_and_the_rest_comes_back(forum: Forum, redis: Redis, caplog):
    ids = await overflowing(forum)
    first = redis.lindex("queuectl:overflow:forum:returning", 0)
    redis.hset("queuectl:overflow:forum", first, b"damaged")
    with caplog.at_level(logging.ERROR, "queuectl.daemon"):
        delivered = []
        for _ in range(60):
            delivered += await forum.deliver(200)
            await forum.second()
    assert delivered == ids[:1500] + ids[2500:]
    assert "passed over" in caplog.text


async def test_the_next_leader_goes_on(forum: Forum):
    ids = await overflowing(forum)
    forum.begin_to_lead()
    ids += await forum.admit(900)
    assert await forum.deliver_all() == ids


async def test_an_old_leader_moves_nothing(forum: Forum, redis: Redis):
    await forum.admit(300)
    await forum.second()
    redis.set("queuectl:lease", "other:1|9")
    with pytest.raises(LeaseLostError):
        await forum.second()


async def test_a_whole_tick_moves_them_too(forum: Forum):
    """The duties' own order, rates as measured."""
    assert isinstance(forum.leader.duties, Duties)
    await forum.admit(300)
    await forum.second()
    await forum.leader.tick()
    assert (await forum.state()).waiting == 300
