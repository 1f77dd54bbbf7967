"""Samples for plots: whole where the span is short, merged where it is long, never more than some 900."""

from __future__ import annotations

import math

import pytest

from queuectl.console.fixed import fleet
from queuectl.model import PoolSample, ProviderSample, QueueSample, Sample
from queuectl.policy.history import POINTS, SPANS_S, History, merged, sample_of, step_s


def sample(at_s: float, depth: int = 1, in_per_s: float | None = 1.0) -> Sample:
    return Sample(at_s, {"forum": QueueSample(depth, depth, 0, in_per_s, 1.0, None, None)})


def test_a_picture_becomes_a_sample() -> None:
    picture = fleet()
    made = sample_of(picture)
    assert made.at_s == picture.taken_at_s
    forum = made.queues["forum"]
    assert (forum.backlog, forum.surge, forum.overflow) == (1_204_442, 412_330, 744_000)
    assert math.isclose(forum.oldest_s or 0, 1068)
    assert made.pools["bulk"] == PoolSample(12, 582, 600)
    assert made.providers["ses"] == ProviderSample(600.0, 625.0, 120)


@pytest.mark.parametrize("span_s", SPANS_S)
def test_any_span_has_a_bounded_number_of_points(span_s: float) -> None:
    every = max(1.0, span_s / 3000)
    history = History(span_s, (sample(at * every) for at in range(4000)))
    assert len(history.samples) <= POINTS + 2
    assert history.samples[0].at_s >= 3999 * every - span_s
    assert history.samples[-1].at_s == history.newest_s == 3999 * every


def test_short_spans_keep_every_sample() -> None:
    taken = [sample(at / 2) for at in range(20)]
    assert History(300.0, taken).samples == tuple(taken)
    assert step_s(900.0) == 0.0


def test_a_spike_between_two_points_survives_and_rates_keep_their_mean() -> None:
    step = step_s(86_400.0)
    inside = [sample(step * 10 + at, 9_000 if at == 33 else 5, float(at % 2)) for at in range(0, 90)]
    (point,) = History(86_400.0, inside).samples
    assert point.queues["forum"].depth == 9_000
    assert point.queues["forum"].in_per_s == pytest.approx(0.5)
    assert point.at_s == inside[-1].at_s


def test_what_is_not_newer_is_left_out() -> None:
    history = History(900.0, [sample(10), sample(9), sample(10), sample(11)])
    assert [one.at_s for one in history.samples] == [10, 11]


def test_merging_takes_in_what_only_one_sample_knows() -> None:
    one = Sample(1.0, {"a": QueueSample(1, 1, 0, None, None, None, 2.0)}, {"p": PoolSample(1, 1, 2)})
    two = Sample(2.0, {"b": QueueSample(3, 3, 0, None, None, 4.0, None)}, {}, {"ses": ProviderSample(5.0)})
    assert merged([one, two]) == Sample(
        2.0, {**one.queues, **two.queues}, {"p": PoolSample(1, 1, 2)}, {"ses": ProviderSample(5.0, None, 0)}
    )
