"""The one gate: looking changes nothing, refusals change nothing, and two operators do not overrun each other."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from redis import Redis
from store_world import OPERATOR, POOLED, age, commit, everything, mail, put, take, with_environment

from queuectl.model import (
    Action,
    ContinueOperation,
    DeleteFailed,
    Direction,
    Drain,
    Refill,
    RefusedError,
    RetryFailed,
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
    UsageError,
)
from queuectl.store import admission, audit, keys, pools
from queuectl.store.client import Store
from queuectl.store.gate import READ_ONLY, Gate, operator_name
from queuectl.store.reader import Reader

EACH: dict[type, Action] = {
    SetShed: SetShed("a", Switch.ON),
    SetDirection: SetDirection("a", Direction.LIFO),
    SetPause: SetPause("a", Switch.ON),
    SetPolicy: SetPolicy("a", (("target_wait_s", "30"),)),
    Drain: Drain("a", Target.OVERFLOW),
    Refill: Refill("a"),
    Scale: Scale("bulk", 5),
    RetryFailed: RetryFailed("a"),
    DeleteFailed: DeleteFailed("a"),
    Undo: Undo(1),
}
FIRST: dict[type, tuple[Action, str]] = {
    Scale: (Scale("bulk", 9), "scale 2 → 9"),
    SetPolicy: (SetPolicy("a", (("cap", "9"),)), "policy cap 8 → cap 9"),
}
"""What another operator does first, to the same thing; for the others it is a switch of the queue."""
each_action = pytest.mark.parametrize("action", EACH.values(), ids=lambda action: type(action).__name__)


ELSEWHERE = {StopOperation, ContinueOperation, Suppress, Unsuppress}
"""Tried in test_store_operations.py and test_cli_suppression.py."""


def test_every_variant_is_tried_here() -> None:
    assert set(EACH) | ELSEWHERE == set(get_args(Action))


@each_action
def test_a_preview_writes_nothing(world: Store, redis: Redis, action: Action) -> None:
    before = everything(redis)
    preview = world.run(Gate(POOLED, OPERATOR).preview(action))
    assert (preview.refusal, preview.nothing) == ("", False)
    assert preview.headline
    assert preview.verb
    assert everything(redis) == before


@each_action
def test_a_read_only_environment_refuses(world: Store, redis: Redis, action: Action) -> None:
    preview = world.run(Gate(POOLED, OPERATOR).preview(action))
    before = everything(redis)
    gate = Gate(with_environment(read_only=True), OPERATOR)
    assert world.run(gate.preview(action)).refusal == READ_ONLY
    with pytest.raises(RefusedError, match="read-only"):
        world.run(gate.commit(preview, typed=preview.confirm_word))
    assert everything(redis) == before


def test_a_read_only_environment_stops_no_operation(world: Store, redis: Redis) -> None:
    drain = commit(world, EACH[Drain], settings=POOLED)
    before = everything(redis)
    with pytest.raises(RefusedError, match="read-only"):
        world.run(Gate(with_environment(read_only=True), OPERATOR).stop_operation(drain.operation))
    assert everything(redis) == before


@each_action
def test_production_wants_the_scope_typed(world: Store, redis: Redis, action: Action) -> None:
    gate = Gate(with_environment(production=True), OPERATOR)
    preview = world.run(gate.preview(action))
    word = "bulk" if isinstance(action, Scale) else "a"
    assert preview.confirm_word == word
    before = everything(redis)
    for typed in ("", "b", word.upper(), f"{word} "):
        with pytest.raises(RefusedError, match=f"type '{word}' to confirm"):
            world.run(gate.commit(preview, typed=typed))
    assert everything(redis) == before
    assert world.run(gate.commit(preview, typed=word)).number == 2


@pytest.mark.parametrize("action", [SetShed("codes", Switch.ON), Drain("codes", Target.SHED)])
def test_shedding_of_protected_mail_is_typed(world: Store, redis: Redis, action: Action) -> None:
    gate = Gate(POOLED, OPERATOR)
    preview = world.run(gate.preview(action))
    before = everything(redis)
    with pytest.raises(RefusedError, match="type 'codes' to confirm"):
        world.run(gate.commit(preview))
    assert everything(redis) == before
    assert world.run(gate.commit(preview, typed="codes")).number


@pytest.mark.parametrize(
    "action", [SetShed("codes", Switch.OFF), Drain("codes", Target.OVERFLOW), SetPause("codes", Switch.ON)]
)
def test_what_loses_no_protected_mail_is_not_typed(world: Store, action: Action) -> None:
    assert world.run(Gate(POOLED, OPERATOR).preview(action)).confirm_word == ""


def test_many_deleted_for_good_are_typed(world: Store) -> None:
    few, many = DeleteFailed("a", ("x",) * 10_000), DeleteFailed("a", ("x",) * 10_001)
    gate = Gate(POOLED, OPERATOR)
    assert [world.run(gate.preview(action)).confirm_word for action in (few, many)] == ["", "a"]


@each_action
def test_the_second_of_two_operators_is_told_what_the_first_one_did(world: Store, redis: Redis, action: Action) -> None:
    mine, other = Gate(POOLED, OPERATOR), Gate(POOLED, "ben@mx2")
    preview = world.run(mine.preview(action))
    first, did = FIRST.get(type(action), (SetShed("a", Switch.ON, for_s=900), "shed off → on"))
    number = world.run(other.commit(world.run(other.preview(first)), reason="spike of the digest")).number
    before = everything(redis)
    with pytest.raises(RefusedError) as refused:
        world.run(mine.commit(preview, typed=preview.confirm_word))
    assert everything(redis) == before
    assert f"ben@mx2 {did}" in str(refused.value)
    assert '"spike of the digest"' in str(refused.value)
    assert f"(#{number})" in str(refused.value)


def test_a_change_between_check_and_write_is_refused_by_the_script(world: Store, redis: Redis) -> None:
    """The preview was fresh when it was checked; the other operator came in between."""
    mine, other = Gate(POOLED, OPERATOR), Gate(POOLED, "ben@mx2")
    preview = world.run(mine.preview(SetPause("a", Switch.ON)))
    steps = mine.commit(preview)
    calls = steps.send(None)
    while not any(call.script and call.script.name == "commit_change" for call in calls):
        calls = steps.send(world.run(_replies(calls)))
    world.run(other.commit(world.run(other.preview(SetShed("a", Switch.ON)))))
    before = everything(redis)
    replies = world.run(_replies(calls))
    calls = steps.send(replies)
    with pytest.raises(RefusedError, match="ben@mx2 shed"):
        while True:
            calls = steps.send(world.run(_replies(calls)))
    assert everything(redis) == before


def _replies(calls: Any) -> Any:
    return (yield calls)


def test_what_is_already_so_is_not_done_again(world: Store, redis: Redis) -> None:
    before = everything(redis)
    for action in (SetShed("a", None), SetDirection("a", None), SetPause("a", None), SetPolicy("a"),
                   Scale("bulk", None), Drain("b", Target.OVERFLOW), Refill("b"), RetryFailed("b"),
                   DeleteFailed("b")):  # fmt: skip
        outcome = commit(world, action, settings=POOLED)
        assert (outcome.number, outcome.done[:13]) == (0, "nothing to do")
    assert everything(redis) == before


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (SetShed("nowhere", Switch.ON), "no queue 'nowhere'; known queues: a, b, codes"),
        (Drain("nowhere", Target.OVERFLOW), "no queue 'nowhere'"),
        (Drain("a", Target.QUEUE, "nowhere"), "no queue 'nowhere'"),
        (Drain("a", Target.QUEUE, ""), "name the queue to drain to"),
        (Drain("a", Target.QUEUE, "shed"), "`overflow` and `shed` are tiers"),
        (Drain("a", Target.SHED, limit=0), "limit 0 is not allowed"),
        (Drain("a", Target.SHED, older_than_s=-1), "older-than cannot be negative"),
        (Refill("a", rate_per_s=0), "rate 0 is not allowed"),
        (Refill("a", limit=-1), "limit -1 is not allowed"),
        (Scale("nobody", 3), "no pool 'nobody'; known pools: bulk"),
        (Undo(99), "no audit entry has number 99"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(world: Store, action: Action, said: str) -> None:
    with pytest.raises(UsageError) as error:
        world.run(Gate(POOLED, OPERATOR).preview(action))
    assert said in str(error.value)


@pytest.mark.parametrize("workers", [-1, 1001])
def test_a_pool_has_limits(world: Store, workers: int) -> None:
    with pytest.raises(RefusedError, match=r"0 to 1,000 workers"):
        commit(world, Scale("bulk", workers), settings=POOLED)


def test_the_audit_says_who_did_what_to_what_and_why(world: Store) -> None:
    commit(world, SetShed("a", Switch.ON, for_s=900), settings=POOLED, reason="spike")
    commit(world, Scale("bulk", 7), settings=POOLED, reason="more hands")
    commit(world, Undo(2), settings=POOLED, reason="calm again")
    undone, scaled, shed, drained = world.run(audit.recent(10))
    assert (shed.who, shed.action, shed.scope, shed.before, shed.after, shed.reason) == (
        OPERATOR, "shed", "a", "off", "on", "spike")  # fmt: skip
    assert (scaled.action, scaled.scope, scaled.before, scaled.after) == ("scale", "bulk", "2", "7")
    assert (undone.action, undone.scope, undone.before, undone.after, undone.reason) == (
        "undo", "a", "on", "off", "calm again")  # fmt: skip
    assert (shed.undone_by, shed.undoable, scaled.undoable, undone.undoable) == (undone.number, False, True, False)
    assert [entry.number for entry in (undone, scaled, shed, drained)] == [4, 3, 2, 1]
    assert world.run(audit.find(3)) == scaled
    assert "@" in operator_name({}) and operator_name({"SUDO_USER": "eva"}).startswith("eva@")


def test_the_oldest_entry_is_found_behind_many(store: Store, redis: Redis) -> None:
    store.run(pools.publish(POOLED))
    commit(store, Scale("bulk", 7), settings=POOLED)
    for number in range(2, 1300):
        redis.xadd(keys.AUDIT, {"number": number, "at_s": 1})
    assert store.run(audit.find(1)).action == "scale"
    with pytest.raises(UsageError, match="no audit entry has number 1300"):
        store.run(audit.find(1300))


def test_an_override_ends_by_itself_without_anybody_running(world: Store, redis: Redis) -> None:
    for action in (SetShed("a", Switch.ON, 900), SetDirection("a", Direction.LIFO, 900), SetPause("a", Switch.ON, 900)):
        commit(world, action, settings=POOLED)
    assert take(world, "a", 1) == []
    verdicts = world.run(admission.admit("a", [mail(number) for number in range(9)]))
    assert [verdict.ok for verdict in verdicts].count(False) == 6
    for what in ("shed", "direction", "pause"):
        redis.hset(keys.control("a"), f"{what}_until", "1000.000")
    (first, *_) = redis.lrange(keys.queue("a"), 0, -1)
    age(redis, [first.decode()], 7200)
    assert [claim.job_id for claim in take(world, "a", 1)] == [first.decode()]
    assert all(verdict.ok for verdict in world.run(admission.admit("a", [mail(number) for number in range(9)])))
    state = world.run(Reader(POOLED).fleet()).queue("a")
    assert state is not None
    assert not any(control.overridden for control in (state.shed, state.direction, state.pause))


def test_a_pools_override_ends_by_itself_too(world: Store, redis: Redis) -> None:
    commit(world, Scale("bulk", 7, for_s=900), settings=POOLED)
    assert _desired(world) == 7
    redis.hset(keys.pool("bulk"), "desired_until", "1000.000")
    assert _desired(world) == 2


def _desired(store: Store) -> int | None:
    pool = store.run(Reader(POOLED).fleet()).pool("bulk")
    assert pool is not None
    return pool.desired


def test_the_policy_is_published_with_the_first_change(store: Store, redis: Redis) -> None:
    put(store, "a", 1)
    assert not redis.exists(keys.policy("a"))
    commit(store, SetPause("a", Switch.ON), settings=POOLED)
    assert redis.hget(keys.policy("a"), "cap") == b"8"


def test_an_address_is_revealed_on_record(world: Store, redis: Redis) -> None:
    (job_id,) = put(world, "a", 1, campaign="reveal")
    address = world.run(Gate(POOLED, OPERATOR).reveal(job_id, reason="case 4711"))
    assert address == mail(0).to
    entry = world.run(audit.recent(1))[0]
    assert (entry.who, entry.action, entry.scope, entry.reason) == (OPERATOR, "reveal", job_id, "case 4711")
    assert address not in entry.after


def test_a_read_only_environment_reveals_nothing(world: Store, redis: Redis) -> None:
    (job_id,) = put(world, "a", 1, campaign="reveal")
    before = everything(redis)
    with pytest.raises(RefusedError, match="read-only"):
        world.run(Gate(with_environment(read_only=True), OPERATOR).reveal(job_id))
    assert everything(redis) == before


def test_what_is_no_mail_of_ours_has_no_address(world: Store) -> None:
    with pytest.raises(UsageError, match="no mail of queuectl"):
        world.run(Gate(POOLED, OPERATOR).reveal("no-such-job"))
