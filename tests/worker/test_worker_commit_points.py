"""What is noted before a final dot, and what is not sent because it cannot be."""

from __future__ import annotations

import asyncio

import pytest
from redis import Redis

from queuectl import MailMessage
from queuectl.model import ServerError
from queuectl.settings import Settings
from queuectl.store import claims, repair
from queuectl.store.admission import admit
from queuectl.store.claims import Claim
from queuectl.store.client import AsyncStore
from queuectl.store.connect import open_async_store
from queuectl.worker.commit_points import CommitPoints

HOLD = Settings.model_validate({"queues": {"mail": {"on_ambiguous": "hold"}, "forum": {}}})


async def claimed(store: AsyncStore, number: int) -> tuple[Claim, ...]:
    await store.run(admit("mail", [MailMessage(to=f"u{n}@example.org", text="x") for n in range(number)]))
    await store.run(claims.register("w1", ["mail"], {}))
    return (await store.run(claims.claim("w1", [("mail", number)], number, lease_s=60))).jobs


async def passes(points: CommitPoints, claim: Claim) -> None:
    point = points.of(claim)
    assert point is not None
    await point()


async def test_all_that_stand_at_their_final_dot_are_noted_at_once(redis: Redis, redis_url: str) -> None:
    store = await open_async_store(redis_url)
    try:
        jobs = await claimed(store, 600)
        points = CommitPoints(store, HOLD)
        redis.config_resetstat()
        await asyncio.gather(*(passes(points, claim) for claim in jobs))
        assert redis.info("commandstats")["cmdstat_evalsha"]["calls"] <= 3
        assert all(redis.hget(f"rq:execution:{claim.member}", "sent") == b"1" for claim in jobs)
        assert [points.take(jobs[0]), points.take(jobs[0])] == [True, False]
    finally:
        await store.close()


async def test_what_another_worker_has_by_now_is_not_sent(redis: Redis, redis_url: str) -> None:
    store = await open_async_store(redis_url)
    try:
        kept, lost = await claimed(store, 2)
        redis.zrem("rq:wip:mail", lost.member)
        redis.delete(f"rq:execution:{lost.member}")
        points = CommitPoints(store, HOLD)
        results = await asyncio.gather(passes(points, kept), passes(points, lost), return_exceptions=True)
        assert results[0] is None
        assert isinstance(results[1], ServerError)
        assert (points.take(kept), points.take(lost)) == (True, False)
        assert not redis.exists(f"rq:execution:{lost.member}")
    finally:
        await store.close()


async def test_while_the_server_is_away_nothing_passes(own_server) -> None:
    server = own_server()
    store = await open_async_store(server.url)
    try:
        (claim,) = await claimed(store, 1)
        server.kill()
        points = CommitPoints(store, HOLD)
        with pytest.raises(ServerError):
            await passes(points, claim)
        assert not points.take(claim)
    finally:
        await store.close()


async def test_queues_that_send_again_are_asked_nothing(redis_url: str) -> None:
    store = await open_async_store(redis_url)
    try:
        (claim,) = await claimed(store, 1)
        assert CommitPoints(store, Settings()).of(claim) is None
        assert [HOLD.holds_ambiguous(name) for name in ("mail", "forum", "other")] == [True, False, False]
        repaired = await store.run(repair.repair_workers("", dead_after_s=-60, max_losses=3))
        assert [one.requeued for one in repaired] == [1]
    finally:
        await store.close()
