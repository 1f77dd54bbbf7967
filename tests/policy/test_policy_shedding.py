"""Shedding and refusal: when, whom, and never the protected."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model import Policy, QueueClass
from queuectl.policy.decision import ControlName, Decision, Latch, Mode
from queuectl.policy.pressure import Signals
from queuectl.policy.shedding import campaign_place, cutoff, refuse, shed, sheds
from queuectl.policy.thresholds import QueueControls, ShedThresholds

NORMAL = QueueControls(policy=Policy(target_wait_s=100, max_age_s=10_000))
PROTECTED = QueueControls(policy=Policy(queue_class=QueueClass.PROTECTED, target_wait_s=100, max_age_s=10_000))
LIMITS = ShedThresholds()
PRIORITIES = st.integers(0, 100)
PRESSURES = st.floats(0, 3)
OFF = Latch()


def at(pressure: float) -> Signals:
    """A queue under this pressure, by predicted wait."""
    return Signals("forum", depth=round(pressure * 10_000), service_per_s=100)


def run(levels: list[float], latch: Latch = OFF, controls: QueueControls = NORMAL) -> list[tuple[int, Decision]]:
    decisions = []
    for now_s, level in enumerate(levels):
        latch, decision = shed(latch, at(level), controls, float(now_s))
        if decision:
            decisions.append((now_s, decision))
    return decisions


def test_quick_in() -> None:
    [(second, decision)] = run([0.85] * 20)
    assert second == 15
    assert (decision.action, decision.value) == (ControlName.SHED, "on")
    assert decision.reason == "pressure 0.85 (wait over target), over 0.8 for 15 s"
    assert decision.inputs["wait_s"] == 85


def test_slow_out() -> None:
    on = Latch(on=True, since_s=-1000)
    assert [second for second, _ in run([0.59] * 62, on)] == [60]
    assert run([*[0.59] * 59, 0.6, *[0.59] * 59], on) == []


@given(levels=st.lists(PRESSURES, max_size=200), mode=st.sampled_from(Mode))
def test_a_protected_queue_never_sheds_by_itself(levels: list[float], mode: Mode) -> None:
    controls = QueueControls(policy=PROTECTED.policy, shed=mode)
    assert run(levels, controls=controls) == []


@given(levels=st.lists(PRESSURES, max_size=300))
def test_at_most_one_transition_a_dwell(levels: list[float]) -> None:
    seconds = [second for second, _ in run(levels)]
    assert all(later - earlier >= LIMITS.least_s for earlier, later in pairwise(seconds))


@given(noise=st.lists(st.floats(-0.09, 0.09), max_size=300), mark=st.sampled_from([0.6, 0.8]))
def test_noise_around_a_mark_makes_at_most_one_transition(noise: list[float], mark: float) -> None:
    for latch in (Latch(), Latch(on=True)):
        assert len(run([mark + part for part in noise], latch)) <= 1


@pytest.mark.parametrize(("pressure", "left"), [(0, 100), (0.8, 100), (0.9, 87.5), (1, 0), (5, 0)])
def test_the_curve(pressure: float, left: float) -> None:
    assert cutoff(pressure, LIMITS) == pytest.approx(left)


@given(lower=PRESSURES, higher=PRESSURES)
def test_the_curve_falls_with_pressure(lower: float, higher: float) -> None:
    lower, higher = sorted((lower, higher))
    assert 100 >= cutoff(lower, LIMITS) >= cutoff(higher, LIMITS) >= 0


@given(priority=PRIORITIES, dearer=PRIORITIES, campaign=st.text(), lower=PRESSURES, higher=PRESSURES)
def test_who_is_shed_stays_so_with_more_pressure_and_less_priority(
    priority: int, dearer: int, campaign: str, lower: float, higher: float
) -> None:
    priority, dearer = sorted((priority, dearer))
    lower, higher = sorted((lower, higher))
    if sheds(dearer, campaign, cutoff(lower, LIMITS), protected=False):
        assert sheds(priority, campaign, cutoff(higher, LIMITS), protected=False)


@given(priority=PRIORITIES, campaign=st.text(), pressure=PRESSURES)
def test_only_what_the_curve_reaches_is_shed_and_all_of_it_but_the_ties(
    priority: int, campaign: str, pressure: float
) -> None:
    left, expendable = cutoff(pressure, LIMITS), 100 - priority
    shed_now = sheds(priority, campaign, left, protected=False)
    if expendable > left + 1:
        assert shed_now
    if expendable <= left:
        assert not shed_now
    assert not sheds(priority, campaign, left, protected=True)


def test_priority_100_is_never_shed_and_no_pressure_sheds_nobody() -> None:
    assert not any(sheds(100, str(number), 0.0, protected=False) for number in range(1000))
    assert not any(sheds(0, str(number), cutoff(0.8, LIMITS), protected=False) for number in range(1000))


def test_ties_are_met_campaign_by_campaign() -> None:
    met = [sheds(50, f"digest-{number}", 49.5, protected=False) for number in range(2000)]
    assert 900 < sum(met) < 1100
    assert campaign_place("nov-digest") == pytest.approx(0.0567446, abs=1e-6)


@pytest.mark.parametrize(
    ("controls", "memory", "overflow", "refuses"),
    [
        (NORMAL, 0.84, 0.99, False),
        (NORMAL, 0.85, 0.0, True),
        (NORMAL, 0.10, 1.0, True),
        (PROTECTED, 0.94, 1.0, False),
        (PROTECTED, 0.95, 0.0, True),
    ],
)
def test_the_wall_stands_earlier_for_the_unprotected(
    controls: QueueControls, memory: float, overflow: float, refuses: bool
) -> None:
    signals = Signals("forum", memory_share=memory, overflow_share=overflow)
    latch, decision = refuse(Latch(), signals, controls, 0.0)
    assert latch.on is refuses
    assert (decision is not None) is refuses


def test_the_wall_falls_below_its_own_mark_after_its_dwell() -> None:
    latch = Latch(on=True, since_s=0.0)
    for now_s, memory, on in ((1, 0.79, True), (6, 0.82, True), (7, 0.79, False)):
        latch, _ = refuse(latch, Signals("q", memory_share=memory), NORMAL, now_s)
        assert latch.on is on
    latch, decision = refuse(Latch(), Signals("q", overflow_share=1.0), NORMAL, 0.0)
    assert decision
    assert decision.reason == "overflow is full"
    assert refuse(latch, Signals("q", overflow_share=0.95), NORMAL, 10.0)[0].on
