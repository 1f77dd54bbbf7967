"""Servers that are away, locked, or something else: one line and exit 4. What doctor says of one that is there."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_runs import Cli
from redis import Redis

from queuectl import embedded

Fill = Callable[[str, int], list[str]]


@pytest.fixture
def listener() -> Iterator[Callable[[bytes], str]]:
    """Something that accepts connections, and answers each with the same bytes: host:port."""
    sockets: list[socket.socket] = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)
        threading.Thread(target=_answer_all, args=(server, answer), daemon=True).start()
        return f"127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in sockets:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _answer_all(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with client:
            client.recv(4096)
            client.sendall(answer)


def test_no_server(cli: Cli) -> None:
    for argv in (["status"], ["jobs", "forum"], ["shed", "forum", "on", "--yes"], ["undo", "1"]):
        result = cli(*argv, QUEUECTL_URL="redis://127.0.0.1:1")
        assert result.code == 4
        assert result.err.startswith("queuectl: redis://127.0.0.1:1: no server: ")
        assert len(result.err.splitlines()) == 1


def test_an_address_that_is_none(cli: Cli) -> None:
    for url in ("http://localhost", "localhost:6379", "redis+sentinel://h1"):
        assert cli("status", QUEUECTL_URL=url).code == 2


def test_no_embedded_server_is_not_started_by_looking(cli: Cli, tmp_path: Path) -> None:
    result = cli("status", QUEUECTL_URL="")
    assert (result.code, result.out) == (4, "")
    assert "start one with `queuectl` or `queuectl demo`, or name one with --url" in result.err
    assert list(tmp_path.iterdir()) == []


def test_an_embedded_server_that_runs_is_used(cli: Cli, own_server: Callable[[], object]) -> None:
    server = own_server()
    data_dir = str(server.data_dir)  # type: ignore[attr-defined]
    shown = cli("status", "--json", QUEUECTL_URL="", QUEUECTL_SERVER__DATA_DIR=data_dir)
    assert shown.code == 0
    running = embedded.running(Path(data_dir))
    assert running
    assert json.loads(shown.out)["server"]["address"] == running.url


def test_wrong_password_is_told_and_never_shown(cli: Cli, tcp_server: Callable[..., str]) -> None:
    address = tcp_server("--requirepass", "right")
    wrong = cli("status", QUEUECTL_URL=f"redis://:s3cret@{address}/0")
    assert wrong.code == 4
    assert "password" in wrong.err
    assert "s3cret" not in wrong.err
    missing = cli("status", QUEUECTL_URL=f"redis://{address}/0")
    assert (missing.code, "password" in missing.err) == (4, True)
    assert cli("status", QUEUECTL_URL=f"redis://:right@{address}/0").code == 0


def test_a_user_who_may_not(cli: Cli, tcp_server: Callable[..., str]) -> None:
    address = tcp_server("--user", "guest", "on", ">pw", "~*", "+ping", "+client")
    result = cli("status", QUEUECTL_URL=f"redis://guest:pw@{address}/0")
    assert (result.code, "may not do that" in result.err) == (4, True)


def test_tls_refused(cli: Cli, tcp_server: Callable[..., str], listener: Callable[[bytes], str]) -> None:
    result = cli("status", QUEUECTL_URL=f"rediss://{tcp_server()}/0", QUEUECTL_SERVER__TIMEOUT_S="0.5")
    assert (result.code, "TLS was refused" in result.err) == (4, True)
    answered = cli("status", QUEUECTL_URL=f"rediss://{listener(b'-ERR unknown command')}/0")
    assert (answered.code, "TLS was refused" in answered.err) == (4, True)


def test_a_server_of_another_kind(cli: Cli, listener: Callable[[bytes], str]) -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mx.example.org ESMTP\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"):
        result = cli("status", QUEUECTL_URL=f"redis://{listener(answer)}/0")
        assert result.code == 4
        assert "not a Redis or Valkey server" in result.err
        assert len(result.err.splitlines()) == 1


def test_a_listener_that_hangs_up(cli: Cli, listener: Callable[[bytes], str]) -> None:
    result = cli("status", QUEUECTL_URL=f"redis://{listener(b'')}/0")
    assert (result.code, len(result.err.splitlines())) == (4, 1)


def test_a_listener_that_says_nothing(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        result = cli("status", QUEUECTL_URL=url, QUEUECTL_SERVER__TIMEOUT_S="0.2")
    assert (result.code, len(result.err.splitlines())) == (4, 1)


def checks(cli: Cli, **extra: str) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(cli("doctor", "--json", **extra).out)["checks"]}


def test_doctor_of_a_good_server(cli: Cli, tcp_server: Callable[..., str]) -> None:
    address = tcp_server("--appendonly", "yes", "--maxmemory", "1gb", "--hash-max-listpack-value", "1024")
    result = cli("doctor", QUEUECTL_URL=f"redis://{address}/0")
    assert result.code == 0
    found = checks(cli, QUEUECTL_URL=f"redis://{address}/0")
    good = {"server", "version", "eviction", "memory", "records", "persistence", "clock", "workers", "ledger",
            "scheduled", "policies"}  # fmt: skip
    assert {name for name in good if found[name]["level"] != "ok"} == set()
    assert found["daemon"]["level"] == "warn"


def test_doctor_finds_what_loses_mail(cli: Cli, tcp_server: Callable[..., str]) -> None:
    address = tcp_server("--appendonly", "no", "--maxmemory-policy", "allkeys-lru", "--hash-max-listpack-value", "64")
    url = f"redis://{address}/0"
    assert cli("doctor", QUEUECTL_URL=url).code == 1
    found = checks(cli, QUEUECTL_URL=url)
    assert {name for name, check in found.items() if check["level"] == "bad"} == {"eviction", "persistence"}
    assert "noeviction" in found["eviction"]["advice"]
    assert "appendonly yes" in found["persistence"]["advice"]
    assert "hash-max-listpack-value 1024" in found["records"]["advice"]


def test_doctor_of_a_fleet_in_trouble(cli: Cli, fill: Fill, redis: Redis) -> None:
    ids = fill("forum", 3)
    redis.delete(f"rq:job:{ids[0]}")
    redis.lrem("rq:queue:forum", 1, ids[0])
    redis.set("rq:suspended", "1")
    redis.zadd("rq:scheduled:forum", {"later": 4e9})
    found = checks(cli)
    redis.delete("rq:suspended")
    assert {name for name, check in found.items() if check["level"] == "bad"} >= {"workers", "suspended", "scheduled"}
    assert found["workers"]["advice"] == "queuectl worker forum"
    assert found["policies"]["level"] == "warn"


def test_doctor_counts_a_missing_message(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 3)
    redis.lpop("rq:queue:forum")
    assert checks(cli)["ledger"]["text"] == "does not add up: forum +1"


def test_doctor_knows_a_stock_scheduler(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 3)
    redis.set("rq:scheduler-lock:forum", "4711")
    assert "a stock RQ scheduler promotes forum" in checks(cli)["scheduled"]["text"]


def test_doctor_where_config_is_forbidden(cli: Cli, tcp_server: Callable[..., str]) -> None:
    address = tcp_server("--user", "hosted", "on", ">pw", "~*", "+@all", "-config")
    found = checks(cli, QUEUECTL_URL=f"redis://hosted:pw@{address}/0")
    assert (found["records"]["level"], "not allowed" in found["records"]["text"]) == ("warn", True)


def test_doctor_without_a_server_still_looks_around(cli: Cli) -> None:
    result = cli("doctor", "--json", QUEUECTL_URL="redis://127.0.0.1:1")
    assert result.code == 4
    names = {check["name"]: check["level"] for check in json.loads(result.out)["checks"]}
    assert names["server"] == "bad"
    assert {"settings", "locale", "colours"} <= names.keys()


def test_doctor_names_the_settings_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("")
    assert checks(cli, QUEUECTL_CONFIG=str(path))["settings"] == {
        "name": "settings", "level": "ok", "text": str(path), "advice": ""}  # fmt: skip


class TestOverflowServer:
    """What doctor says of the second server."""

    def check(self, cli: Cli, **extra: str) -> dict[str, str]:
        checks = json.loads(cli("doctor", "--json", **extra).out)["checks"]
        return next((check for check in checks if check["name"] == "overflow"), {})

    def test_none_is_nothing_to_say(self, cli: Cli) -> None:
        assert self.check(cli) == {}

    def test_one_that_is_there(self, cli: Cli, fill: Fill, tcp_server: Callable[..., str]) -> None:
        away = {"QUEUECTL_SERVER__OVERFLOW_URL": f"redis://{tcp_server('--appendonly', 'yes')}"}
        fill("forum", 1200)
        assert cli("drain", "forum", "--to", "overflow", "--yes", **away).code == 0
        found = self.check(cli, **away)
        assert (found["level"], found["text"]) == ("ok", "the overflow server keeps 1,200 messages")
        unnamed = self.check(cli)
        assert (unnamed["level"], "1,200 messages are kept on an overflow server" in unnamed["text"]) == ("bad", True)
        assert "server.overflow_url" in unnamed["advice"]

    def test_one_that_forgets_or_is_away(self, cli: Cli, tcp_server: Callable[..., str]) -> None:
        forgetful = self.check(cli, QUEUECTL_SERVER__OVERFLOW_URL=f"redis://{tcp_server()}")
        assert (forgetful["level"], forgetful["text"][-23:]) == ("bad", "and no append-only file")
        gone = self.check(cli, QUEUECTL_SERVER__OVERFLOW_URL="redis://:hunter2@127.0.0.1:1")
        assert gone["level"] == "bad"
        assert gone["text"].startswith("the overflow server: no server: ")
        assert "hunter2" not in str(gone)
        assert "hunter2" not in cli("config", "show", QUEUECTL_SERVER__OVERFLOW_URL="redis://:hunter2@h:1").out

    def test_a_drain_that_it_stops_has_failed(self, cli: Cli, fill: Fill, redis: Redis) -> None:
        fill("forum", 30)
        away = {"QUEUECTL_SERVER__OVERFLOW_URL": "redis://127.0.0.1:1"}
        stopped = cli("drain", "forum", "--to", "overflow", "--yes", **away)
        assert (stopped.code, "(stopped: the overflow server: no server: " in stopped.out) == (1, True)
        assert redis.llen("rq:queue:forum") == 30
        assert cli("continue", "forum", "--yes").code == 0
        assert redis.llen("rq:queue:forum") == 0

    def test_a_bad_address_is_a_usage_error(self, cli: Cli) -> None:
        assert cli("status", QUEUECTL_SERVER__OVERFLOW_URL="http://x").code == 2


def test_doctor_tells_damaged_segments(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 7)
    cli("drain", "forum", "--to", "overflow", "--yes")
    (segment,) = redis.hkeys("queuectl:overflow:forum")
    redis.hset("queuectl:overflow:forum", segment, "no segment")
    assert "1 damaged segment set aside" in cli("refill", "forum", "--yes").out
    checks = json.loads(cli("doctor", "--json").out)["checks"]
    (found,) = (check for check in checks if check["name"] == "segments")
    assert (found["level"], "forum (7)" in found["text"]) == ("bad", True)
    assert "7 in damaged segments" in cli("status").out
