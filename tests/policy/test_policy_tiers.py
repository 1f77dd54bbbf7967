"""Surge, overflow and refill: thresholds, dwell, hysteresis, and the latch they share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.decision import ControlName, Decision, Dwell, Latch, Mode, advance
from queuectl.policy.pressure import Signals
from queuectl.policy.surge_overflow import marks, overflow, refill_per_s, surge
from queuectl.policy.thresholds import QueueControls, TierThresholds

CONTROLS = QueueControls()
LIMITS = TierThresholds()
Step = Callable[[Latch, Signals, QueueControls, float], tuple[Latch, Decision | None]]
OFF = Latch()


def run(
    policy: Step, seconds: Iterable[Signals], latch: Latch = OFF, controls: QueueControls = CONTROLS
) -> tuple[Latch, list[tuple[int, Decision]]]:
    """One observation a second from second 0; the decisions with their seconds."""
    decisions = []
    for now_s, signals in enumerate(seconds):
        latch, decision = policy(latch, signals, controls, float(now_s))
        if decision:
            decisions.append((now_s, decision))
    return latch, decisions


def primary(work_s: float) -> Signals:
    return Signals("forum", depth=round(work_s * 100), service_per_s=100)


def in_surge(work_s: float, memory: float = 0.0) -> Signals:
    return Signals("forum", surge=round(work_s * 100), service_per_s=100, memory_share=memory)


def test_surge_starts_after_ten_seconds_over_five_seconds_of_work_and_says_why() -> None:
    latch, decisions = run(surge, [primary(6)] * 15)
    assert latch.on
    [(second, decision)] = decisions
    assert second == 10
    assert decision == Decision(
        "forum", ControlName.SURGE, "on", "primary holds 6.0 s of work, over 5 s for 10 s",
        {"depth": 600, "work_s": 6.0, "service_per_s": 100},
    )  # fmt: skip


def test_a_dip_starts_the_ten_seconds_anew() -> None:
    assert run(surge, [*[primary(6)] * 9, primary(5), *[primary(6)] * 10])[1] == []


def test_surge_stays_between_the_marks_and_ends_under_two_seconds() -> None:
    latch = Latch(on=True, since_s=-100)
    latch, decisions = run(surge, [*[primary(2)] * 50, primary(1.9)], latch)
    assert [(second, decision.value) for second, decision in decisions] == [(50, "off")]


@pytest.mark.parametrize(
    ("signals", "on"),
    [
        (in_surge(600), False),
        (in_surge(601), True),
        (in_surge(1, memory=0.60), False),
        (in_surge(1, memory=0.61), True),
        (in_surge(0, memory=0.61), False),
    ],
)
def test_overflow_starts_on_ten_minutes_of_surge_or_on_memory(signals: Signals, on: bool) -> None:
    assert run(overflow, [signals])[0].on is on


@pytest.mark.parametrize(
    ("signals", "on"),
    [
        (in_surge(119, memory=0.49), False),
        (in_surge(121, memory=0.10), True),
        (in_surge(10, memory=0.55), True),
    ],
)
def test_overflow_ends_when_both_are_low(signals: Signals, on: bool) -> None:
    assert run(overflow, [signals], Latch(on=True))[0].on is on


def test_memory_is_named_as_the_cause_when_it_is_and_nothing_unknown_is_recorded() -> None:
    _, [(_, decision)] = run(overflow, [Signals("q", surge=5, memory_share=0.7)])
    assert decision.reason == "memory is at 70%, over 60%"
    assert all(map(math.isfinite, decision.inputs.values()))


@pytest.mark.parametrize("policy", [surge, overflow])
def test_an_unknown_service_rate_moves_nothing(policy: Step) -> None:
    signals = Signals("q", depth=10**6, surge=10**6)
    for latch in (Latch(), Latch(on=True)):
        assert run(policy, [signals] * 100, latch) == (latch, [])


@pytest.mark.parametrize("mode", [Mode.ON, Mode.OFF])
def test_a_fixed_mode_moves_at_once_once_and_says_so(mode: Mode) -> None:
    controls = QueueControls(surge=mode)
    latch, decisions = run(surge, [primary(3)] * 5, Latch(on=mode is Mode.OFF), controls)
    assert latch.on is (mode is Mode.ON)
    assert [(second, decision.reason) for second, decision in decisions] == [(0, f"the policy says {mode}")]


@given(work=st.lists(st.floats(0, 20), max_size=200))
def test_surge_moves_at_most_once_a_dwell(work: list[float]) -> None:
    seconds = [second for second, _ in run(surge, map(primary, work))[1]]
    assert all(later - earlier >= LIMITS.surge_least_s for earlier, later in pairwise(seconds))


@given(noise=st.lists(st.floats(-1.4, 1.4), max_size=300))
def test_noise_around_the_entry_mark_makes_at_most_one_transition(noise: list[float]) -> None:
    assert len(run(surge, (primary(5 + part) for part in noise))[1]) <= 1


@given(
    seconds=st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.1, 5)), max_size=200),
    enter_for_s=st.floats(0, 20),
    leave_for_s=st.floats(0, 20),
    least_s=st.floats(0, 30),
)
def test_the_latch_keeps_its_dwell_and_never_moves_on_a_broken_condition(
    seconds: list[tuple[bool, bool, float]], enter_for_s: float, leave_for_s: float, least_s: float
) -> None:
    dwell, latch, now_s, moved_s, held_s = Dwell(enter_for_s, leave_for_s, least_s), Latch(), 0.0, -math.inf, None
    for enter, leave, gap_s in seconds:
        now_s += gap_s
        holds = leave if latch.on else enter
        held_s = (now_s if held_s is None else held_s) if holds else None
        after = advance(latch, Mode.AUTO, enter=enter, leave=leave, dwell=dwell, now_s=now_s)
        if after.on is not latch.on:
            assert now_s - moved_s >= least_s
            assert held_s is not None
            assert now_s - held_s >= (leave_for_s if latch.on else enter_for_s)
            moved_s, held_s = now_s, None
        latch = after


@given(service=st.floats(1, 1e5), arrivals=st.floats(0, 1e6))
def test_refill_beside_live_arrivals_leaves_them_room(service: float, arrivals: float) -> None:
    rate = refill_per_s(Signals("q", service_per_s=service, arrivals_per_s=arrivals), LIMITS)
    assert 0.05 * service <= rate <= 0.5 * service * (1 + 1e-9)
    if 0.4 * service <= arrivals <= 0.85 * service:
        assert rate == pytest.approx(0.9 * service - arrivals)


@given(service=st.floats(10, 1e5), start_s=st.floats(0, 60))
def test_refill_alone_keeps_the_primary_at_its_mark_and_its_workers_busy(service: float, start_s: float) -> None:
    depth = start_s * service
    for _ in range(80):
        depth += refill_per_s(Signals("q", depth=int(depth), service_per_s=service, diverted=True), LIMITS)
        depth = max(0.0, depth - service)
    assert LIMITS.surge_leave_work_s < depth / service < LIMITS.surge_enter_work_s


@given(service=st.floats(0.01, 1e5), memory=st.floats(0, 1))
def test_the_tiers_marks_leave_room_between_them(service: float, memory: float) -> None:
    """What is packed is not brought back at once, and what came back is not packed at once."""
    found = marks(Signals("q", service_per_s=service, memory_share=memory), LIMITS, overflowing=True)
    assert 1 <= found.refill_most <= found.primary_most
    assert found.surge_most is not None
    assert 1 <= found.surge_least <= found.surge_most
    assert (found.surge_most < 300 * service + 1) is (memory > 0.6)


def test_nothing_is_packed_while_overflow_is_off() -> None:
    assert marks(Signals("q", surge=10**6, service_per_s=1.0), LIMITS).surge_most is None


def test_refill_starts_slowly_while_the_service_rate_is_unknown() -> None:
    assert refill_per_s(Signals("q", depth=0, diverted=True), LIMITS) == LIMITS.refill_blind_per_s
