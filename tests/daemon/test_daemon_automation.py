"""Automation, live: what is set to auto is decided by the leader, explained, outranked by operators, and lapses."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from daemon_runs import Leader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from queuectl.daemon.automation import Automation
from queuectl.daemon.observations import load_of, observe_pool
from queuectl.model import (
    Admission,
    Direction,
    FleetState,
    LedgerState,
    MailMessage,
    PoolState,
    ProviderState,
    QueueState,
    Refill,
    Scale,
    ServerState,
    SetShed,
    Switch,
    Tier,
    Verdict,
)
from queuectl.policy.controller import States
from queuectl.policy.decision import ControlName, Latch
from queuectl.policy.scaling import ScalingState
from queuectl.policy.shedding import cutoff, sheds
from queuectl.policy.thresholds import ShedThresholds
from queuectl.settings import Settings
from queuectl.store import admission, automatic, claims, pools, scripts
from queuectl.store.automatic import Limit, Load, Memory
from queuectl.store.claims import End, Finish
from queuectl.store.client import LeaseLostError
from queuectl.store.connect import open_async_store

AUTO = Settings.model_validate(
    {
        "queues": {
            "forum": {"shed": "auto", "direction": "auto", "objective": "freshness", "target_wait_s": 1,
                      "max_age_s": 600},
            "codes": {"class": "protected", "shed": "auto", "target_wait_s": 1},
            "plain": {"target_wait_s": 1},
        },
        "pools": {"mail": {"queues": ["codes", "forum", "plain"], "workers": 1, "scaling": {"min": 1, "max": 6}}},
        "automation": {"shed_enter_for_s": 2, "shed_leave_for_s": 2, "lifo_enter_for_s": 2, "lifo_leave_for_s": 2},
    }
)  # fmt: skip
SPIKE = Settings.model_validate(
    {**AUTO.model_dump(by_alias=True),
     "automation": {"shed_enter_for_s": 0.1, "shed_leave_for_s": 0.1, "lifo_enter_for_s": 60}}
)  # fmt: skip
QUEUES = ("codes", "forum", "plain")


@pytest.fixture
async def auto(redis_url: str) -> AsyncIterator[Leader]:
    """A leader with everything set to auto but `plain`, and a registered worker."""
    store = await open_async_store(redis_url)
    await store.run(pools.publish(AUTO))
    await store.run(claims.register("w1", QUEUES, {"pool": "mail", "queuectl": "1", "slots": 50}))
    yield await Leader.elected(store, AUTO)
    await store.close()


async def seconds(leader: Leader, automation: Automation, number: int, *, start: int = 0, **queue: object) -> None:
    """So many seconds of automation over the real picture, in which `queue` stands for every queue's numbers."""
    for second in range(start, start + number):
        picture = await leader.picture()
        queues = tuple(replace(each, **queue) for each in picture.queues)
        seen = replace(picture, queues=queues, taken_at_s=picture.taken_at_s + second)
        await automation.step(seen, leader.settings)


def automation_of(leader: Leader) -> Automation:
    return Automation(leader.store, leader.fence)


async def state(leader: Leader, name: str = "forum") -> QueueState:
    found = (await leader.picture()).queue(name)
    assert found
    return found


async def admit(leader: Leader, queue: str, number: int, **fields: object) -> list[Verdict]:
    mails = [MailMessage(to=f"u{index}@example.org", subject="S", text="T", **fields) for index in range(number)]
    return await leader.store.run(admission.admit(queue, mails))


async def deliver(leader: Leader, queue: str, number: int) -> int:
    """What a worker does."""
    claimed = (await leader.store.run(claims.claim("w1", [(queue, number)], number, lease_s=60))).jobs
    finishes = [Finish(claim, End.DELIVERED) for claim in claimed]
    await leader.store.run(claims.finish("w1", finishes, busy_s=0.1, keep_delivered_s=0))
    return len(claimed)


