"""Every action has all five: a dry run that writes nothing, a forecast before → after, an audit entry, and an undo that
says what it will be like or a refusal that says why not; and every override ends by itself."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest
from redis import Redis
from store_world import OPERATOR, POOLED, commit, done, end, everything, put, take

from queuectl.model import (
    Action,
    ContinueOperation,
    DeleteFailed,
    Direction,
    Drain,
    Preview,
    Refill,
    RetryFailed,
    Sample,
    Scale,
    SetDirection,
    SetPause,
    SetPolicy,
    SetShed,
    StopOperation,
    Suppress,
    Switch,
    Target,
    Undo,
    Unsuppress,
)
from queuectl.policy.rates import Rates
from queuectl.settings import Settings
from queuectl.store import audit, operations, pools, series, suppression
from queuectl.store.claims import End
from queuectl.store.client import Store
from queuectl.store.gate import Gate

OVERRIDES = {SetShed, SetDirection, SetPause, Scale}
"""Decisions that outrank automation for a time; the others do something once, or change what stands."""
NO_UNDO = {Refill, RetryFailed, DeleteFailed, Undo}
LISTED = suppression.digest("gone@example.org")


@pytest.fixture
def actions(store: Store) -> dict[type, Action]:
    """One of each, on a deployment where each has something to do."""
    store.run(pools.publish(POOLED))
    put(store, "a", 40)
    put(store, "b", 40)
    end(store, take(store, "a", 3), End.FAILED)
    done(store, Drain("a", Target.OVERFLOW, limit=5), settings=POOLED)
    done(store, Suppress(((LISTED, "bounced"),)), settings=POOLED)
    under_way = commit(store, Drain("b", Target.OVERFLOW, limit=10), settings=POOLED).operation
    stopped = commit(store, Drain("b", Target.OVERFLOW, limit=10), settings=POOLED).operation
    commit(store, StopOperation(stopped), settings=POOLED)
    store.run(operations.drive(stopped, driver="test:1"))
    undoable = commit(store, SetDirection("b", Direction.LIFO), settings=POOLED).number
    return {type(action): action for action in (
        SetShed("a", Switch.ON), SetDirection("a", Direction.LIFO), SetPause("a", Switch.ON),
        SetPolicy("a", (("cap", "5"),)), Drain("a", Target.OVERFLOW, limit=7), Refill("a"), StopOperation(under_way),
        ContinueOperation(stopped), Scale("bulk", 5), RetryFailed("a"), DeleteFailed("a"),
        Suppress(((suppression.digest("new@example.org"), "asked"),)), Unsuppress((LISTED,)), Undo(undoable),
    )}  # fmt: skip


each = pytest.mark.parametrize("kind", get_args(Action), ids=lambda kind: kind.__name__)


def preview_of(store: Store, action: Action) -> Preview:
    return store.run(Gate(POOLED, OPERATOR).preview(action))


@each
def test_a_dry_run_writes_nothing_and_foretells(
    store: Store, redis: Redis, actions: dict[type, Action], kind: type
) -> None:
    before = everything(redis)
    preview = preview_of(store, actions[kind])
    assert everything(redis) == before
    assert (preview.refusal, preview.nothing) == ("", False)
    assert preview.forecast
    assert all(" → " in line for line in preview.forecast)


@each
def test_it_is_audited_and_undone_or_that_is_refused(
    store: Store, redis: Redis, actions: dict[type, Action], kind: type
) -> None:
    preview = preview_of(store, actions[kind])
    carried_out = commit if kind is ContinueOperation else done  # to its end, there is nothing left to stop
    outcome = carried_out(store, actions[kind], settings=POOLED, reason="why not")
    entry = store.run(audit.find(outcome.number))
    assert (entry.who, entry.reason, bool(entry.after)) == (OPERATOR, "why not", True)
    back = preview_of(store, Undo(outcome.number))
    assert preview.undoable is (kind not in NO_UNDO)
    if kind in NO_UNDO:
        assert "has no undo" in back.refusal
    else:
        assert back.refusal == ""
        assert all(" → " in line for line in back.forecast)
        assert back.forecast
        done(store, Undo(outcome.number), settings=POOLED)
        assert f"was undone by #{outcome.number + 1}" in preview_of(store, Undo(outcome.number)).refusal


def test_overrides_are_the_actions_that_expire() -> None:
    assert {kind for kind in get_args(Action) if "for_s" in {field.name for field in fields(kind)}} == OVERRIDES


def test_more_workers_are_not_foretold_to_help_beyond_what_the_provider_takes(store: Store) -> None:
    def cleared(rate_per_s: float) -> str:
        settings = Settings.model_validate(
            {
                "queues": {"a": {"provider": "ses"}},
                "pools": {"bulk": {"queues": ["a"], "workers": 2}},
                "providers": {"ses": {"rate_per_s": rate_per_s}},
            }
        )
        store.run(pools.publish(settings))
        (line,) = (
            line for line in store.run(Gate(settings, OPERATOR).preview(Scale("bulk", 8))).forecast if "clears" in line
        )
        return line

    put(store, "a", 100)
    store.run(
        series.write(Sample(1.0), {"a": Rates(in_per_s=0.0, out_per_s=1.0, service_per_s=1.0)}, fence="", coarse=False)
    )
    assert cleared(2) == "a: clears in 1m40s → 50s"
    assert cleared(0) == "a: clears in 1m40s → 25s"
