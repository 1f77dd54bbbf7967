"""Rates out of counters: averages, what is unknown, and what runs backwards."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.rates import WAIT_BASE, WAIT_UNIT_S, WINDOW_S, Counters, Rates, quantile, update


def counters(at_s: float = 0.0, **values: object) -> Counters:
    depth = values.get("depth", 0)
    filled = {"depth": 0, "living": depth, "arrived": 0, "left": 0, "stock_done": 0.0, "counted": True, **values}
    return Counters(at_s, **filled)  # type: ignore[arg-type]


def test_the_first_interval_is_taken_as_it_is() -> None:
    rates = update(Rates(), counters(depth=5), counters(2.0, depth=5, arrived=20, left=10))
    assert (rates.in_per_s, rates.out_per_s, rates.service_per_s) == (10.0, 5.0, 5.0)
    assert (rates.wait_p50_s, rates.wait_p95_s) == (None, None)


@pytest.mark.parametrize("step_s", [0.5, 1.0, 2.0, 10.0])
def test_a_step_shows_63_percent_after_the_window_however_often_it_is_looked_at(step_s: float) -> None:
    rates = Rates(in_per_s=0.0, out_per_s=0.0)
    for number in range(round(WINDOW_S / step_s)):
        rates = update(rates, counters(number * step_s), counters((number + 1) * step_s, arrived=round(100 * step_s)))
    assert rates.in_per_s == pytest.approx(100 * (1 - math.exp(-1)))


@given(st.lists(st.tuples(st.floats(0.1, 30), st.integers(0, 10_000), st.integers(0, 10_000)), max_size=20))
def test_an_average_stays_between_what_it_averages(intervals: list[tuple[float, int, int]]) -> None:
    rates, seen, at_s = Rates(), [], 0.0
    for length_s, came, left in intervals:
        rates = update(rates, counters(at_s), counters(at_s + length_s, arrived=came, left=left))
        seen.append(came / length_s)
        at_s += length_s
        assert rates.in_per_s is not None
        assert -1e-9 <= rates.in_per_s <= max(seen) * (1 + 1e-9)


def test_silence_becomes_zero_not_a_millionth() -> None:
    rates = Rates(in_per_s=100.0, out_per_s=100.0)
    for second in range(200):
        rates = update(rates, counters(second), counters(second + 1.0))
    assert (rates.in_per_s, rates.out_per_s) == (0.0, 0.0)


@pytest.mark.parametrize(
    "after",
    [counters(0.0, arrived=5), counters(-1.0, arrived=5), counters(1.0, arrived=-1), counters(1.0, left=-1),
     counters(1.0, stock_done=-2.0)],
)  # fmt: skip
def test_an_interval_that_runs_backwards_is_skipped(after: Counters) -> None:
    rates = Rates(in_per_s=3.0, out_per_s=2.0)
    assert update(rates, counters(), after) is rates


def test_arrivals_nobody_counted_are_estimated_from_what_lives_and_departures() -> None:
    def estimate(before: int, after: int, done: float) -> float | None:
        later = counters(1.0, living=after, stock_done=done, counted=False)
        return update(Rates(), counters(living=before, counted=False), later).in_per_s

    assert estimate(100, 130, 20) == 50
    assert estimate(100, 40, 20) == 0


def test_the_service_rate_is_measured_under_backlog_only() -> None:
    known = Rates(service_per_s=50.0)
    assert update(known, counters(depth=0), counters(1.0, depth=9, left=1)).service_per_s == 50.0
    assert update(known, counters(depth=9), counters(1.0, depth=0, left=1)).service_per_s == 50.0
    under_backlog = update(known, counters(depth=9), counters(1.0, depth=9, left=0)).service_per_s
    assert under_backlog is not None
    assert under_backlog < 50.0
    unserved = counters(1.0, depth=9, served=False)
    assert update(known, counters(depth=9), unserved).service_per_s == 50.0


def test_a_rate_beyond_the_known_service_rate_is_believed_without_backlog() -> None:
    rates, ahead = Rates(service_per_s=100.0), counters()
    for second in range(60):
        before, ahead = ahead, counters(second + 1.0, left=ahead.left + 3000)
        rates = update(rates, before, ahead)
    assert rates.service_per_s == pytest.approx(3000, rel=0.01)
    assert update(Rates(), counters(), counters(1.0, left=3000)).service_per_s is None


def test_waits_are_those_of_the_last_interval_with_claims() -> None:
    first = update(Rates(), counters(waits={3: 10}), counters(1.0, waits={3: 10, 8: 95, 20: 5}))
    assert (first.wait_p50_s, first.wait_p95_s) == (WAIT_UNIT_S * WAIT_BASE**8, WAIT_UNIT_S * WAIT_BASE**8)
    later = update(first, counters(1.0, waits={8: 95, 20: 5}), counters(2.0, waits={8: 95, 20: 105}))
    assert later.wait_p50_s == WAIT_UNIT_S * WAIT_BASE**20
    assert update(later, counters(2.0, waits={20: 5}), counters(3.0, waits={20: 5})).wait_p50_s == later.wait_p50_s


@given(st.dictionaries(st.integers(0, 40), st.integers(1, 1000), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_the_edge_below_which_that_share_lies(buckets: dict[int, int], share: float) -> None:
    edge = quantile(buckets, share)
    bucket = round(math.log(edge / WAIT_UNIT_S) / math.log(WAIT_BASE))
    below = sum(number for found, number in buckets.items() if found <= bucket)
    assert bucket in buckets
    assert below >= share * sum(buckets.values()) > below - buckets[bucket]


def test_no_waits_have_no_quantile() -> None:
    assert quantile({}, 0.5) == 0.0


def test_an_outage_teaches_nothing_of_the_service_rate() -> None:
    known = update(Rates(), counters(depth=9), counters(1.0, depth=9, left=5))
    away = counters(1.0, depth=9, left=5, served=False)
    assert update(known, away, counters(60.0, depth=900, left=5, served=False)).service_per_s == 5.0
    assert update(known, replace(away, served=True), counters(60.0, depth=900, left=5)).service_per_s < 0.1


def test_nothing_is_learned_of_the_service_rate_while_the_provider_takes_nothing() -> None:
    def counters(at_s: float, left: int, shut: bool) -> Counters:
        return Counters(at_s, 1000, 1000, 5000, left, 0.0, True, shut=shut)

    open_rates = update(Rates(), counters(0, 0, False), counters(10, 500, False))
    assert open_rates.service_per_s == 50
    shut = update(open_rates, counters(10, 500, False), counters(20, 501, True))
    still_shut = update(shut, counters(20, 501, True), counters(30, 502, True))
    reopening = update(still_shut, counters(30, 502, True), counters(40, 503, False))
    assert reopening.service_per_s == 50
    assert reopening.out_per_s < 20