async def test_pressure_sheds_what_is_auto_and_says_why(auto: Leader):
    await seconds(auto, automation_of(auto), 4, depth=900, service_per_s=1000.0)
    forum = await state(auto)
    assert (forum.shed.value, forum.shed.by, forum.shed.overridden) == ("on", "auto", False)
    assert "wait over target" in forum.shed.reason and "backlog 900" in forum.shed.reason
    assert forum.shed.since_s is not None
    assert (await state(auto, "codes")).shed.value == "off"
    assert (await state(auto, "plain")).shed.value == "off"
    entry = next(entry for entry in (await auto.picture()).events if entry.scope == "forum")
    assert (entry.who, entry.action, entry.before, entry.after) == ("auto", "shed", "off", "on")
    assert entry.number == forum.shed.cause and entry.reason == forum.shed.reason


async def test_it_ends_when_the_pressure_is_gone(auto: Leader):
    automation = automation_of(auto)
    await seconds(auto, automation, 4, depth=900, service_per_s=1000.0)
    await seconds(auto, automation, 4, start=4, depth=10, service_per_s=1000.0)
    forum = await state(auto)
    assert (forum.shed.value, forum.shed.by) == ("off", "auto")


async def test_the_operator_outranks_automation_until_auto(auto: Leader):
    automation = automation_of(auto)
    await seconds(auto, automation, 4, depth=900, service_per_s=1000.0)
    await auto.act(SetShed("forum", Switch.OFF))
    await seconds(auto, automation, 4, start=4, depth=900, service_per_s=1000.0)
    forum = await state(auto)
    assert (forum.shed.value, forum.shed.overridden) == ("off", True)
    assert [verdict.admission for verdict in await admit(auto, "forum", 1, priority=0)] == [Admission.ACCEPTED]
    await auto.act(SetShed("forum", None))
    forum = await state(auto)
    assert (forum.shed.value, forum.shed.by) == ("on", "auto")


async def test_a_decision_that_an_operator_overtook_is_not_written(auto: Leader, redis: Redis):
    picture = await auto.picture()
    stressed = replace(picture, queues=tuple(replace(each, depth=900, service_per_s=1e3) for each in picture.queues))
    automation = automation_of(auto)
    await automation.step(stressed, AUTO)
    await auto.act(SetShed("forum", Switch.OFF))
    await automation.step(replace(stressed, taken_at_s=picture.taken_at_s + 3), AUTO)
    assert redis.hget("queuectl:control:forum", "shed_auto") is None
    assert [entry.who for entry in (await auto.picture()).events if entry.scope == "forum"] == ["ana@test"]


async def test_dwell_survives_failover(auto: Leader, redis: Redis):
    await seconds(auto, automation_of(auto), 2, depth=900, service_per_s=1000.0)
    assert (await state(auto)).shed.value == "off"
    redis.delete("queuectl:lease")
    heir = await Leader.elected(auto.store, AUTO)
    await seconds(heir, automation_of(heir), 1, start=2, depth=900, service_per_s=1000.0)
    assert (await state(auto)).shed.value == "on"
    with pytest.raises(LeaseLostError):
        await seconds(auto, automation_of(auto), 1, depth=900, service_per_s=1000.0)


async def test_a_switch_written_before_a_crash_is_found_by_the_heir(auto: Leader, redis: Redis):
    await seconds(auto, automation_of(auto), 4, depth=900, service_per_s=1000.0)
    redis.set("queuectl:automation", "{}")
    await seconds(auto, automation_of(auto), 4, start=4, depth=10, service_per_s=1000.0)
    assert (await state(auto)).shed.value == "off"


