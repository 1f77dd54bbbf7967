"""Shares, starts, stops and back-off, for any number of hosts and workers."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.staffing import (
    LONGEST_DELAY_S,
    LOOP_AFTER,
    SETTLED_S,
    STARTS_AT_ONCE,
    Crashes,
    Plan,
    Staff,
    after_exit,
    plan,
    share,
)

hosts = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=8, unique=True)
workers = st.builds(Staff, st.integers(1, 10_000), st.floats(0, 1000), st.booleans())
staff = st.lists(workers, max_size=20, unique_by=lambda worker: worker.pid)
NOW_S = 1000.0


@given(st.integers(0, 1000), hosts)
def test_shares_add_up_and_differ_by_one_at_most(desired: int, names: list[str]):
    parts = [share(desired, names, name) for name in names]
    assert sum(parts) == desired
    assert max(parts) - min(parts) <= 1


@given(st.integers(0, 1000), hosts)
def test_a_host_that_does_not_share_gets_nothing(desired: int, names: list[str]):
    assert share(desired, names, "elsewhere") == 0


def test_the_remainder_goes_to_the_first_hosts_by_name():
    assert [share(5, ["b", "c", "a"], name) for name in "abc"] == [2, 2, 1]


@given(st.integers(0, 50), staff)
def test_a_plan_leads_to_the_desired_number(desired: int, alive: list[Staff]):
    active = {one.pid for one in alive if not one.draining}
    step = plan(desired, alive, Crashes(), NOW_S)
    assert set(step.stop) <= active
    assert not (step.start and step.stop)
    assert step.start <= STARTS_AT_ONCE
    after = len(active) + step.start - len(step.stop)
    assert after == desired or (step.start == STARTS_AT_ONCE and after < desired)


@given(st.integers(0, 20), staff)
def test_the_youngest_leave(desired: int, alive: list[Staff]):
    step = plan(desired, alive, Crashes(), NOW_S)
    left = [one.started_s for one in alive if one.pid in step.stop]
    stay = [one.started_s for one in alive if one.pid not in step.stop and not one.draining]
    assert not left or not stay or max(stay) <= min(left)


def test_the_draining_do_not_count():
    assert plan(1, [Staff(7, 0.0, draining=True)], Crashes(), NOW_S) == Plan(start=1)


def test_back_off_holds_starts_but_not_stops():
    crashes = Crashes(4, NOW_S - 1)
    assert plan(3, [], crashes, NOW_S) == Plan(wait_until_s=NOW_S + 7)
    assert plan(3, [], crashes, NOW_S + 7) == Plan(start=3)
    assert plan(0, [Staff(7, 0.0)], crashes, NOW_S) == Plan(stop=(7,))


def test_delays_double_up_to_the_longest():
    crashes, delays, now_s = Crashes(), [], 0.0
    for _ in range(9):
        now_s = max(now_s, crashes.resume_s) + 0.5
        crashes = after_exit(crashes, now_s - 0.5, now_s)
        delays.append(crashes.delay_s)
    assert delays == [1, 2, 4, 8, 16, 32, LONGEST_DELAY_S, LONGEST_DELAY_S, LONGEST_DELAY_S]
    assert crashes.looping
    assert not Crashes(LOOP_AFTER - 1).looping


@given(st.integers(1, 50), st.floats(0.1, 5))
def test_workers_that_die_together_count_once(number: int, spread_s: float):
    crashes = Crashes()
    for position in range(number):
        crashes = after_exit(crashes, 10.0, 11.0 + spread_s * position / number)
    assert crashes == Crashes(1, 11.0)


@given(st.integers(0, 5), st.floats(SETTLED_S, 1e6))
def test_a_worker_that_lived_long_is_replaced_at_once(count: int, lived_s: float):
    before = Crashes(count, 0.0) if count else Crashes()
    assert after_exit(before, NOW_S, NOW_S + lived_s) == before


def test_crashes_far_apart_are_no_loop():
    crashes = Crashes(5, 0.0)
    assert after_exit(crashes, 90.0, crashes.delay_s + SETTLED_S + 20) == Crashes(1, 96.0)
    assert Crashes().resume_s == -math.inf
