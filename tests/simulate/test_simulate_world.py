"""The simulated world against what can be worked out by hand, and what must hold whatever happens."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queuectl.policy.decision import ControlName
from queuectl.simulate.result import Result, simulate
from queuectl.simulate.scenario import Scenario
from queuectl.simulate.world import World

OFF = {"surge": "off", "overflow": "off", "refuse": "off", "shed": "off", "direction": "off", "scale": "off"}


def scenario(queues: dict[str, Any], pools: dict[str, Any], **more: Any) -> Scenario:
    return Scenario.model_validate({"summary": "test", "for_s": 600, "queues": queues, "pools": pools, **more})


def one(phases: list[dict[str, float]], *, controls: dict[str, str] = OFF, load: Any = None, **more: Any) -> Scenario:
    """One queue before one pool of 10 slots and 100 ms a message: 100 a second."""
    queue = {"phases": phases, "busy_ms": 100, **(load or {})}
    pool = {"queues": ["q"], "workers": 1, "concurrency": 10}
    return scenario({"q": queue}, {"p": pool}, controls=controls, **more)


def balanced(result: Result) -> bool:
    return all(queue.arrived == queue.delivered + queue.shed + queue.refused + queue.waiting for queue in result.queues)


def test_constant_arrivals_below_capacity_never_wait() -> None:
    queue = simulate(one([{"per_s": 99}])).queue("q")
    assert (queue.arrived, queue.delivered, queue.waiting) == (59_400, 59_400, 0)
    assert (queue.wait_p99_s, queue.peak_depth, queue.on_time, queue.clear_s) == (0, 0, 1.0, None)


def test_constant_arrivals_above_capacity_leave_the_difference_behind() -> None:
    queue = simulate(one([{"per_s": 150}])).queue("q")
    assert queue.delivered == 600 * 100
    assert queue.waiting == queue.peak_depth == 600 * 50
    # A message that arrives at t waits t/2 at this ratio: the one delivered last, at 600 s, came at 400 s.
    assert queue.wait_p99_s == pytest.approx(0.99 * 600 / 3, abs=1)
    assert queue.wait_p50_s == pytest.approx(0.5 * 600 / 3, abs=1)


@pytest.mark.parametrize(("busy_ms", "per_s"), [(300, 10 / 0.3), (700, 10 / 0.7), (3000, 10 / 3), (45_000, 10 / 45)])
def test_capacity_is_slots_over_busy_time_also_where_a_second_does_not_divide(busy_ms: int, per_s: float) -> None:
    queue = simulate(one([{"per_s": 50}], load={"busy_ms": busy_ms})).queue("q")
    assert queue.delivered == pytest.approx(600 * per_s, abs=1)


def test_a_spike_clears_after_its_backlog_over_the_spare_capacity() -> None:
    queue = simulate(one([{"for_s": 100, "per_s": 50}, {"for_s": 100, "per_s": 200}, {"per_s": 50}])).queue("q")
    assert queue.peak_depth == 100 * (200 - 100)
    assert queue.clear_s == pytest.approx(10_000 / (100 - 50), abs=2)
    assert queue.waiting == 0


def test_newest_first_delivers_some_at_once_and_the_others_never() -> None:
    lifo = simulate(one([{"per_s": 200}], controls=OFF | {"direction": "on"})).queue("q")
    assert lifo.on_time == pytest.approx(0.5 * 0.8, abs=0.02)
    assert lifo.waiting == 600 * 100
    pure = one([{"per_s": 200}], controls=OFF | {"direction": "on"}, thresholds={"lifo": {"oldest_share": 0}})
    assert simulate(pure).queue("q").wait_p99_s == 0


def test_a_provider_limits_what_slots_could_do_and_is_found_out() -> None:
    limited = one([{"per_s": 150}], controls=OFF | {"scale": "auto"}, load={"provider": "mx"},
                  providers={"mx": {"per_s": 33.5}})  # fmt: skip
    result = simulate(limited)
    assert result.queue("q").delivered == pytest.approx(600 * 33.5, abs=1)
    [transition] = result.transitions
    assert transition.decision.reason.startswith("provider-bound: ")


def test_pools_share_a_provider_in_proportion_to_what_they_could_deliver() -> None:
    busy = {"phases": [{"per_s": 500}], "busy_ms": 100, "provider": "mx"}
    pools = {
        "small": {"queues": ["a"], "workers": 1, "concurrency": 10},
        "large": {"queues": ["b"], "workers": 3, "concurrency": 10},
    }
    result = simulate(scenario({"a": busy, "b": busy}, pools, providers={"mx": {"per_s": 100}}, controls=OFF))
    assert result.queue("a").delivered == pytest.approx(600 * 25, abs=20)
    assert result.queue("b").delivered == pytest.approx(600 * 75, abs=20)


def test_strict_order_serves_the_first_queue_first_and_a_shared_line_the_oldest_message() -> None:
    queues = {name: {"phases": [{"per_s": 100}], "busy_ms": 100} for name in ("first", "second")}
    pool = {"queues": ["first", "second"], "workers": 1, "concurrency": 12}
    strict = simulate(scenario(queues, {"p": pool}, controls=OFF))
    assert [queue.delivered for queue in strict.queues] == [60_000, 12_000]
    assert strict.queue("first").wait_p99_s == 0
    shared = simulate(scenario(queues, {"p": pool | {"order": "shared"}}, controls=OFF))
    assert [queue.delivered for queue in shared.queues] == pytest.approx([36_000, 36_000], abs=200)
    assert shared.queue("first").wait_p99_s == shared.queue("second").wait_p99_s == pytest.approx(239, abs=3)


def test_a_new_worker_claims_after_its_start_delay() -> None:
    scaled = scenario(
        {"q": {"phases": [{"per_s": 150}], "busy_ms": 100}},
        {"p": {"queues": ["q"], "workers": 1, "most_workers": 2, "concurrency": 10, "start_delay_s": 30}},
        controls=OFF | {"scale": "auto"},
    )
    world = World(scaled)
    delivered = []
    for _ in range(60):
        world.tick()
        delivered.append(world.lines["q"].tally.delivered)
    asked_s = next(second for second in range(60) if delivered[second] > 100 * (second + 1)) - 30
    assert 0 <= asked_s <= 3
    assert world.pools["p"].live == 2


def test_a_full_server_refuses_without_any_policy_and_the_wall_stands_before_it() -> None:
    flood = [{"per_s": 1000}]
    plain = simulate(one(flood, memory_max_bytes=44_000_000))
    assert plain.peak_bytes <= 44_000_000
    assert plain.queue("q").refused > 0
    walled = simulate(one(flood, memory_max_bytes=44_000_000, controls=OFF | {"refuse": "auto"}))
    assert walled.peak_bytes < 0.90 * 44_000_000
    assert balanced(plain)
    assert balanced(walled)


def test_tiers_keep_the_order_and_the_workers_busy() -> None:
    phases = [{"for_s": 60, "per_s": 50}, {"for_s": 1200, "per_s": 300}, {"per_s": 20}]
    controls = OFF | {"surge": "auto", "overflow": "auto"}
    tiered = simulate(one(phases, for_s=6000, controls=controls))
    plain = simulate(one(phases, for_s=6000))
    moved = [(each.decision.action, each.decision.value) for each in tiered.transitions]
    assert moved == [
        (ControlName.SURGE, "on"),
        (ControlName.OVERFLOW, "on"),
        (ControlName.OVERFLOW, "off"),
        (ControlName.SURGE, "off"),
    ]
    assert tiered.queue("q").wait_p95_s == pytest.approx(plain.queue("q").wait_p95_s, rel=0.02)
    assert tiered.queue("q").clear_s == pytest.approx(plain.queue("q").clear_s, rel=0.02)
    assert tiered.peak_bytes < 0.5 * plain.peak_bytes


def test_shedding_keeps_the_wait_near_the_target_and_sheds_the_least_important() -> None:
    load = {"target_wait_s": 120, "mix": [{"share": 0.7, "priority": 10}, {"share": 0.3, "priority": 90}]}
    shedding = OFF | {"shed": "auto"}
    queue = simulate(one([{"per_s": 300}], for_s=1800, controls=shedding, load=load)).queue("q")
    assert queue.shed_curve == pytest.approx(1800 * 200, rel=0.1)
    assert queue.wait_p99_s is not None
    assert queue.wait_p99_s <= 120
    protected = one([{"per_s": 300}], for_s=1800, controls=shedding, load=load | {"class": "protected"})
    assert simulate(protected).queue("q").shed == 0


def test_stale_mail_is_shed_once_shedding_is_on() -> None:
    load = {"target_wait_s": 60, "max_age_s": 90, "mix": [{"share": 1, "priority": 100}]}
    queue = simulate(one([{"per_s": 200}], controls=OFF | {"shed": "auto"}, load=load)).queue("q")
    assert queue.shed_curve == 0
    assert queue.shed_stale > 0
    assert queue.in_age * queue.arrived == queue.delivered


MODES = st.sampled_from(["off", "on", "auto"])
LOADS = st.fixed_dictionaries(
    {
        "class": st.sampled_from(["protected", "normal", "bulk"]),
        "objective": st.sampled_from(["completeness", "freshness"]),
        "target_wait_s": st.sampled_from([5, 60, 300]),
        "max_age_s": st.sampled_from([60, 600]),
        "cap": st.sampled_from([1000, 1_000_000]),
        "busy_ms": st.sampled_from([10, 35, 100]),
        "provider": st.sampled_from([None, "mx"]),
        "phases": st.lists(
            st.fixed_dictionaries({"for_s": st.integers(1, 150), "per_s": st.floats(0, 2000)}), min_size=1, max_size=4
        ),
        "mix": st.sampled_from([[{"share": 1}], [{"share": 0.3, "priority": 10}, {"share": 0.7, "priority": 80}]]),
    }
)
POOL = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["strict", "shared"]),
        "workers": st.integers(0, 3),
        "most_workers": st.integers(0, 6),
        "concurrency": st.integers(1, 40),
        "start_delay_s": st.sampled_from([0, 10]),
    }
)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    queues = {name: draw(LOADS) for name in ("a", "b", "c")}
    split = draw(st.integers(1, 3))
    pools = {"one": draw(POOL) | {"queues": ["a", "b", "c"][:split]}}
    if split < 3:
        pools["two"] = draw(POOL) | {"queues": ["a", "b", "c"][split:]}
    controls = {name: draw(MODES) for name in ("surge", "overflow", "refuse", "shed", "direction")}
    return scenario(
        queues, pools, controls=controls, providers={"mx": {"per_s": draw(st.floats(0.3, 500))}}, for_s=400,
        memory_max_bytes=draw(st.sampled_from([0, 10_000_000])), overflow_max_bytes=draw(st.sampled_from([0, 200_000])),
    )  # fmt: skip


@given(drawn=scenarios())
@settings(max_examples=40, deadline=None)
def test_no_message_is_lost_or_made_whatever_the_controls(drawn: Scenario) -> None:
    world = World(drawn)
    for _ in range(drawn.for_s):
        world.tick()
        for name, line in world.lines.items():
            tally = line.tally
            assert tally.arrived == tally.delivered + tally.shed + tally.refused + line.waiting
            assert min(line.primary, line.surge, line.overflow) >= 0
            assert line.waiting == sum(count for _, count in line.cohorts)
            assert [born for born, _ in line.cohorts] == sorted({born for born, _ in line.cohorts})
            assert tally.delivered == sum(tally.waits.values())
            if drawn.queues[name].queue_class == "protected":
                assert tally.shed == 0


@given(drawn=scenarios())
@settings(max_examples=5, deadline=None)
def test_the_same_scenario_comes_to_the_same_result(drawn: Scenario) -> None:
    assert simulate(drawn) == simulate(drawn)


@pytest.mark.parametrize("per_s", [0.3, 1 / 3, 7.1, 33.3333])
def test_fractions_of_messages_add_up(per_s: float) -> None:
    queue = simulate(one([{"per_s": per_s}], load={"mix": [{"share": 0.9}, {"share": 0.1}]})).queue("q")
    assert queue.arrived == math.floor(600 * per_s + 1e-6)
