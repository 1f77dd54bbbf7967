"""Live policies: changed field by field, kept apart from what the settings say, undone, and told of two operators."""

from __future__ import annotations

import pytest
from redis import Redis
from store_world import OPERATOR, commit, everything, mail, put

from queuectl.model import Admission, Direction, Policy, QueueClass, RefusedError, SetPolicy, Switch, Undo, UsageError
from queuectl.policy.decision import ControlName, Decision
from queuectl.settings import Settings
from queuectl.settings.model import QueueSettings
from queuectl.store import admission, audit, automatic, keys, policy_hash, pools
from queuectl.store.changes.facts import of_queue
from queuectl.store.client import Store
from queuectl.store.gate import Gate

SETTINGS = Settings.model_validate({"queues": {"a": {"max_age_s": 3600, "cap": 8, "shed": "auto"}}})


@pytest.fixture
def published(store: Store) -> Store:
    store.run(pools.publish(SETTINGS))
    put(store, "a", 2)
    return store


RESET = SetPolicy("a", tuple((field, None) for field in policy_hash.CHANGEABLE))


def policy(store: Store, settings: Settings = SETTINGS) -> Policy:
    return store.run(of_queue("a", settings)).queue.policy


def change(store: Store, **changes: str | None) -> int:
    return commit(store, SetPolicy("a", tuple(changes.items())), settings=SETTINGS, reason="spike").number


def test_a_change_is_in_force_live_and_audited(published: Store) -> None:
    number = change(published, target_wait_s="30", **{"class": "bulk"})
    found = policy(published)
    assert (found.target_wait_s, found.queue_class, found.max_age_s, found.version) == (30, QueueClass.BULK, 3600, 1)
    assert [(live.field, live.by, live.reason, live.cause) for live in found.live] == [
        ("class", OPERATOR, "spike", number),
        ("target_wait_s", OPERATOR, "spike", number),
    ]
    assert published.run(of_queue("a", SETTINGS)).now_s - found.live[0].since_s < 60
    (entry,) = published.run(audit.recent())
    assert (entry.action, entry.before) == ("policy", "target_wait_s 1m, class normal")
    assert (entry.after, entry.undoable) == ("target_wait_s 30s, class bulk", True)


def test_the_scripts_obey_it_at_once(published: Store) -> None:
    change(published, cap="3", shed="on")
    assert [verdict.admission for verdict in published.run(admission.admit("a", [mail(1), mail(2)]))] == [
        Admission.ACCEPTED, Admission.REFUSED]  # fmt: skip


def test_the_queues_priority_is_that_of_messages_without_one(published: Store, redis: Redis) -> None:
    published.run(automatic.remember("{}", [automatic.Limit("a", 55.0)], fence=""))
    redis.hset(keys.control("a"), "shed_auto", "on")
    change(published, priority="20")
    own, named = published.run(admission.admit("a", [mail(1), mail(2, priority=50)]))
    assert (own.admission, named.admission) == (Admission.SHED, Admission.ACCEPTED)


def test_what_the_settings_say_later_waits_beside_it(published: Store) -> None:
    change(published, cap="99")
    newer = Settings.model_validate({"queues": {"a": {"cap": 20, "target_wait_s": 5}}})
    published.run(pools.publish(newer))
    assert (policy(published).cap, policy(published).target_wait_s) == (99, 5)
    version, rows = published.run(policy_hash.view("a", newer.queues["a"]))
    assert version == 1
    assert [(row.field, row.value, row.origin, row.standing) for row in rows if row.field in ("cap", "objective")] == [
        ("cap", 99, "live", 20), ("objective", "completeness", "default", "completeness")]  # fmt: skip
    change(published, cap=None)
    assert (policy(published).cap, policy(published).live) == (20, ())


def test_a_reset_without_fields_gives_everything_back(published: Store, redis: Redis) -> None:
    before = redis.hgetall(keys.policy("a"))
    change(published, cap="99", shed="off", objective="freshness")
    commit(published, RESET, settings=SETTINGS)
    after = redis.hgetall(keys.policy("a"))
    assert {field: value for field, value in after.items() if field in before} == before
    assert policy(published).live == ()
    assert commit(published, RESET, settings=SETTINGS).done.startswith("nothing to do")


def test_a_queue_that_no_settings_name(store: Store, redis: Redis) -> None:
    put(store, "a", 1)
    bare = Settings()
    commit(store, SetPolicy("a", (("cap", "5"),)), settings=bare)
    assert (policy(store, bare).cap, policy(store, bare).max_age_s) == (5, QueueSettings().max_age_s)
    commit(store, RESET, settings=bare)
    assert redis.hget(keys.policy("a"), "cap") is None
    assert policy(store, bare) == Policy(version=2)


def test_undo_gives_each_field_what_it_had(published: Store, redis: Redis) -> None:
    change(published, cap="50")
    before = redis.hgetall(keys.policy("a"))
    number = change(published, cap="60", max_age_s="60")
    published.run(pools.publish(Settings.model_validate({"queues": {"a": {"max_age_s": 1800, "shed": "auto"}}})))
    commit(published, Undo(number), settings=SETTINGS)
    after = redis.hgetall(keys.policy("a"))
    assert (after[b"cap"], after[b"cap_cause"], after[b"cap_by"]) == (b"50", before[b"cap_cause"], before[b"cap_by"])
    assert (policy(published).max_age_s, b"max_age_s_since" in after) == (1800, False)


