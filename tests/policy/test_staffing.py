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
    Wanted,
    after_exit,
    allocate,
    plan,
)

capacities = st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 30), min_size=1, max_size=6)
workers = st.builds(Staff, st.integers(1, 10_000), st.floats(0, 1000), st.booleans())
staff = st.lists(workers, max_size=20, unique_by=lambda worker: worker.pid)
NOW_S = 1000.0


def parts_of(desired: int, capacity: dict[str, int]) -> dict[str, int]:
    return allocate({"bulk": Wanted(desired, tuple(capacity))}, capacity)["bulk"]


@given(st.integers(0, 200), capacities)
def test_parts_add_up_to_what_fits(desired: int, capacity: dict[str, int]):
    parts = parts_of(desired, capacity)
    assert sum(parts.values()) == min(desired, sum(capacity.values()))
    assert all(0 <= parts[host] <= capacity[host] for host in capacity)


@given(st.integers(0, 100), st.integers(1, 8))
def test_equal_hosts_differ_by_one_at_most(desired: int, number: int):
    parts = parts_of(desired, {f"h{index}": 100 for index in range(number)}).values()
    assert max(parts) - min(parts) <= 1


def test_parts_are_in_proportion_to_capacity():
    assert parts_of(14, {"a": 40, "b": 20, "c": 10}) == {"a": 8, "b": 4, "c": 2}


@given(st.integers(0, 100), capacities, st.integers(0, 30))
def test_a_new_host_takes_only_what_it_gets(desired: int, capacity: dict[str, int], new: int):
    before, after = parts_of(desired, capacity), parts_of(desired, {**capacity, "new": new})
    assert all(after[host] <= before[host] for host in capacity)


@given(st.integers(0, 100), capacities)
def test_one_worker_more_moves_no_other(desired: int, capacity: dict[str, int]):
    before, after = parts_of(desired, capacity), parts_of(desired + 1, capacity)
    assert sorted(after[host] - before[host] for host in capacity)[:-1] == [0] * (len(capacity) - 1)


@given(st.dictionaries(st.sampled_from("pqrst"), st.integers(0, 30), min_size=1), capacities, st.data())
def test_many_pools_never_exceed_a_host_and_small_ones_are_complete_first(
    desired: dict[str, int], capacity: dict[str, int], data: st.DataObject
):
    shares = st.lists(st.sampled_from(sorted(capacity)), unique=True)
    pools = {pool: Wanted(number, data.draw(shares)) for pool, number in desired.items()}
    parts = allocate(pools, capacity)
    for host, most in capacity.items():
        assert sum(part.get(host, 0) for part in parts.values()) <= most
    assert all(set(parts[pool]) == set(pools[pool].hosts) for pool in pools)
    everywhere = allocate({pool: Wanted(number, tuple(capacity)) for pool, number in desired.items()}, capacity)
    got = {pool: sum(part.values()) for pool, part in everywhere.items()}
    assert sum(got.values()) == min(sum(desired.values()), sum(capacity.values()))
    short = [got[pool] for pool in got if got[pool] < desired[pool]]
    assert not short or max(got.values()) <= min(short) + 1


def test_pools_of_one_worker_do_not_all_stand_on_one_host():
    capacity = {f"h{number}": 8 for number in range(4)}
    parts = allocate({f"pool-{number}": Wanted(1, tuple(capacity)) for number in range(16)}, capacity)
    assert len({host for part in parts.values() for host, number in part.items() if number}) > 1


def test_a_host_of_unknown_capacity_gets_nothing():
    assert allocate({"bulk": Wanted(3, ("a", "b"))}, {"a": 8}) == {"bulk": {"a": 3, "b": 0}}


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
