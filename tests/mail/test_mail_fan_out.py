"""Events fanned out to messages over several queues: real settings files, real templates, a real server."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from queuectl import AsyncOutbox, Event, Outbox
from queuectl.mail.templates import read_template
from queuectl.model import Admission, Published, QueueClass, UsageError
from queuectl.settings import Settings, load
from queuectl.store import keys, suppression
from queuectl.store.connect import open_store

ROUTES = """
[delivery]
template_dir = "{folder}"

[queues.order]
class = "protected"

[[routes."order.shipped"]]
queue = "order"
template = "shipped.txt"
recipient = "customer.email"
ordering_key = "order.id"

[[routes."order.shipped"]]
queue = "watchers"
class = "bulk"
template = "watch.txt"
recipient = "watchers"

[[routes.default]]
queue = "office"
template = "unknown.txt"
to = "office@shop.example"
"""
TEMPLATES = {
    "shipped.txt": "Subject: Order {{ order.id }} is on its way\n\nDear {{ name }}\n",
    "watch.txt": "Subject: {{ name }} gets a parcel\n\nHello {{ first }}\n",
    "unknown.txt": "Subject: What is {{ event.kind }}?\n\nEvent {{ event.id }}\n",
}
ANA = {"to": "ana@example.org", "first": "Ana"}
BEN = {"to": "ben@example.org", "first": "Ben"}


@pytest.fixture
def routes(tmp_path: Path) -> Callable[..., Settings]:
    for name, text in TEMPLATES.items():
        (tmp_path / name).write_text(text)

    def read(text: str = ROUTES) -> Settings:
        path = tmp_path / "queuectl.toml"
        path.write_text(text.replace("{folder}", str(tmp_path)))
        return load(config=path, environ={}).settings

    return read


def shipped(number: int = 1, watchers: Any = (ANA, BEN), **data: Any) -> Event:
    return Event(kind="order.shipped", event_id=f"shipped-{number}", data={
        "name": "Cleo", "customer": {"email": "cleo@example.org"}, "order": {"id": 17}, "watchers": watchers,
        "secret": "stays out", **data,
    })  # fmt: skip


def verdicts(published: list[Published]) -> list[tuple[str, str, str]]:
    return [(one.queue, one.to, str(one.verdict.admission)) for one in published]


def stored(redis: Redis, published: Published) -> dict[str, Any]:
    """The message in the job's record."""
    data = redis.hget(keys.job(published.verdict.job_id), "data")
    return json.loads(zlib.decompress(data))[2][0]


def ledger(redis: Redis, queue: str) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in redis.hgetall(keys.ledger(queue)).items()}


def test_an_event_becomes_a_mail_for_everyone_its_routes_name(routes, redis: Redis, redis_url: str, tmp_path: Path):
    with Outbox(redis_url, routes()) as outbox:
        published = outbox.publish(shipped())
    assert verdicts(published) == [
        ("order", "cleo@example.org", "accepted"),
        ("watchers", "ana@example.org", "accepted"),
        ("watchers", "ben@example.org", "accepted"),
    ]
    to_cleo, _, to_ben = (stored(redis, one) for one in published)
    template = read_template(tmp_path / "shipped.txt")
    assert to_cleo == {"to": "cleo@example.org", "template": template.template_id, "ordering_key": "17",
                       "params": {"name": "Cleo", "order": {"id": 17}}}  # fmt: skip
    assert to_ben["params"] == {"name": "Cleo", "first": "Ben"}
    assert redis.exists(keys.template(template.template_id))
    assert (redis.llen("rq:queue:order"), redis.llen("rq:queue:watchers")) == (1, 2)
    assert ledger(redis, "watchers") == {"accepted": 2}


def test_a_rerun_sends_nobody_twice_even_after_delivery(routes, redis: Redis, redis_url: str):
    with Outbox(redis_url, routes()) as outbox:
        first = outbox.publish(shipped())
        for one in first:
            redis.delete(keys.job(one.verdict.job_id))
        again = outbox.publish(shipped(watchers=[ANA, BEN, {"to": "Dora@example.org", "first": "Dora"}]))
        other = outbox.publish(shipped(2))
    assert [one.verdict.admission for one in again] == [Admission.DUPLICATE] * 3 + [Admission.ACCEPTED]
    assert [one.verdict.job_id for one in again[:3]] == [one.verdict.job_id for one in first]
    assert {one.verdict.admission for one in other} <= {Admission.ACCEPTED, Admission.HELD}


def test_events_are_remembered_from_one_week_to_the_next(routes, redis: Redis, redis_url: str):
    with Outbox(redis_url, routes()) as outbox:
        (*_, last) = outbox.publish(shipped())
        redis.delete(keys.job(last.verdict.job_id))
        weeks = {name.decode().rpartition(":")[2] for name in redis.scan_iter("queuectl:events:*")}
        assert len(weeks) == 1
        for name in redis.scan_iter("queuectl:events:*"):
            bucket, _, week = name.decode().rpartition(":")
            assert redis.object("encoding", name) == b"intset"
            assert 7 * 86400 < redis.ttl(name) <= 14 * 86400
            redis.rename(name, f"{bucket}:{int(week) - 1}")
        assert outbox.publish(shipped())[-1].verdict.admission is Admission.DUPLICATE
        for name in redis.scan_iter("queuectl:events:*"):
            redis.delete(name)
        assert outbox.publish(shipped())[-1].verdict.admission is Admission.ACCEPTED