def test_undo_is_refused_where_a_field_was_changed_again(published: Store) -> None:
    first = change(published, cap="50", max_age_s="60")
    second = change(published, cap="60")
    with pytest.raises(RefusedError, match=rf"policy of a was changed again by #{second}"):
        commit(published, Undo(first), settings=SETTINGS)
    commit(published, Undo(second), settings=SETTINGS)
    commit(published, Undo(first), settings=SETTINGS)
    assert policy(published).live == ()


def test_the_second_of_two_operators_is_told_which_policy_change_came_first(published: Store, redis: Redis) -> None:
    mine, other = Gate(SETTINGS, OPERATOR), Gate(SETTINGS, "ben@mx2")
    preview = published.run(mine.preview(SetPolicy("a", (("cap", "5"),))))
    published.run(other.commit(published.run(other.preview(SetPolicy("a", (("cap", "6"),)))), reason="less"))
    before = everything(redis)
    with pytest.raises(RefusedError, match=r'a changed meanwhile: ben@mx2 policy cap 8 → cap 6 "less" \(#1\)'):
        published.run(mine.commit(preview))
    stale = SetPolicy("a", (("cap", "5"),), expect_version=0)
    assert published.run(mine.preview(stale)).refusal.startswith("the policy has version 1, not 0: a changed meanwhile")
    assert everything(redis) == before
    commit(published, SetPolicy("a", (("cap", "5"),), expect_version=1), settings=SETTINGS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ((("cap", "0"),), "policy of a: cap = '0': should be greater than or equal to 1"),
        ((("priority", "101"),), "policy of a: priority = '101': should be less than or equal to 100"),
        ((("class", "loud"),), "class = 'loud': should be 'protected', 'normal' or 'bulk'"),
        ((("shed", "maybe"),), "shed = 'maybe': should be 'auto', or should be 'off' or 'on'"),
        ((("max_age", "soon"),), "max_age_s = 'soon': should be a valid number"),
        ((("colour", "red"),), "no field 'colour'; those of a policy are: class, max_age_s"),
        ((("rate_per_s", "5"),), "rate_per_s is not changed live: workers read it from their settings file"),
        ((("cap", "5"), ("cap", None)), "a field is given twice"),
    ],
)
def test_a_bad_change_says_what_is_allowed(
    published: Store, redis: Redis, changes: tuple[tuple[str, str | None], ...], said: str
) -> None:
    before = everything(redis)
    with pytest.raises(UsageError) as error:
        commit(published, SetPolicy("a", changes), settings=SETTINGS)
    assert said in str(error.value)
    assert everything(redis) == before


def test_what_is_no_longer_protected_is_typed(store: Store) -> None:
    guarded = Settings.model_validate({"queues": {"a": {"class": "protected"}}})
    store.run(pools.publish(guarded))
    gate = Gate(guarded, OPERATOR)
    assert store.run(gate.preview(SetPolicy("a", (("class", "bulk"),)))).confirm_word == "a"
    assert store.run(gate.preview(SetPolicy("a", (("cap", "5"),)))).confirm_word == ""


def test_what_automation_decided_ends_with_its_permission(published: Store, redis: Redis) -> None:
    decision = Decision("a", ControlName.SHED, "on", "pressure")
    published.run(automatic.decide(decision, before="off", version="", fence=""))
    published.run(pools.publish(SETTINGS))
    assert redis.hget(keys.control("a"), "shed_auto") == b"on"
    change(published, shed="off")
    assert redis.hget(keys.control("a"), "shed_auto") is None
    published.run(pools.publish(Settings.model_validate({"queues": {"a": {"direction": "auto"}}})))
    change(published, direction="auto", shed="auto")
    published.run(automatic.decide(decision, before="off", version="", fence=""))
    published.run(pools.publish(Settings()))
    published.run(pools.publish(Settings.model_validate({"queues": {"a": {"shed": "off"}}})))
    assert redis.hget(keys.control("a"), "shed_auto") == b"on"


JUNK = [("class", "loud"), ("max_age_s", "old"), ("target_wait_s", "-1"), ("cap", "many"), ("direction", "up"),
        ("shed", "2"), ("objective", ""), ("priority", "1e9"), ("version", "x"), ("cap_since", "?")]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), JUNK)
def test_junk_counts_as_absent_is_told_and_can_be_mended(
    published: Store, redis: Redis, field: str, value: str
) -> None:
    redis.hset(keys.policy("a"), field, value)
    found = policy(published)
    assert (found.cap, found.max_age_s, found.queue_class, found.shed) == (8, 3600, QueueClass.NORMAL, Switch.OFF)
    assert [problem for problem in found.problems if field in problem] or field in ("version", "cap_since")
    assert published.run(admission.admit("a", [mail(7)]))[0].ok
    if field not in ("version", "cap_since"):
        sound = {"class": "bulk", "direction": "lifo", "shed": "on", "objective": "freshness"}.get(field, "9")
        change(published, **{field: sound})
        assert policy(published).problems == ()
        redis.delete(keys.policy("a"))


def test_every_published_field_survives_the_way_into_redis_and_back(store: Store) -> None:
    odd = QueueSettings.model_validate(
        {"class": "protected", "max_age_s": 1234567.125, "target_wait_s": 0.001, "cap": 10**12, "direction": "lifo",
         "shed": "on", "objective": "freshness", "priority": 0}
    )  # fmt: skip
    store.run(pools.publish(Settings(queues={"a": odd})))
    put(store, "a", 1)
    found = policy(store, Settings())
    assert found == odd.policy()
    assert (found.direction, found.max_age_s) == (Direction.LIFO, 1234567.125)
