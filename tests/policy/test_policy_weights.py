"""Slots shared by weight, whatever the messages cost."""

from __future__ import annotations

from collections import Counter

import pytest

from queuectl.policy.weights import owe, quotas


def run(weights: dict[str, float], cost_ticks: dict[str, int], ticks: int = 3000, slots: int = 20) -> Counter[str]:
    """Slot-ticks each queue got, all queues always having work; a tick is 10 ms."""
    busy, used, owed, ends = Counter(), Counter(), {}, {}
    for tick in range(ticks):
        for queue in ends.pop(tick, ()):
            busy[queue] -= 1
        owed = owe(owed, weights, busy, weights.keys(), 0.01)
        free = slots - sum(busy.values())
        wishes = quotas(owed, weights, busy, weights.keys(), slots)
        for queue, most in [*wishes, *((queue, free) for queue, _ in wishes)]:
            for _ in range(min(most, free)):
                busy[queue] += 1
                free -= 1
                ends.setdefault(tick + cost_ticks[queue], []).append(queue)
        used.update(busy)
    return used


@pytest.mark.parametrize("costs", [(1, 1), (1, 30), (30, 1), (7, 90)])
def test_busy_time_follows_the_weights(costs: tuple[int, int]) -> None:
    used = run({"welcome": 3.0, "forum": 1.0}, {"welcome": costs[0], "forum": costs[1]})
    assert used["welcome"] / used.total() == pytest.approx(0.75, abs=0.03)
    assert used.total() == 3000 * 20


def test_a_queue_without_work_is_owed_nothing() -> None:
    weights = {"a": 1.0, "b": 1.0}
    owed = owe({"a": 5.0, "b": 0.0}, weights, {"b": 10}, {"b"}, 100.0)
    assert owed == {"b": 0.0}
    assert quotas(owed, weights, {"b": 4}, {"b"}, 10) == [("b", 6)]
    assert quotas({}, weights, {}, (), 10) == []


def test_no_queue_saves_up_more_than_a_second_of_the_slots() -> None:
    owed = owe({}, {"a": 1.0, "b": 1.0}, {"b": 10}, {"a", "b"}, 3600.0)
    assert owed == {"a": 10.0, "b": -10.0}
