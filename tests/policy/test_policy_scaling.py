"""Scaling: staffing, caps, speed limits both ways, and the provider as the limit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.decision import Decision
from queuectl.policy.scaling import PoolSignals, ScalingState, recommend, scale, slots_needed
from queuectl.policy.thresholds import ScalingThresholds

LIMITS = ScalingThresholds()
BASE = PoolSignals("bulk", desired=1, concurrency=10, arrivals_per_s=0, backlog=0, busy_s_per_message=0.1)
FRESH = ScalingState()


def run(
    steps: list[PoolSignals], state: ScalingState = FRESH, desired: int = 1, gap_s: float = 1.0
) -> tuple[list[int], list[Decision]]:
    """Desired workers after each step, when every decision is carried out."""
    trace, decisions = [], []
    for number, signals in enumerate(steps):
        state, decision = scale(state, replace(signals, desired=desired), LIMITS, number * gap_s)
        if decision:
            desired = int(decision.value)
            decisions.append(decision)
        trace.append(desired)
    return trace, decisions


@pytest.mark.parametrize(
    ("arrivals", "backlog", "slots"),
    [(0, 0, 0), (100, 0, 10 + 2 * math.sqrt(10)), (1000, 0, 120), (1000, 600_000, 200), (1000, 60_000, 120)],
)
def test_square_root_staffing_and_the_drain_objective(arrivals: float, backlog: int, slots: float) -> None:
    assert slots_needed(arrivals, backlog, 0.1, LIMITS) == pytest.approx(slots)


@pytest.mark.parametrize(
    ("caps", "workers", "said"),
    [
        ({}, 12, ""),
        ({"provider_per_s": 250}, 4, "limited to 35 by the provider's rate"),
        ({"connections": 70}, 7, "limited to 70 by the provider's connections"),
        ({"host_workers": 5}, 5, "limited to 50 by the hosts' capacity"),
        ({"most_workers": 5}, 5, "limited to 50 by the settings' max"),
    ],
)
def test_caps(caps: dict[str, float], workers: int, said: str) -> None:
    advice = recommend(replace(BASE, arrivals_per_s=1000, **caps), LIMITS)
    assert advice.workers == workers
    assert said in advice.reason


def test_up_at_once_but_at_most_double_in_thirty_seconds() -> None:
    trace, decisions = run([replace(BASE, arrivals_per_s=1000)] * 120)
    assert trace[0] == 2
    assert trace[29:31] == [2, 4]
    assert trace[59:61] == [4, 8]
    assert trace[90] == trace[-1] == 12
    assert "at most x2 in 30 s" in decisions[0].reason
    assert decisions[0].inputs["arrivals_per_s"] == 1000


def test_down_after_five_minutes_by_a_fifth_a_minute() -> None:
    trace, decisions = run([replace(BASE, arrivals_per_s=10)] * 1500, desired=20)
    assert trace[299] == 20
    assert trace[300] == 16
    assert trace[359:361] == [16, 13]
    assert trace[-1] == 1
    assert "no more was needed for 300 s" in decisions[0].reason


def test_a_peak_within_five_minutes_keeps_its_workers() -> None:
    calm, peak = replace(BASE, arrivals_per_s=10), replace(BASE, arrivals_per_s=1000)
    trace, _ = run([*[calm] * 400, *[peak] * 5, *[calm] * 299], desired=12)
    assert trace[404] == trace[-1]


def test_a_provider_bound_pool_is_not_scaled_and_says_so() -> None:
    bound = replace(BASE, arrivals_per_s=1000, token_wait_share=0.42)
    trace, decisions = run([*[bound] * 60, *[replace(bound, token_wait_share=0.1)] * 60], desired=12)
    assert trace == [12] * 120
    assert decisions[0].value == "12"
    assert decisions[0].reason == "provider-bound: 42% of the busy time waits for the provider's tokens; " \
                                  "more workers cannot help"  # fmt: skip
    assert [decision.reason[:24] for decision in decisions[1:]] == ["no longer provider-bound"]


def test_nothing_happens_until_the_cost_of_a_message_is_known() -> None:
    assert run([replace(BASE, arrivals_per_s=1e6, busy_s_per_message=None)] * 10) == ([1] * 10, [])


POOLS = st.builds(
    PoolSignals,
    pool=st.just("bulk"),
    desired=st.just(1),
    concurrency=st.integers(1, 100),
    arrivals_per_s=st.floats(0, 1e4),
    backlog=st.integers(0, 10**6),
    busy_s_per_message=st.floats(0.001, 2),
    token_wait_share=st.floats(0, 1),
    provider_per_s=st.floats(1, 1e5),
    connections=st.integers(1, 10_000).map(float),
    host_workers=st.integers(1, 200).map(float),
)


@given(steps=st.lists(POOLS, max_size=120), desired=st.integers(0, 100), gap_s=st.sampled_from([1.0, 7.0, 45.0]))
def test_speed_limits_hold_over_every_window(steps: list[PoolSignals], desired: int, gap_s: float) -> None:
    trace = [desired, *run(steps, desired=desired, gap_s=gap_s)[0]]
    up_back, down_back = math.ceil(LIMITS.up_window_s / gap_s) - 1, math.ceil(LIMITS.down_window_s / gap_s) - 1
    for number in range(1, len(trace)):
        lately_up = trace[max(0, number - 1 - up_back) : number]
        lately_down = trace[max(0, number - 1 - down_back) : number]
        assert trace[number] <= max(trace[number - 1], 1, 2 * min(lately_up))
        high = max(lately_down)
        assert trace[number] >= min(trace[number - 1], high - max(1, math.floor(0.2 * high)))


@given(signals=POOLS)
def test_a_recommendation_keeps_every_cap(signals: PoolSignals) -> None:
    workers = recommend(signals, LIMITS).workers
    assert 1 <= workers <= signals.host_workers
    assert (workers - 1) * signals.concurrency <= signals.connections
    assert (workers - 1) * signals.concurrency <= slots_needed(
        signals.provider_per_s, 0, signals.busy_s_per_message or 0, LIMITS
    )


@given(noise=st.lists(st.floats(0.97, 1.03), min_size=2, max_size=600))
def test_noisy_arrivals_raise_a_pool_and_do_not_make_it_swing(noise: list[float]) -> None:
    trace, _ = run([replace(BASE, arrivals_per_s=1000 * part) for part in noise], desired=12)
    assert trace == sorted(trace)
