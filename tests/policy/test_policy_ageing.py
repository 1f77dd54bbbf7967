"""Strict order, and yet nobody starves."""

from __future__ import annotations

from collections import Counter

from queuectl.policy.ageing import AGED_AFTER, aged_shares

TARGETS = {"digest": 60.0, "forum": 60.0}


def served(ticks: int, cost: int, slots: int = 20) -> Counter[str]:
    """Messages each queue got begun in strict order `first`, `digest`, `forum`, all with endless work; a tick is a
    second, a message takes `cost` ticks, and the heads of the low queues wait since tick 0."""
    busy, begun, ends = Counter[str](), Counter[str](), {}
    for tick in range(ticks):
        for queue in ends.pop(tick, ()):
            busy[queue] -= 1
        waited_s = dict.fromkeys(TARGETS, float(tick))
        wishes = [*aged_shares(waited_s, TARGETS, busy, slots), ("first", slots)]
        free = slots - sum(busy.values())
        for queue, most in wishes:
            taken = min(most, free)
            free -= taken
            busy[queue] += taken
            begun[queue] += taken
            ends.setdefault(tick + cost, []).extend([queue] * taken)
    return begun


def test_a_queue_that_waits_far_too_long_gets_a_twentieth_of_the_slots():
    before = served(int(60 * AGED_AFTER), cost=10)
    assert set(before) == {"first"}
    begun = served(6000, cost=10) - served(1000, cost=10)
    assert begun["digest"] == begun["forum"]
    assert 0.04 < begun["digest"] / begun.total() < 0.06


def test_the_most_overdue_come_first_and_all_together_get_a_fifth():
    waited_s = {f"q{number}": 1000.0 + number for number in range(10)}
    targets = dict.fromkeys(waited_s, 10.0)
    assert aged_shares(waited_s, targets, {}, 40) == [("q9", 2), ("q8", 2), ("q7", 2), ("q6", 2)]
    assert aged_shares(waited_s, targets, {"q9": 2, "q8": 1}, 40) == [("q8", 1), ("q7", 2), ("q6", 2)]
    assert aged_shares(waited_s, targets, {}, 1) == [("q9", 1)]


def test_who_waits_as_he_should_gets_nothing_before_his_turn():
    assert aged_shares({"digest": 600.0}, TARGETS, {}, 20) == []
    assert aged_shares({"digest": 600.1}, TARGETS, {}, 20) == [("digest", 1)]