def test_all_of_it_is_one_round_trip(routes, redis_url: str):
    with Outbox(redis_url, routes()) as outbox:
        trips: list[int] = []
        execute = outbox._store._execute
        outbox._store._execute = lambda calls: (trips.append(len(calls)), execute(calls))[1]
        outbox.publish(shipped())
        outbox.publish(shipped(2))
    assert trips == [1, 4, 1, 2], "the suppression list, then two templates and two queues; then no template any more"


def test_unknown_kinds_go_to_the_default_route_and_are_counted(routes, redis: Redis, redis_url: str):
    event = Event(kind="parcel.lost", event_id="9")
    with Outbox(redis_url, routes()) as outbox:
        (published,) = outbox.publish(event)
        outbox.publish(event)
        outbox.publish(shipped())
    assert (published.queue, published.to) == ("office", "office@shop.example")
    assert stored(redis, published)["params"] == {"event": {"kind": "parcel.lost", "id": "9"}}
    assert ledger(redis, "office") == {"accepted": 1, "unrouted": 1, "duplicates": 1}
    assert "unrouted" not in ledger(redis, "order")


def test_recipients_that_get_nothing(routes, redis: Redis, redis_url: str):
    with open_store(redis_url) as store:
        store.run(suppression.add([(suppression.digest("ben@example.org"), "bounced")]))
    with Outbox(redis_url, routes()) as outbox:
        found = outbox.publish(shipped(watchers=[{"to": "no address", "first": "X"}, BEN, ANA]))
        assert verdicts(found) == [("watchers", "no address", "invalid"), ("order", "cleo@example.org", "accepted"),
                                   ("watchers", "ben@example.org", "suppressed"),
                                   ("watchers", "ana@example.org", "accepted")]  # fmt: skip
        for nobody in ([], None, ""):
            assert [one.queue for one in outbox.publish(shipped(7, watchers=nobody))] == ["order"]
    assert ledger(redis, "watchers") == {"accepted": 1, "suppressed": 1}


async def test_the_asyncio_outbox_does_the_same(routes, redis: Redis, redis_url: str):
    async with AsyncOutbox(redis_url, routes()) as outbox:
        first, second = await asyncio.gather(outbox.publish(shipped(1)), outbox.publish(shipped(2)))
    assert sorted(str(one.verdict.admission) for one in first + second) == ["accepted"] * 5 + ["held"]


def test_routes_from_the_settings_file_named_by_the_environment(routes, redis_url: str, tmp_path: Path, monkeypatch):
    routes()
    monkeypatch.setenv("QUEUECTL_CONFIG", str(tmp_path / "queuectl.toml"))
    with Outbox(redis_url) as outbox:
        assert len(outbox.publish(shipped())) == 3


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (shipped(customer={}), "order.shipped: no field 'customer.email' in its data, which should hold the recipient"),
        (shipped(order="17"), "no field 'order.id' in its data, which should hold the ordering key"),
        (shipped(watchers=[7]), "watchers holds int; a recipient is an address or a table with `to`"),
        (
            shipped(watchers=["ana@example.org"]),
            "template watch.txt uses first, which its data does not have; there are: ",
        ),
    ],
)
def test_an_event_that_lacks_something_is_refused_whole(routes, redis: Redis, redis_url: str, event: Event, words: str):
    with Outbox(redis_url, routes()) as outbox, pytest.raises(UsageError) as caught:
        outbox.publish(event)
    assert words in str(caught.value)
    assert not redis.exists("rq:queue:order", "rq:queue:watchers")


def test_without_a_default_route_an_unknown_kind_is_an_error(routes, redis_url: str):
    settings = routes(ROUTES[: ROUTES.index("[[routes.default]]")])
    with Outbox(redis_url, settings) as outbox, pytest.raises(UsageError) as caught:
        outbox.publish(Event(kind="parcel.lost", event_id="9"))
    assert (
        str(caught.value)
        == "no route for events of kind 'parcel.lost', and no [[routes.default]]; known: order.shipped"
    )


def test_a_template_that_is_not_there(routes, redis_url: str, tmp_path: Path):
    (tmp_path / "watch.txt").unlink()
    with Outbox(redis_url, routes()) as outbox, pytest.raises(UsageError, match=r"watch\.txt: No such file"):
        outbox.publish(shipped())


def test_a_route_describes_a_queue_that_the_settings_do_not(routes):
    settings = routes()
    assert settings.queues["watchers"].queue_class is QueueClass.BULK
    assert settings.queues["order"].queue_class is QueueClass.PROTECTED
    assert set(settings.routes) == {"order.shipped", "default"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("to = ", "# "), "routes.default.0"),
        (('recipient = "watchers"', 'recipient = "watchers"\nto = "a@example.org"'), "either `recipient`"),
        (('"shipped.txt"', '"shipped.txt"\nclass = "bulk"'), "class = 'bulk', but queue order has 'protected'"),
        (
            ('"shipped.txt"', '"shipped.txt"\nprovider = "ses"'),
            "order.shipped: provider = 'ses': no such provider; known: default",
        ),
        (('class = "bulk"', 'provider = "ses"'), "order.shipped: provider = 'ses': no such provider; known: default"),
        (
            ('ordering_key = "order.id"', 'ordering-key = "order.id"'),
            "allowed here: class, ordering_key, provider, queue",
        ),
        (('"watchers"\nclass', '"wat chers"\nclass'), "String should match pattern"),
    ],
)
def test_routes_that_cannot_be(routes, tmp_path: Path, change: tuple[str, str], words: str):
    with pytest.raises(UsageError) as caught:
        routes(ROUTES.replace(*change))
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "queuectl.toml"))
