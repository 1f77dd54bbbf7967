"""What a message costs the server in calls of its clients, not counting what scripts do inside."""

from __future__ import annotations

from typing import Any

import pytest
from redis import Redis
from sink import Sink
from worker_runs import burst, mail_settings

from queuectl.store.client import AsyncStore, Call

MESSAGES = 60
MOST_CALLS = 4


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Every call that workers of this process make from now on."""
    made: list[Call] = []
    execute = AsyncStore._execute

    async def noted(self: AsyncStore, wanted: tuple[Call, ...]) -> list[Any]:
        made.extend(wanted)
        return await execute(self, wanted)

    monkeypatch.setattr(AsyncStore, "_execute", noted)
    return made


@pytest.mark.parametrize("concurrency", [1, 20])
def test_a_message_costs_no_more_than_four_calls(
    send, sink: Sink, redis: Redis, redis_url: str, calls: list[Call], concurrency: int
):
    settings = mail_settings(sink.port)
    burst(redis_url, "mail", settings=settings, concurrency=concurrency)
    idle = len(calls)
    calls.clear()
    send(*(f"u{number}@example.org" for number in range(MESSAGES)))
    burst(redis_url, "mail", settings=settings, concurrency=concurrency)
    assert len(sink.taken) == MESSAGES
    assert 0 < len(calls) - idle <= MOST_CALLS * MESSAGES
    assert redis.zcard("rq:wip:mail") == 0