@pytest.mark.parametrize("outage", ["no worker", "silent worker", "paused", "suspended", "provider"])
async def test_an_outage_does_not_shed(auto: Leader, redis: Redis, outage: str):
    if outage == "no worker":
        await auto.store.run(claims.unregister("w1", QUEUES))
    elif outage == "silent worker":
        redis.hset("rq:worker:w1", "last_heartbeat", "2020-01-01T00:00:00.000000Z")
    elif outage == "paused":
        for name in QUEUES:
            redis.hset(f"queuectl:control:{name}", "pause", "on")
    elif outage == "suspended":
        redis.set("rq:suspended", "1")
    else:
        picture = await auto.picture()
        redis.hset("queuectl:provider:default", mapping={"suspended_until": picture.taken_at_s + 600, "version": 1})
    await seconds(auto, automation_of(auto), 5, depth=900, service_per_s=100.0)
    forum = await state(auto)
    assert (forum.shed.value, forum.direction.value) == ("off", "fifo")


async def test_the_service_rate_is_frozen_while_no_worker_lives(auto: Leader, redis: Redis):
    await admit(auto, "forum", 100)
    await auto.picture()
    await deliver(auto, "forum", 50)
    known = (await state(auto)).service_per_s
    assert known
    redis.hset("rq:worker:w1", "last_heartbeat", "2020-01-01T00:00:00.000000Z")
    await asyncio.sleep(0.3)
    assert (await state(auto)).service_per_s == known


async def test_newest_first_when_nothing_could_be_in_time(auto: Leader):
    automation = automation_of(auto)
    old, new = [verdict.job_id for _ in range(2) for verdict in await admit(auto, "forum", 1)]
    await seconds(auto, automation, 4, depth=1000, service_per_s=1.0)
    forum = await state(auto)
    assert (forum.direction.value, forum.direction.by) == (Direction.LIFO, "auto")
    assert (await state(auto, "codes")).direction.value == Direction.FIFO
    claimed = (await auto.store.run(claims.claim("w1", [("forum", 1)], 1, lease_s=60))).jobs
    assert [claim.job_id for claim in claimed] == [new]
    await seconds(auto, automation, 4, start=4, depth=1, service_per_s=1.0)
    claimed = (await auto.store.run(claims.claim("w1", [("forum", 1)], 1, lease_s=60))).jobs
    assert [claim.job_id for claim in claimed] == [old]


CURVE = scripts.FOLDER / "lib" / "curve.lua"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 100), st.text(st.characters(codec="utf-8"), max_size=20),
                          st.floats(0.5, 1.5)), min_size=1, max_size=50))  # fmt: skip
def test_the_curve_in_lua_is_the_policys(redis: Redis, cases: list[tuple[int, str, float]]):
    program = (
        Path(CURVE).read_text()
        + """
    local found = {}
    for first = 1, #ARGV, 3 do
      found[#found + 1] = curve_sheds(tonumber(ARGV[first]), ARGV[first + 1], tonumber(ARGV[first + 2])) and 1 or 0
    end
    return found"""
    )
    limits = [cutoff(level, ShedThresholds()) for _, _, level in cases]
    arguments = [
        part
        for (priority, campaign, _), limit in zip(cases, limits, strict=True)
        for part in (priority, campaign, repr(limit))
    ]
    expected = [
        int(sheds(priority, campaign, limit, protected=False))
        for (priority, campaign, _), limit in zip(cases, limits, strict=True)
    ]
    assert redis.eval(program, 0, *arguments) == expected


async def test_admission_sheds_below_the_cutoff_into_the_shed_store(auto: Leader):
    automation = automation_of(auto)
    await seconds(auto, automation, 4, depth=970, service_per_s=1000.0)
    low, high = await admit(auto, "forum", 3, priority=10), await admit(auto, "forum", 2, priority=90)
    ordered = await admit(auto, "forum", 1, priority=0, ordering_key="k")
    spared = await admit(auto, "codes", 1, priority=0)
    assert {verdict.admission for verdict in (*low, *ordered)} == {Admission.SHED}
    assert not any(verdict.ok for verdict in low) and "shed store" in low[0].detail
    assert {verdict.admission for verdict in (*high, *spared)} == {Admission.ACCEPTED}
    await auto.tick()
    forum = await state(auto)
    assert (forum.shed_stored, forum.depth, forum.draining) == (4, 2, 0)
    assert forum.ledger.state is LedgerState.BALANCED
    outcome = await auto.act(Refill("forum", Tier.SHED))
    assert outcome.operation
    await auto.tick()
    forum = await state(auto)
    assert (forum.shed_stored, forum.depth, forum.ledger.state) == (0, 6, LedgerState.BALANCED)


