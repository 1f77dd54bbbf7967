"""Limits that all workers share, and what a provider's answers do to them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis
from sink import Sink, smtp_sink
from worker_runs import WorkerProcess, burst, mail_settings, until

from queuectl import MailMessage
from queuectl.policy.shaping import Shape, factor_at
from queuectl.settings import Settings
from queuectl.store import claims, providers
from queuectl.store.admission import admit
from queuectl.store.claims import Claims
from queuectl.store.client import Store
from queuectl.store.connect import open_store
from queuectl.store.providers import Intake, Rate, Route
from queuectl.store.reader import Reader

RATE, BURST, STRETCH = 200, 20, 400


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    with open_store(redis_url) as store:
        yield store


@pytest.fixture
def other_sink() -> Iterator[Sink]:
    with smtp_sink() as sink:
        yield sink


def put(store: Store, queue: str, number: int) -> None:
    store.run(admit(queue, [MailMessage(to=f"u{index}@example.org", text="x") for index in range(number)]))


def take(store: Store, wanted: int, *routes: Route, queue: str = "mail", **more: object) -> Claims:
    intakes = {queue: Intake(routes, **more)}
    return store.run(claims.claim("w", [(queue, wanted)], wanted, lease_s=60, intakes=intakes))


def limited(port: int, **provider: object) -> dict[str, object]:
    settings = mail_settings(port)
    settings["providers"]["default"] |= provider
    return settings


def test_rate_is_kept_and_used_by_several_workers(store: Store, sink: Sink, redis_url: str, redis: Redis):
    """By the receiver's own record. Bound: never above burst + rate × t since the first token. Use: at least 97 % of
    the rate over some two seconds; a machine that has no time for us can spoil any one stretch, but not all."""
    settings = limited(sink.port, rate_per_s=RATE, burst=BURST)
    workers = [WorkerProcess(redis_url, ["mail"], settings, concurrency=20) for _ in range(3)]
    arrivals: list[float] = []
    try:
        for worker in workers:
            worker.ready()
        sink.on_taken = lambda: arrivals.append(time.time())
        seconds, micros = redis.time()
        put(store, "mail", 2000)
        until(lambda: len(arrivals) >= 1000)
    finally:
        for worker in workers:
            worker.kill()
    start_s = seconds + micros / 1e6
    for number, at_s in enumerate(sorted(arrivals), 1):
        assert number <= BURST + RATE * (at_s - start_s) + 1
    arrivals.sort()
    stretches = zip(arrivals[BURST:], arrivals[BURST + STRETCH :], strict=False)
    assert max(STRETCH / (last_s - first_s) for first_s, last_s in stretches) >= 0.97 * RATE


def test_a_claim_gets_what_all_limits_grant(store: Store):
    put(store, "mail", 100)
    route = Route("p", Rate(10, 30))
    granted = take(store, 100, route, rate=Rate(1, 7))
    assert len(granted.jobs) == 7
    assert {claim.provider for claim in granted.jobs} == {"p"}
    assert 0 < granted.wait_s <= 3.0
    assert len(take(store, 100, route, queue="mail").jobs) in (23, 24)
    assert take(store, 100, route).jobs == ()


def test_unused_tokens_are_returned_and_stock_jobs_need_none(store: Store, redis: Redis):
    put(store, "mail", 20)
    intake = Intake((Route("p", Rate(0.001, 5)),), Rate(0.001, 5))
    assert len(take(store, 20, *intake.routes, rate=intake.rate).jobs) == 5
    store.run(providers.return_tokens("mail", intake, "p", 3, Rate()))
    assert len(take(store, 20, *intake.routes, rate=intake.rate).jobs) == 3
    redis.lpush("rq:queue:mail", "stock")
    redis.hset("rq:job:stock", mapping={"data": "x", "origin": "mail", "created_at": "2026-01-01T00:00:00Z"})
    assert [claim.job_id for claim in take(store, 20, *intake.routes, rate=intake.rate).jobs] == ["stock"]


def test_suspended_provider_is_skipped_for_its_fallback_and_probed(store: Store, redis: Redis):
    put(store, "mail", 50)
    first, second = Route("a"), Route("b")
    redis.hset("queuectl:provider:a", mapping={"suspended_until": time.time() + 60, "suspended_for": 300})
    assert {claim.provider for claim in take(store, 5, first, second).jobs} == {"b"}
    assert take(store, 5, first).jobs == ()
    assert len(take(store, 5, Route("a", adaptive=False)).jobs) == 5
    redis.hset("queuectl:provider:a", "suspended_until", time.time() - 1)
    (probe,) = take(store, 5, first).jobs
    assert probe.probe
    assert take(store, 5, first).jobs == ()
    store.run(providers.report("a", [providers.Report(providers.Signal.PASSED, 0.1, probe=True)]))
    assert [claim.probe for claim in take(store, 2, first).jobs] == [False, False]


@pytest.mark.parametrize("minutes", [0, 0.5, 1.5, 2.5, 7.5, 30])
def test_script_and_policy_read_a_factor_alike(store: Store, redis: Redis, minutes: float):
    put(store, "mail", 300)
    held_until_s = time.time() - minutes * 60
    redis.hset("queuectl:provider:p", mapping={"factor": 0.5, "held_until": held_until_s})
    expected = factor_at(Shape(factor=0.5, held_until_s=held_until_s), time.time())
    assert len(take(store, 300, Route("p", Rate(0.001, 200))).jobs) == int(200 * expected + 1e-3)


def test_throttling_halves_the_rate_for_everybody(store: Store, sink: Sink, redis: Redis, redis_url: str):
    sink.refuse |= {f"u{index}@example.org": "421 4.7.0 slow down" for index in range(20)}
    put(store, "mail", 20)
    settings = limited(sink.port, rate_per_s=1000, burst=50)
    burst(redis_url, "mail", settings=settings)
    (state,) = store.run(Reader(Settings.model_validate(settings)).fleet()).providers
    assert (state.condition, state.factor, state.rate_per_s, state.allowed_per_s) == ("held", 0.5, 1000, 500)
    assert state.reason.startswith("421 4.7.0 slow down")
    assert state.used_per_s > 0
    assert state.until_s > time.time()


def test_reputation_suspends_and_mail_takes_the_fallback(
    store: Store, sink: Sink, other_sink: Sink, redis: Redis, redis_url: str
):
    sink.refuse["u0@example.org"] = "554 5.7.1 blocked using spamhaus"
    put(store, "mail", 1)
    settings = limited(sink.port, fallback="spare")
    settings["providers"]["spare"] = {"host": "127.0.0.1", "port": other_sink.port}
    burst(redis_url, "mail", settings=settings)
    until(lambda: float(redis.hget("queuectl:provider:default", "suspended_until") or 0) > time.time())
    put(store, "mail", 10)
    burst(redis_url, "mail", settings=settings)
    assert (sum(sink.taken.values()), sum(other_sink.taken.values())) == (0, 10)
    assert not redis.exists("queuectl:suppressed")


def test_a_dead_server_does_not_churn_the_backlog(store: Store, redis: Redis, redis_url: str, unused_tcp_port: int):
    put(store, "mail", 200)
    worker = WorkerProcess(redis_url, ["mail"], mail_settings(unused_tcp_port), concurrency=10).ready()
    try:
        until(lambda: redis.zcard("rq:scheduled:mail") >= 12)
        assert redis.zcard("rq:scheduled:mail") <= 14
        assert redis.llen("rq:queue:mail") >= 185
    finally:
        worker.kill()


def test_connections_of_all_workers_are_limited(store: Store, shut_sink: Sink, redis: Redis, redis_url: str):
    settings = limited(shut_sink.port, max_connections=3)
    workers = [WorkerProcess(redis_url, ["mail"], settings, concurrency=10).ready() for _ in range(2)]
    try:
        put(store, "mail", 30)
        until(lambda: shut_sink.waiting == 3)
        (state,) = store.run(Reader(Settings.model_validate(settings)).fleet()).providers
        assert (state.connections, state.max_connections) == (3, 3)
        shut_sink.open()
        until(lambda: sum(shut_sink.taken.values()) == 30)
    finally:
        for worker in workers:
            worker.kill()


def test_a_flood_does_not_delay_the_protected_queue(store: Store, shut_sink: Sink, redis: Redis, redis_url: str):
    """The forum's provider hangs with all the slots it may have; security goes through the reserved ones, in order."""
    settings = limited(shut_sink.port)
    settings["providers"]["own"] = {"transport": "null"}
    settings["queues"] = {"security": {"class": "protected", "provider": "own"}}
    worker = WorkerProcess(redis_url, ["forum", "security"], settings, concurrency=20).ready()
    try:
        put(store, "forum", 500)
        until(lambda: shut_sink.waiting == 18)
        for sent in range(1, 101):
            put(store, "security", 1)
            until(lambda sent=sent: redis.hget("queuectl:ledger:security", "delivered") == b"%d" % sent)
            assert redis.llen("rq:queue:forum") == 500 - 18
        assert shut_sink.waiting == 18
    finally:
        worker.kill()


