"""The numbers behind every "before → after"."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.forecast import Flow, added, eta_s, with_workers, without

flows = st.builds(Flow, st.integers(0, 10**7), st.floats(0, 1e5), st.floats(0, 1e5), st.integers(0, 500))


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
    ],
)
def test_time_until_nothing_waits(flow: Flow, seconds: float) -> None:
    assert eta_s(flow) == seconds


@given(flows, st.integers(0, 500))
def test_more_workers_never_take_longer(flow: Flow, more: int) -> None:
    assert eta_s(with_workers(flow, flow.workers + more)) <= eta_s(flow) * (1 + 1e-9)


def test_service_grows_with_workers_where_it_is_known() -> None:
    assert with_workers(Flow(10, 1, 40, 4), 6).service_per_s == 60
    assert with_workers(Flow(10, 1, 40, 4), 0).service_per_s == 0
    unknown = with_workers(Flow(10, 1, 40, 0), 6)
    assert (unknown.service_per_s, unknown.workers) == (40, 6)


@given(flows, st.integers(0, 10**7))
def test_what_leaves_and_what_comes_back(flow: Flow, messages: int) -> None:
    assert eta_s(without(flow, messages)) <= eta_s(flow) <= eta_s(added(flow, messages))
    assert without(flow, messages).backlog == max(0, flow.backlog - messages)
    assert without(added(flow, messages), messages) == flow
