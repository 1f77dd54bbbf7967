"""Limits beyond a rate: warm-up, new connections, receivers, what the leader publishes, and a dry run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis
from sink import Sink
from worker_runs import WorkerProcess, burst, mail_settings, until

from queuectl import MailMessage
from queuectl.policy.shaping import Signal
from queuectl.settings import ProviderSettings, Settings
from queuectl.settings.limits import ReceiverSettings
from queuectl.store import audit, claims, keys, provider_limits, providers, receivers, reply_counts
from queuectl.store.admission import admit
from queuectl.store.client import Store
from queuectl.store.connect import open_store
from queuectl.store.providers import Intake, Report, Route
from queuectl.store.reader import Reader


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    with open_store(redis_url) as store:
        yield store


def put(store: Store, number: int, domain: str = "example.org", queue: str = "mail") -> None:
    store.run(admit(queue, [MailMessage(to=f"u{index}@{domain}", text="x") for index in range(number)]))


def take(store: Store, wanted: int, *routes: Route) -> list[str]:
    """Claim; whose tokens the messages spent."""
    found = store.run(claims.claim("w", [("mail", wanted)], wanted, lease_s=60, intakes={"mail": Intake(routes)}))
    return [claim.provider for claim in found.jobs]


def provider(**fields: object) -> ProviderSettings:
    return ProviderSettings.model_validate(fields)


def warm(first_day: int, *per_day: int) -> ProviderSettings:
    """A warm-up that began `first_day` days ago."""
    started = datetime.now(UTC).date() - timedelta(days=first_day)
    return provider(warmup={"started": started, "per_day": per_day})


def test_a_day_of_a_warm_up_is_spent_over_all_claims_and_then_the_fallback_is_taken(store: Store):
    put(store, 30)
    new, old = Route.of("new", warm(1, 3, 7)), Route.of("old", provider())
    assert take(store, 5, new, old) == ["new"] * 5
    assert take(store, 5, new, old) == ["new"] * 2
    assert take(store, 5, new, old) == ["old"] * 5
    assert take(store, 5, new) == []
    settings = Settings.model_validate({"providers": {"new": warm(1, 3, 7).model_dump()}})
    (state,) = store.run(Reader(settings).fleet()).providers
    assert (state.today, state.today_most) == (7, 7)
    store.run(providers.return_tokens("mail", Intake((new,)), "new", 2, providers.UNLIMITED))
    assert take(store, 5, new, old) == ["new"] * 2


def test_before_its_first_day_a_provider_gets_nothing_and_after_the_last_what_it_takes(store: Store):
    put(store, 30)
    assert take(store, 5, Route.of("a", warm(-1, 3, 7))) == []
    assert take(store, 9, Route.of("b", warm(2, 3, 7))) == ["b"] * 9


def test_yesterdays_messages_do_not_count_today(store: Store, redis: Redis):
    put(store, 30)
    redis.hset(keys.provider("new"), mapping={"day": int(time.time() // 86400) - 1, "day_used": 7})
    assert take(store, 9, Route.of("new", warm(1, 3, 7))) == ["new"] * 7


def test_what_the_leader_publishes_holds_at_once_and_lapses_with_it(store: Store, redis: Redis):
    put(store, 60)
    old = Route.of("default", provider(rate_per_s=0.001, burst=2))
    assert len(take(store, 9, old)) == 2
    new = {"providers": {"default": {"rate_per_s": 0.001, "burst": 20, "max_connections": 1}}}
    store.run(provider_limits.publish(Settings.model_validate(new)))
    assert len(take(store, 60, old)) == 18
    (state,) = store.run(Reader(Settings()).fleet()).providers
    assert (state.rate_per_s, state.max_connections) == (0.001, 1)
    assert store.run(providers.lease_connection("default", "w:1", 9)).taken
    assert not store.run(providers.lease_connection("default", "w:2", 9)).taken
    redis.hset(keys.provider("default"), "limits_until", time.time() - 1)
    assert store.run(providers.lease_connection("default", "w:2", 9)).taken


def test_a_daemon_whose_settings_name_no_provider_publishes_nothing(store: Store, redis: Redis):
    store.run(provider_limits.publish(Settings()))
    assert not redis.exists(keys.provider("default"))


def test_new_connections_are_spread_over_time_for_all_workers(store: Store):
    leases = [store.run(providers.lease_connection("p", f"w{number}:1", 0, 0.01)) for number in range(3)]
    assert [lease.taken for lease in leases] == [True, False, False]
    assert all(99 < lease.wait_s <= 100 for lease in leases[1:])


def test_mail_goes_on_over_the_first_connection_while_others_have_to_wait(store: Store, sink: Sink, redis_url: str):
    put(store, 40)
    settings = mail_settings(sink.port)
    settings["providers"]["default"]["connections_per_s"] = 0.001
    burst(redis_url, "mail", settings=settings)
    assert sum(sink.taken.values()) == 40
    assert len(sink.peers) == 1


def test_receivers_share_out_what_they_take_and_say_when_to_come_back(store: Store):
    limits = {"gmail": ReceiverSettings(domains=("gmail.com",), rate_per_s=2, burst=5)}
    first = store.run(receivers.grant(limits, [("gmail", 8)]))["gmail"]
    assert [first.delay_s(number) for number in range(5)] == [0.0] * 5
    assert [first.delay_s(number) for number in (5, 6, 7)] == pytest.approx([0.5, 1.0, 1.5], abs=0.1)
    second = store.run(receivers.grant(limits, [("gmail", 1)]))["gmail"]
    assert second.delay_s(0) == pytest.approx(2.0, abs=0.2)
    backlog = store.run(receivers.grant(limits, [("gmail", 100_000)]))["gmail"]
    assert backlog.first_s < receivers.LONGEST_S
    assert store.run(receivers.grant(limits, [("gmail", 1)]))["gmail"].delay_s(0) == pytest.approx(3600, abs=1)


def test_a_receivers_mail_waits_without_an_attempt_and_without_holding_up_the_others(
    store: Store, sink: Sink, redis: Redis, redis_url: str
):
    put(store, 20, "Gmail.com")
    put(store, 20)
    settings = mail_settings(sink.port, receivers={"gmail": {"domains": ["gmail.com"], "rate_per_s": 0.01, "burst": 3}})
    settings["providers"]["default"] |= {"rate_per_s": 1000, "burst": 1000}
    burst(redis_url, "mail", settings=settings, concurrency=50)
    assert sum(sink.taken.values()) == 23
    waiting = redis.zrange("rq:scheduled:mail", 0, -1)
    assert len(waiting) == 17
    assert {redis.hget(keys.job(job_id.decode()), "number_of_retries") for job_id in waiting} == {None}
    ledger = redis.hgetall(keys.ledger("mail"))
    assert (ledger[b"delivered"], ledger[b"handed_back"]) == (b"23", b"17")
    assert b"retried" not in ledger


def complain(store: Store, number: int, signal: Signal, *, dry_run: bool) -> None:
    for _ in range(number):
        store.run(providers.report("default", [Report(signal, 0.0, "421 slow down")], dry_run=dry_run))


def test_a_dry_run_tells_what_it_would_do_and_does_nothing(store: Store, sink: Sink, redis_url: str):
    sink.refuse |= {f"u{index}@example.org": "421 4.7.0 slow down" for index in range(20)}
    put(store, 20)
    settings = mail_settings(sink.port)
    settings["providers"]["default"] |= {"rate_per_s": 1000, "burst": 50, "dry_run": True}
    burst(redis_url, "mail", settings=settings)
    (state,) = store.run(Reader(Settings.model_validate(settings)).fleet()).providers
    assert (state.dry_run, state.condition, state.allowed_per_s, state.factor) == (True, "held", 1000, 1.0)
    (told,) = [entry for entry in store.run(audit.recent()) if entry.action == "shaping"]
    assert (told.scope, told.after) == ("default", "would be at 50% of its rate")
    assert told.reason.startswith("421 4.7.0 slow down")
    put(store, 60)
    route = Route.of("default", Settings.model_validate(settings).providers["default"])
    assert len(take(store, 60, route)) > 25


def test_a_dry_runs_suspension_ends_without_a_probe(store: Store, redis: Redis):
    complain(store, 1, Signal.REPUTATION, dry_run=True)
    settings = Settings.model_validate({"providers": {"default": {"dry_run": True}}})
    assert store.run(Reader(settings).fleet()).providers[0].condition == "suspended"
    redis.hset(keys.provider("default"), "suspended_until", time.time() - 1)
    assert store.run(Reader(settings).fleet()).providers[0].condition == "held"
    complain(store, 1, Signal.REPUTATION, dry_run=True)
    assert store.run(Reader(settings).fleet()).providers[0].condition == "suspended"


def test_real_shaping_is_noted_once_and_stops_what_the_quota_stops(store: Store, sink: Sink, redis_url: str):
    spent = "454 Throttling failure: Daily message quota exceeded."
    sink.refuse |= {f"u{index}@example.org": spent for index in range(9)}
    put(store, 9)
    settings = mail_settings(sink.port)
    settings["providers"]["default"] |= {"rules": "ses"}
    burst(redis_url, "mail", settings=settings)
    (state,) = store.run(Reader(Settings.model_validate(settings)).fleet()).providers
    assert state.condition == "suspended"
    assert 3500 < state.until_s - time.time() <= 3600
    (told,) = [entry for entry in store.run(audit.recent()) if entry.action == "shaping"]
    assert told.after == "suspended"


def test_replies_are_counted_by_the_minute_for_provider_and_queue(store: Store, sink: Sink, redis_url: str):
    sink.refuse |= {"u1@example.org": "550 5.1.1 <u1@example.org> no such user", "u2@example.org": "452 4.2.2 full"}
    sink.refuse |= {"u3@example.org": "452 4.2.2 full", "u4@example.org": "421 4.7.0 slow down"}
    put(store, 10)
    burst(redis_url, "mail", settings=mail_settings(sink.port))
    expected = {"delivered": 6, "failed recipient": 1, "deferred recipient": 2, "throttled": 1}
    for history in (store.run(reply_counts.replies("default", 600)), store.run(reply_counts.replies_of_queue("mail"))):
        assert history.totals == expected
        assert dict(history.texts) == {"550 5.1.1 <…> no such user": 1, "452 4.2.2 full": 2, "421 4.7.0 slow down": 1}
        assert history.texts[0] == ("452 4.2.2 full", 2)
    assert {len(numbers) for numbers in store.run(reply_counts.replies("default", 600)).counts.values()} == {10}
    assert {len(numbers) for numbers in history.counts.values()} == {1440}
    assert time.time() - history.start_s == pytest.approx(1440 * 60, abs=120)
    assert store.run(reply_counts.replies("other")).counts == {}


def test_counts_stand_in_their_minute_and_texts_are_bounded(store: Store, redis: Redis):
    now_s = redis.time()[0]
    ago = now_s // 60 - 90
    redis.hset(keys.replies("provider:p", ago // 60), f"{ago % 60}:throttled", 4)
    texts = {("provider:p", "failed recipient", f"550 text {number}"): 1 for number in range(250)}
    store.run(reply_counts.count(texts))
    history = store.run(reply_counts.replies("p", 7200))
    place = int((ago * 60 - history.start_s) // 60)
    assert history.counts["throttled"][place] == 4
    assert history.totals == {"throttled": 4, "failed recipient": 250}
    assert history.texts[0] == ("(others)", 150)
    assert store.run(reply_counts.replies("p", 3600)).totals == {"failed recipient": 250}
    for key in redis.scan_iter("queuectl:replies:*"):
        assert redis.hlen(key) <= 101


def test_an_idle_worker_helps_with_most_of_its_slots(store: Store, shut_sink: Sink, redis: Redis, redis_url: str):
    settings = mail_settings(shut_sink.port)
    settings["pools"] = {"urgent": {"queues": ["codes"], "helps": ["forum", "digest"]}}
    put(store, 50, queue="digest")
    worker = WorkerProcess(redis_url, ["codes"], settings, concurrency=10, pool="urgent").ready()
    try:
        until(lambda: shut_sink.waiting == 8)
        put(store, 10, queue="codes")
        until(lambda: redis.zcard("rq:wip:codes") == 2)
        assert redis.zcard("rq:wip:digest") == 8
        shut_sink.open()
        until(lambda: sum(shut_sink.taken.values()) == 60)
    finally:
        worker.kill()


def test_own_work_comes_before_help(store: Store, shut_sink: Sink, redis: Redis, redis_url: str):
    settings = mail_settings(shut_sink.port)
    settings["pools"] = {"urgent": {"queues": ["codes"], "helps": ["forum"]}}
    put(store, 50, queue="forum")
    put(store, 50, queue="codes")
    worker = WorkerProcess(redis_url, ["codes"], settings, concurrency=10, pool="urgent").ready()
    try:
        until(lambda: shut_sink.waiting == 10)
        assert redis.zcard("rq:wip:codes") == 10
    finally:
        worker.kill()


def test_strict_order_starves_nobody(store: Store, shut_sink: Sink, redis: Redis, redis_url: str):
    """The low queue's mail has waited for an hour: it gets its twentieth of the slots while the high one has work."""
    settings = mail_settings(shut_sink.port)
    put(store, 2000, queue="high")
    put(store, 100, queue="low")
    for job_id in redis.lrange("rq:queue:low", 0, -1):
        redis.hset(keys.job(job_id.decode()), "created_at", "2020-01-01T00:00:00.000000Z")
    settings["queues"] = {"low": {"target_wait_s": 0.001}, "high": {}}
    worker = WorkerProcess(redis_url, ["high", "low"], settings, concurrency=20).ready()
    try:
        until(lambda: shut_sink.waiting == 20)
        shut_sink.open()
        until(lambda: redis.llen("rq:queue:low") < 100)
        assert redis.llen("rq:queue:high") > 0
    finally:
        worker.kill()
