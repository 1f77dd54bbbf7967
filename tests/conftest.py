"""What all tests share: a real server, and an environment free of the developer's own settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from servers import OwnServer

from queuectl import embedded

FOREIGN = ("QUEUECTL_", "REDIS_URL", "RQ_", "TEXTUAL", "NO_COLOR", "COLORTERM", "FORCE_COLOR", "CLICOLOR", "COLUMNS",
           "LINES", "LANG", "LC_", "XDG_", "SSH_")  # fmt: skip

KEPT = {"QUEUECTL_TEST_SERVER", "TEXTUAL_SNAPSHOT_TEMPDIR"}
"""Ours, and the one by which pytest-textual-snapshot's processes find each other under xdist."""

for _name in [name for name in os.environ if name.startswith(FOREIGN) and name not in KEPT]:
    # At import: Textual reads its variables when it is imported, before any fixture runs.
    del os.environ[_name]


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the developer's files."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.delenv("QUEUECTL_TEST_SERVER", raising=False)
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (("CONFIG_HOME", ".config"), ("DATA_HOME", "data"), ("CACHE_HOME", ".cache"),
                         ("STATE_HOME", "state"), ("RUNTIME_DIR", "run")):  # fmt: skip
        monkeypatch.setenv(f"XDG_{name}", str(home / folder))


@pytest.fixture(scope="session")
def server_base() -> Iterator[Path]:
    """Where servers keep their data: in memory where the system can, so that no test waits for a disk."""
    memory = Path("/dev/shm")
    base = Path(tempfile.mkdtemp(prefix="queuectl-", dir=memory if os.access(memory, os.W_OK) else None))
    yield base
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def shared_server(server_base: Path) -> Iterator[OwnServer]:
    """One server a test process; each test gets it empty through `redis_url`."""
    server = OwnServer(server_base / "shared", {"appendonly": "no"}).start()
    yield server
    server.crash()


@pytest.fixture
def redis_url(shared_server: OwnServer) -> str:
    """URL of a server that is empty at the start of the test."""
    with Redis.from_url(shared_server.url) as client:
        client.flushall()
    return shared_server.url


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """A client (bytes, not text) on the empty server."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def own_server(server_base: Path) -> Iterator[Callable[..., OwnServer]]:
    """Make servers of the test's own: `own_server()`, with settings as in `own_server(maxmemory="20mb")`."""
    servers: list[OwnServer] = []

    def make(**config: str) -> OwnServer:
        data_dir = Path(tempfile.mkdtemp(prefix="own-", dir=server_base))
        server = OwnServer(data_dir, {name.replace("_", "-"): value for name, value in config.items()}).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        running = embedded.running(server.data_dir)
        if running:
            server.pid = running.pid
            server.crash()
