"""Servers that tests start, kill and start again."""

from __future__ import annotations

import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from redis import Redis

from queuectl import embedded

TEST_SERVER = os.environ.get("QUEUECTL_TEST_SERVER", "")
"""`redis`: run all tests against `redis-server` from PATH instead of the bundled Valkey."""


def server_binary() -> Path | None:
    if TEST_SERVER not in ("", "redis"):
        raise pytest.UsageError(f"QUEUECTL_TEST_SERVER={TEST_SERVER!r}: allowed are 'redis' and nothing")
    found = shutil.which("redis-server") if TEST_SERVER else None
    if TEST_SERVER and not found:
        raise pytest.UsageError("QUEUECTL_TEST_SERVER=redis, but there is no redis-server on PATH")
    return Path(found) if found else None


@dataclass
class OwnServer:
    """A server of one test's own, to kill and start again on the same data."""

    data_dir: Path
    config: dict[str, str] = field(default_factory=dict)
    url: str = ""
    pid: int = 0

    def start(self) -> OwnServer:
        """Start, or start again after `stop` or `kill`; the URL stays the same."""
        server = embedded.start(self.data_dir, binary=server_binary())
        self.url, self.pid = server.url, server.pid
        with Redis.from_url(self.url) as client:
            for name, value in self.config.items():
                client.config_set(name, value)
        return self

    def stop(self) -> None:
        """Leave cleanly; nothing is lost."""
        server = embedded.running(self.data_dir)
        if server:
            server.stop()

    def kill(self) -> None:
        """kill -9, once everything that was answered is in the append-only file (`everysec` may lag behind)."""
        with Redis.from_url(self.url) as client:
            while any(client.info("persistence")[name] for name in ("aof_buffer_length", "aof_pending_bio_fsync")):
                time.sleep(0.005)
        self.crash()

    def crash(self) -> None:
        """kill -9 now; returns when it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert embedded.running(self.data_dir) is None
