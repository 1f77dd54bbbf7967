"""What a provider's answers do to its rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from queuectl.policy.shaping import (
    LEAST_FACTOR,
    SUSPEND_MOST_S,
    SUSPEND_S,
    Condition,
    Shape,
    Signal,
    condition_at,
    factor_at,
    lapsed,
    observe,
)


def throttled(shape: Shape, now_s: float, **more: float) -> Shape:
    return observe(shape, Signal.THROTTLED, now_s, **{"sent_at_s": now_s, **more}, reason="421 slow down")


def test_halves_holds_and_comes_back_in_steps() -> None:
    shape = throttled(Shape(), 1000.0)
    assert [factor_at(shape, at_s) for at_s in (1000, 1060, 1119, 1120, 1180)] == pytest.approx(
        [0.5, 0.5, 0.5, 0.55, 0.6]
    )
    assert condition_at(shape, 1059) is Condition.HELD
    assert condition_at(shape, 1061) is Condition.RECOVERING
    assert factor_at(shape, 1000 + 60 * 11) == pytest.approx(1.0)
    assert condition_at(shape, 1000 + 60 * 12) is Condition.OPEN


def test_a_crowd_of_complaints_about_the_old_rate_halves_once_and_prolongs_the_hold() -> None:
    shape = throttled(Shape(), 1000.0)
    again = throttled(shape, 1003.0, sent_at_s=999.0)
    assert (again.factor, again.held_until_s) == (0.5, 1063.0)
    assert throttled(again, 1006.0).factor == 0.25
    for at_s in range(2000, 3000, 10):
        again = throttled(again, float(at_s))
    assert again.factor == LEAST_FACTOR


def test_what_it_took_stands_in_for_a_rate() -> None:
    shape = throttled(Shape(), 1000.0, used_per_s=80.0)
    assert shape.learned_per_s == 80.0
    assert throttled(shape, 1010.0, used_per_s=30.0).learned_per_s == 80.0


def test_reputation_suspends_and_a_probe_decides() -> None:
    shape = observe(Shape(), Signal.REPUTATION, 1000.0, sent_at_s=999.0, reason="554 blocked")
    assert condition_at(shape, 1000 + SUSPEND_S - 1) is Condition.SUSPENDED
    assert observe(shape, Signal.REPUTATION, 1100.0, sent_at_s=999.0) == shape
    now_s = 1000 + SUSPEND_S + 1
    assert condition_at(shape, now_s) is Condition.PROBING
    worse = observe(shape, Signal.REPUTATION, now_s, sent_at_s=now_s, probe=True)
    assert worse.suspended_until_s == now_s + 2 * SUSPEND_S
    for _ in range(20):
        worse = observe(worse, Signal.REPUTATION, now_s, sent_at_s=now_s, probe=True)
    assert worse.suspended_for_s == SUSPEND_MOST_S
    better = observe(shape, Signal.PASSED, now_s, sent_at_s=now_s, probe=True)
    assert condition_at(better, now_s) is Condition.HELD
    assert factor_at(better, now_s) == 0.5


def test_a_probe_that_says_nothing_lets_the_next_one_go() -> None:
    shape = replace(Shape(), suspended_until_s=1000.0, suspended_for_s=300.0, probe_until_s=1070.0)
    unclear = observe(shape, Signal.UNCLEAR, 1010.0, sent_at_s=1009.0, probe=True)
    assert (unclear.probe_until_s, condition_at(unclear, 1010.0)) == (0.0, Condition.PROBING)
    later = observe(shape, Signal.THROTTLED, 1010.0, sent_at_s=1009.0, probe=True)
    assert condition_at(later, 1069.0) is Condition.SUSPENDED


def test_success_says_nothing_about_a_provider_in_order() -> None:
    assert observe(Shape(), Signal.PASSED, 5.0, sent_at_s=4.0) == Shape()


def test_a_used_up_quota_stops_the_provider_for_its_time_however_often_it_is_met() -> None:
    shape = observe(Shape(), Signal.HOLD, 1000.0, sent_at_s=999.0, for_s=3600.0, reason="daily quota")
    assert condition_at(shape, 4599.0) is Condition.SUSPENDED
    assert condition_at(shape, 4601.0) is Condition.PROBING
    assert observe(shape, Signal.HOLD, 1001.0, sent_at_s=999.0, for_s=3600.0) == shape
    again = observe(shape, Signal.HOLD, 5000.0, sent_at_s=4999.0, probe=True, for_s=3600.0)
    assert again.suspended_until_s == 8600.0
    passed = observe(again, Signal.PASSED, 8700.0, sent_at_s=8699.0, probe=True)
    assert condition_at(passed, 8700.0) is Condition.HELD


def test_a_rule_says_for_how_long() -> None:
    cut = observe(Shape(), Signal.THROTTLED, 1000.0, sent_at_s=1000.0, for_s=1800.0)
    assert (cut.factor, cut.held_until_s) == (0.5, 2800.0)
    assert observe(cut, Signal.THROTTLED, 1010.0, sent_at_s=1009.0).held_until_s == 2800.0
    first = observe(Shape(), Signal.REPUTATION, 1000.0, sent_at_s=1000.0, for_s=7200.0)
    assert first.suspended_until_s == 8200.0
    second = observe(first, Signal.REPUTATION, 8300.0, sent_at_s=8290.0, probe=True, for_s=7200.0)
    assert second.suspended_until_s == 8300.0 + 14400.0


def test_where_nobody_probes_a_suspension_lapses() -> None:
    shape = observe(Shape(), Signal.REPUTATION, 1000.0, sent_at_s=1000.0)
    assert lapsed(shape, 1299.0) == shape
    after = lapsed(shape, 1300.0)
    assert after.suspended_until_s == 0.0
    assert factor_at(after, 1300.0) == 0.5
    assert factor_at(after, 1300.0 + 3600.0) == 1.0
