"""Samples: what they hold, where they go, whose rates they carry."""

from __future__ import annotations

import json

from daemon_runs import Leader
from redis import Redis

from queuectl import MailMessage, Outbox
from queuectl.daemon.sampler import Sampler, line_of, sample_of
from queuectl.model import QueueSample
from queuectl.store import series


def send(url: str, number: int) -> None:
    with Outbox(url) as outbox:
        list(outbox.enqueue_many("forum", [MailMessage(to="a@example.org", text="Hello")] * number))


async def test_samples_become_history(leader: Leader, redis: Redis, redis_url: str):
    sampler = Sampler()
    for depth in (3, 6, 9):
        send(redis_url, 3)
        fleet = await leader.picture()
        await leader.store.run(sampler.write(fleet, leader.reader.rates, fence=leader.fence))
        assert sample_of(fleet, leader.reader.rates).queues["forum"].depth == depth
    stored = await leader.store.run(series.history(600))
    assert [sample.queues["forum"].depth for sample in stored] == [3, 6, 9]
    assert redis.xlen("queuectl:series:10s") in (1, 2), "one, or two across a multiple of ten seconds"


async def test_rates_are_this_processs_own(leader: Leader, redis: Redis, redis_url: str):
    """The picture carries the rates that a daemon published last; the next sample must not be made of those."""
    send(redis_url, 1)
    await leader.picture()
    redis.set("queuectl:latest", json.dumps({"forum": {"in_per_s": 999.0, "out_per_s": 999.0}}))
    send(redis_url, 1)
    fleet = await leader.picture()
    forum = fleet.queue("forum")
    assert forum and forum.in_per_s == 999.0
    sample = sample_of(fleet, leader.reader.rates).queues["forum"]
    assert sample.out_per_s == 0.0
    assert sample.in_per_s not in (None, 0.0, 999.0)
    await leader.store.run(Sampler().write(fleet, leader.reader.rates, fence=leader.fence))
    published = series.published_rates(redis.get("queuectl:latest"))
    assert published["forum"] == leader.reader.rates["forum"]


async def test_a_line_holds_the_fields_of_a_sample(leader: Leader, redis_url: str):
    send(redis_url, 4)
    sample = sample_of(await leader.picture(), leader.reader.rates)
    line = json.loads(line_of(sample))
    assert line["at_s"] == round(sample.at_s, 3)
    assert QueueSample(*line["queues"]["forum"]) == sample.queues["forum"]
