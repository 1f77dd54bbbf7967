"""Retry delays and when a message is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.retry import Fail, Retry, decide, retry_delay_s

BASES = st.floats(0.1, 600)
CAPS = st.floats(600, 86_400)
UNIT = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(0, 5000), base_s=BASES, cap_s=CAPS, u=UNIT)
def test_a_delay_lies_in_the_upper_half_of_its_ceiling(attempt: int, base_s: float, cap_s: float, u: float) -> None:
    ceiling_s = min(cap_s, base_s * 2.0 ** min(max(attempt - 1, 0), 100))
    assert ceiling_s / 2 <= retry_delay_s(attempt, base_s, cap_s, u) <= ceiling_s


@given(attempt=st.integers(1, 100), base_s=BASES, cap_s=CAPS, u=UNIT, v=UNIT)
def test_later_attempts_never_wait_less_than_half_and_more_random_waits_longer(
    attempt: int, base_s: float, cap_s: float, u: float, v: float
) -> None:
    here_s = retry_delay_s(attempt, base_s, cap_s, u)
    assert retry_delay_s(attempt + 1, base_s, cap_s, u) >= here_s
    assert (retry_delay_s(attempt, base_s, cap_s, v) >= here_s) == (v >= u) or v == pytest.approx(u)


def test_the_schedule_of_the_defaults() -> None:
    assert [retry_delay_s(attempt, 30, 3600, 0) for attempt in range(1, 10)] == [
        15, 30, 60, 120, 240, 480, 960, 1800, 1800]  # fmt: skip


@given(
    attempts=st.integers(0, 50),
    counted=st.booleans(),
    age_s=st.floats(0, 100_000),
    max_age_s=st.floats(1, 100_000),
    max_attempts=st.integers(1, 20),
    u=UNIT,
)
def test_a_message_is_retried_within_its_attempts_and_its_age(
    attempts: int, counted: bool, age_s: float, max_age_s: float, max_attempts: int, u: float
) -> None:
    decision = decide(attempts=attempts, counted=counted, age_s=age_s, max_age_s=max_age_s, max_attempts=max_attempts,
                      base_s=30, cap_s=3600, u=u)  # fmt: skip
    if isinstance(decision, Retry):
        assert age_s < max_age_s
        assert not counted or attempts < max_attempts
        assert 0 < decision.delay_s <= 3600
        assert age_s + decision.delay_s <= max_age_s * (1 + 1e-9)
    else:
        assert age_s >= max_age_s or (counted and attempts >= max_attempts)


def test_throttling_costs_no_attempt_but_time() -> None:
    settings = {"max_age_s": 3600, "max_attempts": 6, "base_s": 30, "cap_s": 600, "u": 0.5}
    assert isinstance(decide(attempts=6, counted=False, age_s=100, **settings), Retry)
    assert decide(attempts=6, counted=True, age_s=100, **settings) == Fail("gave up after 6 attempts")
    assert decide(attempts=0, counted=False, age_s=3600, **settings) == Fail("gave up at its maximum age of 3600s")
