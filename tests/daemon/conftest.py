"""A leader in this process, whose seconds the test counts; and daemons as processes."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "worker"))

from daemon_runs import DaemonProcess, Leader

from queuectl.settings import Settings
from queuectl.store.connect import open_async_store


@pytest.fixture
async def leader(redis_url: str) -> AsyncIterator[Leader]:
    """Holds the lease; `await leader.tick()` is one second of its work."""
    store = await open_async_store(redis_url)
    elected = await Leader.elected(store, Settings())
    yield elected
    await elected.duties.leave()
    await store.close()


@pytest.fixture
def start_daemon(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., DaemonProcess]]:
    """Start daemon processes with a settings file of their own; what still runs at the end of the test is killed."""
    with contextlib.ExitStack() as stack:

        def start(settings: dict[str, Any] | None = None, url: str = redis_url, **options: Any) -> DaemonProcess:
            path = tmp_path / f"settings-{len(list(tmp_path.iterdir()))}.json"
            path.write_text(json.dumps(settings or {}))
            daemon = DaemonProcess(url, path, **options)
            stack.callback(daemon.clear_up)
            return daemon

        yield start