async def test_what_admission_shed_stays_shed_when_shedding_ends(auto: Leader):
    automation = automation_of(auto)
    await seconds(auto, automation, 4, depth=2000, service_per_s=1000.0)
    await admit(auto, "forum", 2)
    await seconds(auto, automation, 4, start=4, depth=0, service_per_s=1000.0)
    assert (await admit(auto, "forum", 1))[0].admission is Admission.ACCEPTED
    await auto.tick()
    forum = await state(auto)
    assert (forum.shed.value, forum.shed_stored, forum.depth) == ("off", 2, 1)


async def test_limits_lapse_after_their_daemon(auto: Leader, redis: Redis):
    await auto.store.run(automatic.remember("{}", [Limit("plain", wall=True)], fence=auto.fence))
    assert (await admit(auto, "plain", 1))[0].admission is Admission.REFUSED
    redis.hset("queuectl:control:plain", "automation_until", "1")
    assert (await admit(auto, "plain", 1))[0].admission is Admission.ACCEPTED


@pytest.mark.parametrize(("share", "refused"), [(0.84, set()), (0.86, {"forum", "plain"}), (0.96, set(QUEUES))])
async def test_the_memory_wall_keeps_a_reserve_for_protected_queues(auto: Leader, share: float, refused: set[str]):
    picture = await auto.picture()
    server = replace(picture.server, memory_bytes=int(1000 * share), memory_max_bytes=1000)
    automation = automation_of(auto)
    await automation.step(replace(picture, server=server), AUTO)
    verdicts = {name: (await admit(auto, name, 1))[0] for name in QUEUES}
    assert {name for name, verdict in verdicts.items() if verdict.admission is Admission.REFUSED} == refused
    assert all(verdict.retry_after_s for name, verdict in verdicts.items() if name in refused)
    room = replace(picture, taken_at_s=picture.taken_at_s + 6)
    await automation.step(room, AUTO)
    assert [(await admit(auto, name, 1))[0].admission for name in QUEUES] == [Admission.ACCEPTED] * 3


async def test_a_pool_grows_with_its_load_and_by_the_operators_number_first(auto: Leader):
    automation = automation_of(auto)
    picture = await auto.picture()
    busy = replace(
        picture,
        queues=tuple(replace(queue, depth=50_000, in_per_s=300.0, out_per_s=100.0) for queue in picture.queues),
        pools=tuple(replace(pool, busy=50, slots=50) for pool in picture.pools),
    )
    await automation.step(busy, AUTO)
    pool = (await auto.picture()).pool("mail")
    assert pool and (pool.desired, pool.by) == (2, "auto") and "arrive" in pool.reason
    await auto.act(Scale("mail", 5))
    pool = (await auto.picture()).pool("mail")
    assert pool and (pool.desired, pool.configured) == (5, 2)
    await automation.step(replace(busy, pools=(replace(pool, busy=50),)), AUTO)
    await auto.act(Scale("mail", None))
    pool = (await auto.picture()).pool("mail")
    assert pool and (pool.desired, pool.by) == (2, "auto")


async def test_what_automation_decided_ends_with_its_permission(auto: Leader, redis: Redis):
    await seconds(auto, automation_of(auto), 4, depth=900, service_per_s=1000.0)
    fixed = Settings.model_validate({"queues": {"forum": {}}, "pools": {"mail": {"queues": ["forum"]}}})
    await auto.store.run(pools.publish(fixed))
    forum = await state(auto)
    assert (forum.shed.value, forum.shed.by) == ("off", "")
    await auto.store.run(pools.publish(AUTO))
    assert (await state(auto)).shed.value == "off"