def test_security_is_delivered_before_the_rest_of_a_flood(store: Store, sink: Sink, redis: Redis, redis_url: str):
    """One worker, one provider: of a flood that came first, no more goes before a code than was in flight already, or
    is claimed together with the last code."""
    settings = limited(sink.port)
    settings["queues"] = {"security": {"class": "protected"}}
    settings["worker"] = {"grace_s": 0}
    order: list[str] = []
    sink.answer = lambda address: order.append(address) or ""
    sink.gate.clear()
    worker = WorkerProcess(redis_url, ["forum", "security"], settings, concurrency=20).ready()
    try:
        put(store, "forum", 3000)
        until(lambda: sink.waiting == 18)
        store.run(admit("security", [MailMessage(to=f"code{number}@example.org", text="x") for number in range(20)]))
        until(lambda: sink.waiting == 20)
        sink.open()
        until(lambda: redis.hget("queuectl:ledger:security", "delivered") == b"20")
    finally:
        worker.kill()
    last = max(place for place, address in enumerate(order) if address.startswith("code"))
    forum_before = [address for address in order[:last] if not address.startswith("code")]
    assert len(forum_before) <= 18 + 20


def test_weights_share_the_slots(store: Store, shut_sink: Sink, redis: Redis, redis_url: str):
    settings = limited(shut_sink.port)
    settings["pools"] = {"mixed": {"queues": ["a", "b"], "weights": {"a": 3, "b": 1}}}
    put(store, "a", 100)
    put(store, "b", 100)
    worker = WorkerProcess(redis_url, ["a", "b"], settings, concurrency=20, pool="mixed").ready()
    try:
        until(lambda: shut_sink.waiting == 20)
        assert (redis.zcard("rq:wip:a"), redis.zcard("rq:wip:b")) == (15, 5)
    finally:
        worker.kill()
