"""Signals, predicted wait and pressure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model import Policy
from queuectl.policy.pressure import Signals, pressure, strongest

POLICY = Policy(max_age_s=3600, target_wait_s=60, cap=100_000)


@pytest.mark.parametrize(
    ("signals", "level", "cause"),
    [
        (Signals("q"), 0.0, "wait over target"),
        (Signals("q", depth=3000, service_per_s=100), 0.5, "wait over target"),
        (Signals("q", depth=1000, surge=2000, overflow=3000, service_per_s=100), 1.0, "wait over target"),
        (Signals("q", depth=10, service_per_s=100, staleness_s=1800), 0.5, "staleness over max age"),
        (Signals("q", depth=90_000, service_per_s=10_000), 0.9, "depth over cap"),
        (Signals("q", depth=1, service_per_s=100, memory_share=0.68), 0.8, "memory over its limit"),
    ],
)
def test_the_strongest_part_makes_the_pressure(signals: Signals, level: float, cause: str) -> None:
    assert pressure(signals, POLICY) == pytest.approx(level)
    assert strongest(signals, POLICY) == cause


def test_an_unknown_service_rate_leaves_the_wait_out_instead_of_making_it_endless() -> None:
    signals = Signals("q", depth=50_000, staleness_s=36)
    assert math.isnan(signals.wait_s)
    assert pressure(signals, POLICY) == pytest.approx(0.5)
    assert strongest(signals, POLICY) == "depth over cap"


def test_nothing_waiting_is_no_wait_even_when_the_rate_is_unknown() -> None:
    assert Signals("q").wait_s == 0.0


@given(
    depth=st.integers(0, 10**7),
    more=st.integers(0, 10**7),
    service=st.none() | st.floats(0, 1e5),
    staleness_s=st.floats(0, 1e6),
    memory=st.floats(0, 1),
)
def test_pressure_never_falls_when_more_waits(
    depth: int, more: int, service: float | None, staleness_s: float, memory: float
) -> None:
    def level(waiting: int) -> float:
        return pressure(
            Signals("q", depth=waiting, service_per_s=service, staleness_s=staleness_s, memory_share=memory), POLICY
        )

    assert 0 <= level(depth) <= level(depth + more)
