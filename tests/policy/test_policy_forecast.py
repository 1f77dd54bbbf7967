"""The numbers behind every "before → after"."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.model import Control, Direction, Policy, QueueState, Switch
from queuectl.policy.forecast import (
    HORIZON_S,
    HOT_BYTES,
    PACKED_BYTES,
    Flow,
    added,
    eta_s,
    flow_of,
    forecast,
    parked,
    with_workers,
    without,
)
from queuectl.policy.forecast_words import compare, humane_bytes, humane_s

flows = st.builds(
    Flow,
    st.integers(0, 10**7),
    st.floats(0, 1e5),
    st.floats(0, 1e5),
    st.integers(0, 500),
    newest_first=st.booleans(),
    paused=st.booleans(),
    oldest_s=st.floats(0, 1e6),
    max_age_s=st.floats(1, 1e6),
    cap=st.integers(1, 10**7),
    parked=st.integers(0, 10**7),
)


@pytest.mark.parametrize(
    ("flow", "seconds"),
    [
        (Flow(1000, 10, 20, 2), 100.0),
        (Flow(1000, 0, 20, 2), 50.0),
        (Flow(1000, 20, 20, 2), math.inf),
        (Flow(1000, 30, 20, 2), math.inf),
        (Flow(0, 30, 20, 2), 0.0),
        (Flow(-3, 30, 20, 2), 0.0),
        (Flow(1, 0, 0, 0), math.inf),
        (Flow(1000, 0, 20, 2, paused=True), math.inf),
        (Flow(1000, 0, 20, 2, stale=600), 50.0),
        (Flow(1000, 0, 20, 2, stale=600, shedding=True), 20.0),
    ],
)
def test_time_until_nothing_waits(flow: Flow, seconds: float) -> None:
    assert eta_s(flow) == seconds


@given(flows, st.integers(0, 500))
def test_more_workers_never_take_longer(flow: Flow, more: int) -> None:
    assert eta_s(with_workers(flow, flow.workers + more)) <= eta_s(flow) * (1 + 1e-9)


def test_service_grows_with_workers_where_it_is_known_up_to_what_the_provider_takes() -> None:
    assert with_workers(Flow(10, 1, 40, 4), 6).service_per_s == 60
    assert with_workers(Flow(10, 1, 40, 4), 0).service_per_s == 0
    assert with_workers(Flow(10, 1, 40, 4, most_per_s=50), 6).service_per_s == 50
    assert with_workers(Flow(10, 1, 40, 4, most_per_s=30), 6).service_per_s == 40
    unknown = with_workers(Flow(10, 1, 40, 0), 6)
    assert (unknown.service_per_s, unknown.workers) == (40, 6)


@given(flows, st.integers(0, 10**7))
def test_what_leaves_and_what_comes_back(flow: Flow, messages: int) -> None:
    assert eta_s(without(flow, messages)) <= eta_s(flow) <= eta_s(added(flow, messages))
    assert without(flow, messages).backlog == max(0, flow.backlog - messages)
    assert without(added(flow, messages), messages) == flow
    packed = parked(flow, messages)
    assert packed.backlog + packed.parked == flow.backlog + flow.parked


@given(flows, st.floats(0, 1))
def test_a_forecast_of_anything_is_possible_and_conserves_messages(flow: Flow, stale_share: float) -> None:
    stale = int(flow.backlog * stale_share)
    found = forecast(replace(flow, stale=stale, shedding=True))
    arrivals = flow.in_per_s * HORIZON_S
    assert stale <= found.shed <= flow.backlog + arrivals + 1
    assert 0 <= found.refused <= arrivals + 1
    assert found.shed + found.refused <= flow.backlog + arrivals + 2
    assert found.peak_bytes >= found.waiting * HOT_BYTES
    assert found.waiting == flow.backlog - stale
    plain = forecast(replace(flow, stale=stale))
    assert (plain.shed, plain.refused) == (0, 0)
    assert found.clear_s <= plain.clear_s


@given(flows)
def test_shedding_never_makes_the_wait_longer_and_lifo_serves_fresh_mail_at_once(flow: Flow) -> None:
    served = replace(flow, paused=False, service_per_s=max(flow.service_per_s, 1.0))
    assert forecast(replace(served, shedding=True)).wait_s <= forecast(served).wait_s
    assert forecast(replace(served, newest_first=True)).wait_s == 0


def test_without_any_spike_nothing_is_shed() -> None:
    calm = Flow(100, 50, 100, 2, shedding=True, oldest_s=2, max_age_s=3600, cap=10**6)
    assert (forecast(calm).shed, forecast(calm).refused) == (0, 0)


def test_a_fifo_queue_in_overload_sheds_what_it_cannot_deliver_in_time() -> None:
    """600,000 wait, the oldest 600 s; 1,000/s come, 500/s go; after 10 minutes of age they are stale: all that is not
    delivered within the hour and is older is shed."""
    flow = Flow(600_000, 1000, 500, 5, shedding=True, oldest_s=600, max_age_s=600)
    found = forecast(flow)
    assert found.shed == 600_000 + 1000 * (3600 - 600) - 500 * 3600
    assert (found.wait_s, found.clear_s) == (600, math.inf)


def test_a_lifo_queue_sheds_the_old_end_that_the_spare_service_does_not_reach() -> None:
    flow = Flow(90_000, 100, 110, 5, shedding=True, newest_first=True, oldest_s=1800, max_age_s=3600)
    found = forecast(flow)
    meet_s = 90_000 * 3600 / (90_000 + 10 * 1800)
    assert found.shed == pytest.approx(90_000 - 10 * meet_s, abs=2)
    flooded = replace(flow, in_per_s=200.0, max_age_s=1800)
    assert forecast(flooded).shed == 90_000 + 90 * 1800


def test_at_the_watermark_producers_are_refused_and_memory_is_bounded() -> None:
    flow = Flow(1000, 100, 0, 0, shedding=True, max_age_s=1e6, cap=5000, parked=1000)
    found = forecast(flow)
    assert found.refused == 1000 + 100 * 3600 - 5000
    assert found.peak_bytes == 5000 * HOT_BYTES + 1000 * PACKED_BYTES
    assert forecast(replace(flow, shedding=False)).peak_bytes > 150e6


def test_what_is_not_known_is_not_told() -> None:
    found = forecast(flow_of(QueueState("a", depth=5)))
    assert math.isnan(found.clear_s) and math.isnan(found.wait_s)
    assert (found.waiting, found.peak_bytes) == (5, 5 * HOT_BYTES)
    assert forecast(flow_of(QueueState("a"))).clear_s == 0


def test_a_queue_as_the_picture_has_it() -> None:
    queue = QueueState(
        "a", policy=Policy(max_age_s=60, cap=7), direction=Control(Direction.LIFO), shed=Control(Switch.ON),
        pause=Control(Switch.ON), depth=3, surge=4, overflow=5, oldest_s=9.0, in_per_s=1.0, out_per_s=2.0, workers=6,
        assisted=True,
    )  # fmt: skip
    assert flow_of(queue, stale=1, most_per_s=8.0) == Flow(
        7, 1.0, 2.0, 6, newest_first=True, paused=True, shedding=True, stale=1, oldest_s=9.0, max_age_s=60, cap=7,
        parked=5, message_bytes=1620, most_per_s=8.0,
    )  # fmt: skip


def test_words() -> None:
    before = Flow(1000, 30, 20, 2, max_age_s=100, oldest_s=50)
    assert compare(before, replace(before, shedding=True, newest_first=True)) == (
        "waiting 1,000 → 1,000",
        "clears in never → never",
        "wait of a new message 50s → under 1s",
        "shed in the next hour 0 → 36,000",
        "memory at most 16.3 MB → 2.06 MB",
    )
    assert [humane_s(seconds) for seconds in (None, math.nan, math.inf, 0.2, 61, 3600, 90_000)] == [
        "–", "–", "never", "0s", "1m1s", "1h", "1d1h"]  # fmt: skip
    assert [humane_bytes(number) for number in (0, 999, 1000, 4.5e9)] == ["0 B", "999 B", "1 kB", "4.5 GB"]
