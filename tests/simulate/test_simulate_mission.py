"""The mission: six times the capacity for half an hour, with and without what queuectl does about it."""

from __future__ import annotations

import math

import pytest

from queuectl.simulate.files import load_scenario
from queuectl.simulate.result import Result, simulate

URGENT = ("security", "payment")
LONG_ENOUGH_S = 9000
"""Until queuectl has cleared; plain variants take until 20,400 s, which these tests need not wait for."""


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    names = ("mission", "mission-plain-fifo", "mission-plain-lifo", "mission-no-isolation")
    return {name: simulate(load_scenario(name).model_copy(update={"for_s": LONG_ENOUGH_S})) for name in names}


def test_it_is_the_load_it_says_it_is() -> None:
    scenario = load_scenario("mission")
    slots = sum(pool.workers * pool.concurrency for pool in scenario.pools.values())
    assert slots / 0.1 == 1000
    assert sum(max(phase.per_s for phase in load.phases) for load in scenario.queues.values()) == 6000
    assert scenario.queues["forum"].phases[1].for_s == 1800


def test_every_variant_has_the_same_load_and_workers_and_adds_up(results: dict[str, Result]) -> None:
    for result in results.values():
        assert [queue.arrived for queue in result.queues] == [queue.arrived for queue in results["mission"].queues]
        for queue in result.queues:
            assert queue.arrived == queue.delivered + queue.shed + queue.refused + queue.waiting


@pytest.mark.parametrize("name", URGENT)
def test_urgent_mail_keeps_its_target_wait_all_through_and_only_with_isolation(
    results: dict[str, Result], name: str
) -> None:
    kept = results["mission"].queue(name)
    assert kept.wait_p99_s is not None
    assert kept.wait_p99_s <= kept.target_wait_s
    assert (kept.on_time, kept.shed, kept.refused) == (1.0, 0, 0)
    for variant in ("mission-plain-fifo", "mission-plain-lifo", "mission-no-isolation"):
        lost = results[variant].queue(name)
        assert lost.wait_p99_s is not None
        assert lost.wait_p99_s > lost.target_wait_s
        assert lost.on_time < 0.95


def test_forum_pays_for_it(results: dict[str, Result]) -> None:
    forum, plain = results["mission"].queue("forum"), results["mission-plain-fifo"].queue("forum")
    assert 0.5 < forum.shed / forum.arrived < 0.7
    assert plain.shed == plain.refused == 0
    assert forum.on_time > 2 * plain.on_time
    assert forum.clear_s is not None
    assert forum.clear_s < 3000
    assert plain.clear_s == math.inf
    assert results["mission"].peak_bytes < results["mission-plain-fifo"].peak_bytes / 5


def test_the_backlog_clears_by_itself_and_every_control_goes_back(results: dict[str, Result]) -> None:
    last = {(each.decision.scope, each.decision.action): each.decision for each in results["mission"].transitions}
    assert {str(action): decision.value for (scope, action), decision in last.items() if scope == "forum"} == {
        "surge": "off",
        "overflow": "off",
        "shed": "off",
    }
    assert all(decision.reason and decision.inputs for decision in last.values())
