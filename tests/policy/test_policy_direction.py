"""Direction: only for freshness, only when nothing could be in time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model import Direction, Objective, Policy
from queuectl.policy.decision import Decision, Latch, Mode
from queuectl.policy.direction import OLDEST_EVERY, direction, oldest_among
from queuectl.policy.pressure import Signals
from queuectl.policy.thresholds import DirectionThresholds, QueueControls

FIFO = Latch()
FRESH = QueueControls(policy=Policy(max_age_s=1000), objective=Objective.FRESHNESS)
COMPLETE = QueueControls(policy=Policy(max_age_s=1000))


def run(waits_s: list[float], latch: Latch = FIFO, controls: QueueControls = FRESH) -> list[tuple[int, Decision]]:
    decisions = []
    for now_s, wait_s in enumerate(waits_s):
        signals = Signals("forum", depth=100, overflow=round(wait_s * 1000), service_per_s=1000)
        latch, decision = direction(latch, signals, controls, float(now_s))
        if decision:
            decisions.append((now_s, decision))
    return decisions


def test_newest_first_after_a_minute_of_infeasibility() -> None:
    [(second, decision)] = run([1100] * 70)
    assert second == 60
    assert decision.value == "lifo"
    assert decision.reason == "predicted wait is 1100 s, over 1000 s for 60 s (max age 1000 s)"


def test_oldest_first_again_after_a_minute_under_half_the_max_age() -> None:
    decisions = run([*[600] * 100, *[400] * 70], Latch(on=True))
    assert [(second, decision.value) for second, decision in decisions] == [(160, "fifo")]


def test_a_queue_that_wants_every_message_is_left_alone() -> None:
    assert run([10_000] * 200, controls=COMPLETE) == []


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize(("mode", "value"), [(Mode.ON, "lifo"), (Mode.OFF, "fifo")])
def test_a_fixed_direction_holds_whatever_the_objective(objective: Objective, mode: Mode, value: str) -> None:
    controls = QueueControls(policy=FRESH.policy, objective=objective, direction=mode)
    decisions = run([100] * 100, Latch(on=mode is Mode.OFF), controls)
    assert [decision.value for _, decision in decisions] == [value]


def test_the_standing_direction_of_a_complete_queue_holds() -> None:
    controls = QueueControls(policy=Policy(direction=Direction.LIFO))
    assert [(second, decision.value) for second, decision in run([0] * 10, controls=controls)] == [(0, "lifo")]


def test_an_unknown_service_rate_moves_nothing() -> None:
    latch = Latch()
    for now_s in range(200):
        latch, decision = direction(latch, Signals("q", depth=10**7), FRESH, float(now_s))
        assert decision is None


@given(waits_s=st.lists(st.floats(0, 3000), max_size=400))
def test_at_most_one_transition_a_minute(waits_s: list[float]) -> None:
    seconds = [second for second, _ in run(waits_s)]
    assert all(later - earlier >= 60 for earlier, later in pairwise(seconds))


@given(noise=st.lists(st.floats(-240, 240), max_size=400), mark_s=st.sampled_from([500, 1000]))
def test_noise_around_a_mark_makes_at_most_one_transition(noise: list[float], mark_s: float) -> None:
    for latch in (Latch(), Latch(on=True)):
        assert len(run([mark_s + part for part in noise], latch)) <= 1


@given(claims=st.lists(st.integers(0, 300), max_size=100), share=st.sampled_from([0.0, 0.1, 0.2, 1 / 3, 1.0]))
def test_the_oldest_get_their_share_exactly_over_time(claims: list[int], share: float) -> None:
    owed, total, oldest = 0.0, 0, 0
    for number in claims:
        part, owed = oldest_among(number, owed, share)
        assert 0 <= part <= number
        total, oldest = total + number, oldest + part
        assert oldest == int(total * share + 1e-6)


def test_one_in_five_is_the_share_that_claims_leave_to_the_oldest() -> None:
    assert DirectionThresholds().oldest_share * OLDEST_EVERY == 1
    assert [oldest_among(1, owed, 0.2)[0] for owed in (0.0, 0.2, 0.4, 0.6, 0.8)] == [0, 0, 0, 0, 1]
