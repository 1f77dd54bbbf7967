"""The rate of a replay: never more than the workers have to spare, never nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.replay import BLIND_PER_S, rate_words, replay_per_s

rates = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("service", "arrivals", "expected"),
    [(None, None, BLIND_PER_S), (0, 10, BLIND_PER_S), (100, None, 50), (100, 0, 50), (100, 60, 30), (100, 200, 5)],
)
def test_spare_within_bounds(service: float | None, arrivals: float | None, expected: float) -> None:
    assert replay_per_s(service, arrivals) == pytest.approx(expected)


@given(st.floats(1e-3, 1e6), rates)
def test_it_is_always_something_and_at_most_half(service: float, arrivals: float) -> None:
    assert 0 < replay_per_s(service, arrivals) <= service / 2


def test_more_arrivals_never_mean_more_replay() -> None:
    found = [replay_per_s(100, arrivals) for arrivals in range(200)]
    assert found == sorted(found, reverse=True)


def test_words() -> None:
    assert [rate_words(rate) for rate in (0.5, 2, 10, 1234.5)] == ["0.5", "2", "10", "1,234"]
