"""The controller: every policy, in order, for every queue and pool; overrides left alone."""

from __future__ import annotations

from queuectl.model import Objective, Policy
from queuectl.policy.controller import POLICIES, Observations, PoolObservation, QueueObservation, States, step
from queuectl.policy.decision import ControlName, Decision, Latch, Mode
from queuectl.policy.pressure import Signals
from queuectl.policy.scaling import PoolSignals
from queuectl.policy.thresholds import QueueControls

CONTROLS = QueueControls(policy=Policy(max_age_s=600, target_wait_s=60), objective=Objective.FRESHNESS)
FLOOD = Signals("forum", depth=10_000, surge=100_000, service_per_s=100, memory_share=0.9)
POOL = PoolSignals("bulk", desired=2, concurrency=10, arrivals_per_s=1000, backlog=0, busy_s_per_message=0.1)
NOTHING = States()


def run(seconds: int, observations: Observations, states: States = NOTHING) -> tuple[States, list[Decision]]:
    decisions: list[Decision] = []
    for now_s in range(seconds):
        states, new = step(states, observations, POLICIES, float(now_s))
        decisions.extend(new)
    return states, decisions


def test_a_flood_moves_every_control_once_in_time() -> None:
    states, decisions = run(100, Observations(queues=[QueueObservation(FLOOD, CONTROLS)]))
    assert [(decision.action, decision.value) for decision in decisions] == [
        (ControlName.OVERFLOW, "on"),
        (ControlName.REFUSE, "on"),
        (ControlName.SURGE, "on"),
        (ControlName.SHED, "on"),
        (ControlName.DIRECTION, "lifo"),
    ]
    assert list(states.queues["forum"]) == list(POLICIES.queue)


def test_queues_do_not_touch_each_other_and_what_is_gone_is_forgotten() -> None:
    calm = QueueObservation(Signals("security", depth=1, service_per_s=100))
    states, decisions = run(30, Observations(queues=[QueueObservation(FLOOD, CONTROLS), calm]))
    assert {decision.scope for decision in decisions} == {"forum"}
    assert not any(latch.on for latch in states.queues["security"].values())
    assert set(step(states, Observations(queues=[calm]), POLICIES, 30.0)[0].queues) == {"security"}


def test_an_overridden_control_is_left_alone_and_its_clock_starts_anew_afterwards() -> None:
    free = Observations(queues=[QueueObservation(FLOOD, CONTROLS)])
    states, _ = run(10, free)
    held = Observations(queues=[QueueObservation(FLOOD, CONTROLS, frozenset({ControlName.SHED}))])
    states, decisions = run(100, held, states)
    assert states.queues["forum"][ControlName.SHED] == Latch()
    assert ControlName.SHED not in {decision.action for decision in decisions}
    seconds = []
    for now_s in range(100, 130):
        states, new = step(states, free, POLICIES, float(now_s))
        seconds += [now_s for decision in new if decision.action is ControlName.SHED]
    assert seconds == [115]


def test_a_pool_is_scaled_unless_its_number_is_fixed() -> None:
    states, decisions = run(1, Observations(pools=[PoolObservation(POOL)]))
    assert [(decision.scope, decision.action, decision.value) for decision in decisions] == [
        ("bulk", ControlName.SCALE, "4")
    ]
    assert run(400, Observations(pools=[PoolObservation(POOL, automatic=False)]), states)[1] == []


def test_everything_off_does_nothing() -> None:
    off = QueueControls(surge=Mode.OFF, overflow=Mode.OFF, refuse=Mode.OFF, shed=Mode.OFF, direction=Mode.OFF)
    assert run(200, Observations(queues=[QueueObservation(FLOOD, off)]))[1] == []


def test_the_same_input_gives_the_same_output() -> None:
    observations = Observations([QueueObservation(FLOOD, CONTROLS)], [PoolObservation(POOL)])
    assert run(50, observations) == run(50, observations)