def fleet_of(pool: PoolState, **provider: object) -> FleetState:
    queue = QueueState("forum", depth=10, in_per_s=5.0, out_per_s=4.0)
    return FleetState(0.0, ServerState(""), (queue,), (), (pool,), (ProviderState("default", **provider),))


def test_a_full_provider_is_seen_as_the_limit():
    pool = PoolState("mail", ("forum",), 2, 2, slots=100, busy=40, scaling=(1, 6))
    free = observe_pool(pool, fleet_of(pool), AUTO, Load(40, 0.1)).signals
    full = observe_pool(pool, fleet_of(pool, allowed_per_s=4.0, used_per_s=3.9), AUTO, Load(40, 0.1)).signals
    assert (free.token_wait_share, free.provider_per_s) == (0.0, math.inf)
    assert (full.token_wait_share, full.provider_per_s) == (0.6, 4.0)


def test_the_cost_of_a_message_is_kept_while_nothing_is_delivered():
    pool = PoolState("mail", ("forum",), 2, 2, slots=100, busy=40)
    known = load_of(pool, fleet_of(pool), Load())
    assert known == Load(40.0, 10.0)
    idle = FleetState(0.0, ServerState(""), (QueueState("forum", out_per_s=0.0),))
    assert load_of(replace(pool, busy=0), idle, known).message_s == 10.0


def test_memory_is_stored_and_read_back():
    latches = {ControlName.SHED: Latch(on=True, since_s=5.5, met_since_s=7.0), ControlName.REFUSE: Latch()}
    pool = ScalingState(((1.0, 2),), ((2.0, 3), (3.0, 1)), 1.0, Latch(on=True, since_s=2.0))
    memory = Memory(States({"forum": latches}, {"mail": pool}), {"mail": Load(2.5, 0.01)})
    found = automatic.decode(automatic.encode(memory))
    assert found.states.queues == {"forum": {ControlName.SHED: latches[ControlName.SHED]}}
    assert (found.states.pools, found.loads) == ({"mail": pool}, memory.loads)


async def test_a_spike_from_beginning_to_end(redis_url: str):
    """Real admission, claims and rates, a second scaled down to a twentieth: no step by hand."""
    store = await open_async_store(redis_url)
    await store.run(pools.publish(SPIKE))
    await store.run(claims.register("w1", QUEUES, {"pool": "mail", "queuectl": "1", "slots": 50}))
    leader = await Leader.elected(store, SPIKE)
    verdicts: dict[str, list[Verdict]] = {"forum": [], "codes": []}
    depths = []
    for moment in range(50):
        arrivals = 120 if 5 <= moment < 18 else 5
        verdicts["forum"] += await admit(leader, "forum", arrivals)
        verdicts["codes"] += await admit(leader, "codes", 3)
        assert await deliver(leader, "codes", 10) == 3
        await deliver(leader, "forum", 15)
        await leader.tick()
        depths.append((await state(leader)).depth)
        await asyncio.sleep(0.04)
    shed = sum(verdict.admission is Admission.SHED for verdict in verdicts["forum"])
    forum, codes = await state(leader), await state(leader, "codes")
    assert {verdict.admission for verdict in verdicts["codes"]} == {Admission.ACCEPTED}
    assert (codes.shed_stored, codes.depth) == (0, 0)
    assert shed > 0 and forum.shed_stored == shed
    assert depths[-1] < max(depths) / 2
    assert forum.ledger.state is codes.ledger.state is LedgerState.BALANCED
    assert forum.ledger.accepted == len(verdicts["forum"])
    told = [entry for entry in (await leader.picture()).events if entry.scope == "forum"]
    assert [(entry.who, entry.after) for entry in reversed(told)][:1] == [("auto", "on")]
    assert all("pressure" in entry.reason for entry in told)
    await store.close()
