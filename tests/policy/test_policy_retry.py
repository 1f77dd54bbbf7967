"""Retry delays and when a message is given up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model import RetryClass
from queuectl.policy.retry import SCHEDULES, Fail, Retry, RetryBudget, Schedule, decide, retry_delay_s

BASES = st.floats(0.1, 600)
CAPS = st.floats(600, 86_400)
UNIT = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(0, 5000), base_s=BASES, cap_s=CAPS, u=UNIT)
def test_a_delay_lies_in_the_upper_half_of_its_ceiling(attempt: int, base_s: float, cap_s: float, u: float) -> None:
    ceiling_s = min(cap_s, base_s * 2.0 ** min(max(attempt - 1, 0), 100))
    assert ceiling_s / 2 <= retry_delay_s(attempt, Schedule(base_s, cap_s), u) <= ceiling_s


@given(attempt=st.integers(1, 100), base_s=BASES, cap_s=CAPS, u=UNIT, v=UNIT)
def test_later_attempts_never_wait_less_than_half_and_more_random_waits_longer(
    attempt: int, base_s: float, cap_s: float, u: float, v: float
) -> None:
    here_s = retry_delay_s(attempt, Schedule(base_s, cap_s), u)
    assert retry_delay_s(attempt + 1, Schedule(base_s, cap_s), u) >= here_s
    assert (retry_delay_s(attempt, Schedule(base_s, cap_s), v) >= here_s) == (v >= u) or v == pytest.approx(u)


def test_the_schedule_of_a_bounce_for_now() -> None:
    delays = [retry_delay_s(attempt, SCHEDULES[RetryClass.RECIPIENT], 0) for attempt in range(1, 7)]
    assert delays == [150, 300, 600, 1200, 1800, 1800]


def test_greylisting_and_lost_connections_are_tried_again_soonest() -> None:
    first = {kind: retry_delay_s(1, schedule, 1) for kind, schedule in SCHEDULES.items()}
    assert first[RetryClass.GREYLISTED] < first[RetryClass.RECIPIENT]
    assert min(first, key=first.__getitem__) is RetryClass.CONNECTION
    assert set(SCHEDULES) == set(RetryClass)


def test_a_provider_that_asks_for_time_gets_it() -> None:
    settings = {"attempts": 1, "counted": True, "age_s": 0, "max_age_s": 9000, "max_attempts": 6}
    step = decide(**settings, schedule=Schedule(30, 600), u=0.5, least_s=900)
    assert step == Retry(900 * 1.125)
    assert decide(**settings, schedule=Schedule(30, 600), u=0.5, least_s=20_000) == Retry(9000)


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
                      schedule=Schedule(30, 3600), u=u)  # fmt: skip
    if isinstance(decision, Retry):
        assert age_s < max_age_s
        assert not counted or attempts < max_attempts
        assert 0 < decision.delay_s <= 3600
        assert age_s + decision.delay_s <= max_age_s * (1 + 1e-9)
    else:
        assert age_s >= max_age_s or (counted and attempts >= max_attempts)


def test_throttling_costs_no_attempt_but_time() -> None:
    settings = {"max_age_s": 3600, "max_attempts": 6, "schedule": Schedule(30, 600), "u": 0.5}
    assert isinstance(decide(attempts=6, counted=False, age_s=100, **settings), Retry)
    assert decide(attempts=6, counted=True, age_s=100, **settings) == Fail("gave up after 6 attempts")
    assert decide(attempts=0, counted=False, age_s=3600, **settings) == Fail("gave up at its maximum age of 3600s")


def promoted(per_s: float, depths: list[int], due: int = 10_000) -> int:
    """Retries let go second by second into a queue with so many waiting, at the default share."""
    budget, gone = RetryBudget(), 0
    for second, depth in enumerate(depths):
        budget = budget.earned(service_per_s=per_s, share=0.1, now_s=float(second))
        allowed = min(budget.allowed(service_per_s=per_s, depth=depth), due - gone)
        budget, gone = budget.spent(allowed), gone + allowed
    return gone


@pytest.mark.parametrize("per_s", [0.3, 3, 250, 4000])
def test_beside_fresh_mail_retries_get_a_tenth(per_s: float) -> None:
    backlog = [100_000] * 1000
    assert promoted(per_s, backlog, due=10**9) == pytest.approx(per_s * 100, abs=1)


def test_a_queue_that_runs_dry_is_filled_with_retries() -> None:
    assert promoted(200, [0]) == 200
    assert promoted(200, [150]) == 50
    assert promoted(0, [0]) == 100


def test_what_retries_do_not_use_is_not_saved_up() -> None:
    budget = RetryBudget().earned(service_per_s=100, share=0.1, now_s=0)
    budget = budget.earned(service_per_s=100, share=0.1, now_s=3600)
    assert budget.allowed(service_per_s=100, depth=10_000) == 100
