"""The console's link on a real server: observing without a trace, leading after the first action, reading on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from redis import Redis
from rq import Queue

from queuectl import MailMessage, Outbox
from queuectl.console.store_link import StoreLink, open_link
from queuectl.mail.templates import make_template
from queuectl.model import Direction, Drain, RefusedError, SetDirection, Target
from queuectl.settings import Settings


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[StoreLink]:
    opened = open_link(redis_url, Settings(), os.environ)
    yield opened
    await opened.close()


def contents(redis: Redis) -> dict[bytes, bytes | None]:
    return {key: redis.dump(key) for key in redis.keys("*")}


async def until(condition: Callable[[], object]) -> None:
    """Poll the condition; the test's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.02)


async def looked(link: StoreLink, seen: Callable[[object], bool]) -> None:
    while not seen(await link.fleet()):
        await asyncio.sleep(0.1)


async def test_attaching_to_stock_queues_writes_nothing(link: StoreLink, redis: Redis) -> None:
    for number in range(20):
        Queue("legacy", connection=redis).enqueue(print, number)
    before = contents(redis)
    fleet = await link.fleet()
    await until(link._child.samples)  # the observing child has taken its first picture
    fleet = await link.fleet()
    assert link.daemon == "observing"
    assert [(queue.name, queue.depth, queue.assisted) for queue in fleet.queues] == [("legacy", 20, True)]
    assert (await link.history(60))[-1].queues["legacy"].depth == 20
    await link.preview(Drain("legacy", Target.OVERFLOW))
    assert len(await link.jobs("legacy", "queued", 0, 5)) == 5
    assert contents(redis) == before


async def test_the_first_action_makes_the_observer_the_daemon(link: StoreLink, redis: Redis) -> None:
    jobs = [Queue("legacy", connection=redis).enqueue(print, number) for number in range(20)]
    await link.fleet()
    await until(link._child.samples)
    outcome = await link.commit(await link.preview(Drain("legacy", Target.OVERFLOW)), reason="test", typed="")
    assert outcome.number == 1
    await looked(link, lambda fleet: fleet.leader is not None and fleet.queue("legacy").overflow == 20)
    assert link.daemon == "child"
    assert not any(job.exists(job.id, redis) for job in jobs)
    events = await link.audit(10)
    assert [(entry.action, entry.scope, entry.reason) for entry in events] == [("drain", "legacy", "test")]


async def test_claim_order_follows_the_direction(link: StoreLink, redis_url: str) -> None:
    with Outbox(redis_url) as outbox:
        ids = [outbox.enqueue("forum", MailMessage(to=f"p{n}@example.org", text="x")).job_id for n in range(5)]
    await link.fleet()
    assert [job.job_id for job in await link.jobs("forum", "queued", 0, 5)] == ids
    await link.commit(await link.preview(SetDirection("forum", Direction.LIFO)), reason="", typed="")
    await link.fleet()
    assert [job.job_id for job in await link.jobs("forum", "queued", 0, 3)] == ids[::-1][:3]


async def test_the_second_of_two_operators_is_told(redis_url: str, link: StoreLink) -> None:
    with Outbox(redis_url) as outbox:
        outbox.enqueue("forum", MailMessage(to="p@example.org", text="x"))
    shown = await link.preview(SetDirection("forum", Direction.LIFO))
    other = open_link(redis_url, Settings(), {**os.environ, "QUEUECTL_OPERATOR": "ben"})
    await other.commit(await other.preview(Drain("forum", Target.OVERFLOW)), reason="make room", typed="")
    await other.close()
    with pytest.raises(RefusedError, match=r"forum changed meanwhile: ben@\S+ drain .* \"make room\" \(#1\)"):
        await link.commit(shown, reason="", typed="")


async def test_jobs_of_every_list_and_a_sample_are_read(link: StoreLink, redis: Redis, redis_url: str) -> None:
    template = make_template("Hello {{ name }}", "Dear {{ name }}, write to us@example.org")
    with Outbox(redis_url) as outbox:
        outbox.store_template(template)
        for number in range(4):
            message = MailMessage(to=f"u{number}@example.org", template=template.template_id, params={"name": "Ada"})
            outbox.enqueue("forum", message)
    await link.fleet()
    await link.commit(await link.preview(Drain("forum", Target.OVERFLOW, limit=2)), reason="", typed="")
    while len(packed := await link.jobs("forum", "overflow", 0, 5)) < 2:
        await link.fleet()
        await asyncio.sleep(0.1)
    waiting = await link.jobs("forum", "queued", 0, 5)
    for job in (packed[0], waiting[0]):
        detail = await link.job(job.job_id, "forum", job.state)
        assert detail.text == "Dear Ada, write to u…@example.org"
    samples = await link.samples("forum")
    assert (samples.depth, [job.domain for job in samples.waiting]) == (2, ["example.org"] * 2)


async def test_an_action_shown_on_one_server_is_not_done_on_another(link: StoreLink, redis: Redis) -> None:
    Queue("legacy", connection=redis).enqueue(print, 1)
    await link.fleet()
    shown = await link.preview(Drain("legacy", Target.OVERFLOW))
    assert shown.server == redis.info("server")["run_id"]
    with pytest.raises(RefusedError, match="another server answers here"):
        await link.commit(replace(shown, server="0" * 40), reason="", typed="")
    assert redis.llen("rq:queue:legacy") == 1


async def test_the_observer_leaves_when_a_daemon_leads(link: StoreLink, redis: Redis, redis_url: str) -> None:
    Queue("legacy", connection=redis).enqueue(print, 1)
    await link.fleet()
    await until(link._child.samples)
    other = open_link(redis_url, Settings(), os.environ)
    await other.fleet()
    await until(other._child.samples)
    await other.commit(await other.preview(Drain("legacy", Target.OVERFLOW)), reason="", typed="")
    await looked(link, lambda fleet: fleet.leader is not None)
    assert (link.daemon, link._child.alive) == ("remote", False)
    while not (found := await link.history(60)) or found[-1].queues["legacy"].overflow != 1:
        await asyncio.sleep(0.1)  # from the leader's series now
    await other.close()


async def test_how_long_a_picture_takes_and_what_the_clocks_differ_is_measured(link: StoreLink) -> None:
    server = (await link.fleet()).server
    assert server.run_id
    assert server.round_trip_s is not None
    assert server.round_trip_s > 0
    assert server.clock_ahead_s is not None
    assert abs(server.clock_ahead_s) < 5
