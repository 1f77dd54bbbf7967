"""Read-only, on a real server: every key of every screen is pressed, every panel confirmed, and nothing changes."""

from __future__ import annotations

import os

from redis import Redis
from textual.widgets import Button

from queuectl import MailMessage, Outbox
from queuectl.console.actions import ACTIONS
from queuectl.console.app import ConsoleApp
from queuectl.console.screens.panel import ActionPanel
from queuectl.console.shots import settle
from queuectl.console.store_link import open_link
from queuectl.model import Drain, SetShed, Switch, Target
from queuectl.settings import Settings
from queuectl.store import keys, pools
from queuectl.store.connect import open_store
from queuectl.store.gate import Gate

SCREENS = ("fleet", "queue", "workers", "providers", "jobs", "log")
TREE = {"queues": {"forum": {}}, "pools": {"bulk": {"queues": ["forum"]}}}


def contents(redis: Redis) -> dict[bytes, bytes | None]:
    return {key: redis.dump(key) for key in redis.keys("*")}


def fill(redis_url: str, redis: Redis) -> None:
    """Waiting and failed jobs, and an entry that can be undone."""
    with Outbox(redis_url) as outbox:
        for number in range(6):
            outbox.enqueue("forum", MailMessage(to=f"u{number}@example.org", subject="Hi", text="x"))
    failed = redis.rpop(keys.queue("forum"))
    redis.zadd(keys.registry("failed", "forum"), {failed: 9e9})
    settings = Settings.model_validate(TREE)
    gate = Gate(settings, "ana@mx1")
    with open_store(redis_url) as store:
        store.run(pools.publish(settings))
        for action in (SetShed("forum", Switch.ON), Drain("forum", Target.OVERFLOW, limit=2)):
            preview = store.run(gate.preview(action))
            store.run(gate.commit(preview, reason="", typed=preview.confirm_word))


async def test_no_key_changes_anything(redis_url: str, redis: Redis) -> None:
    fill(redis_url, redis)
    before = contents(redis)
    settings = Settings.model_validate({**TREE, "environment": {"read_only": True}, "console": {"refresh_s": 60}})
    app = ConsoleApp(open_link(redis_url, settings, os.environ), settings)
    refused: set[str] = set()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app)
        for screen in SCREENS:
            for entry in ACTIONS:
                if entry.changes:
                    await app.go("fleet")
                    await app.action_do(screen)
                    await settle(app)
                    await pilot.press(app.keys.by_id[entry.id][0])
                    await settle(app)
                    await pilot.pause()
                    if isinstance(app.screen, ActionPanel):
                        assert app.screen.preview is not None
                        assert "read-only" in app.screen.preview.refusal
                        app.screen.query_one("#confirm", Button).press()
                        await settle(app)
                        await pilot.press("escape")
                        refused.add(entry.id)
    await app.link.close()
    assert refused == {entry.id for entry in ACTIONS if entry.changes} - {"stop"}
    assert contents(redis) == before
