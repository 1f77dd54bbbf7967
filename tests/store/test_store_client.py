"""Connections and their failures: addresses, what each refusal is told as, and RQ's own key prefix."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from servers import OwnServer
from store_world import mail, put

import queuectl
from queuectl import embedded
from queuectl.model import QueuectlError, ServerError, UsageError
from queuectl.store import admission
from queuectl.store.client import Store, ask, command
from queuectl.store.connect import open_async_store, open_store

ROOT = Path(queuectl.__file__).parents[1]


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """A server that answers every command with the same bytes: its URL."""
    listeners: list[socket.socket] = []

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer, args=(listener, answer), daemon=True).start()
        return f"redis://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _answer(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            while data := client.recv(65536):
                client.sendall(answer * len(re.findall(rb"\*\d+\r\n", data)))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"-LOADING Redis is loading the dataset in memory\r\n", "the server is still loading its data"),
        (b"-WRONGPASS invalid username-password pair\r\n", "password"),
        (b"-NOAUTH Authentication required.\r\n", "password"),
        (b"-MISCONF Redis is configured to save RDB snapshots\r\n", "cannot save to disk"),
        (b"-ERR unknown command 'PING'\r\n", "not a Redis or Valkey of version 6.2"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not a Redis or Valkey server"),
    ],
)
def test_what_a_server_answers_is_told_in_words(answering: Callable[[bytes], str], answer: bytes, said: str) -> None:
    url = answering(answer)
    with pytest.raises(ServerError) as error:
        open_store(url, timeout_s=2)
    assert str(error.value).startswith(f"{url}: ")
    assert said in str(error.value)


async def test_the_same_on_asyncio(answering: Callable[[bytes], str]) -> None:
    url = answering(b"-LOADING Redis is loading the dataset in memory\r\n")
    with pytest.raises(ServerError, match="still loading"):
        await open_async_store(url, timeout_s=2)
    unchecked = await open_async_store(url, timeout_s=2, check=False)
    with pytest.raises(ServerError, match="still loading"):
        await unchecked.run(ask(command("PING")))
    await unchecked.close()


def test_servers_that_take_no_writes(own_server: Callable[..., OwnServer]) -> None:
    url = own_server().url
    with open_store(url) as store:
        store.run(ask(command("SET", "x", 1)))
        store.run(ask(command("CONFIG", "SET", "maxmemory", 1)))
        for steps in (ask(command("SET", "x", 2)), admission.admit("a", [mail()])):
            with pytest.raises(ServerError, match="out of memory"):
                store.run(steps)
        store.run(ask(command("CONFIG", "SET", "maxmemory", 0)))
        store.run(ask(command("REPLICAOF", "127.0.0.1", 1)))
        with pytest.raises(ServerError, match="read-only replica; use the primary's address"):
            put(store, "a", 1)


def test_a_user_who_may_not(store: Store, redis: Redis) -> None:
    redis.execute_command("ACL", "SETUSER", "guest", "on", ">pw", "~*", "+ping", "+client")
    path = redis.connection_pool.connection_kwargs["path"]
    guest = Store(Redis(unix_socket_path=path, username="guest", password="pw"))
    with guest, pytest.raises(ServerError, match="may not do that"):
        guest.run(ask(command("SET", "x", 1)))
    redis.execute_command("ACL", "DELUSER", "guest")


def test_an_error_of_one_call_is_the_round_trips(store: Store, redis: Redis) -> None:
    def steps() -> Iterator[object]:
        yield (command("SET", "x", 1), command("INCR", "x", "y"), command("SET", "z", 1))

    with pytest.raises(QueuectlError, match="the server answered: "):
        store.run(steps())  # type: ignore[arg-type]
    assert redis.exists("x", "z") == 2


def test_a_server_that_is_gone_and_back(own_server: Callable[..., OwnServer]) -> None:
    server = own_server()
    with open_store(server.url) as store:
        put(store, "a", 1)
        server.kill()
        with pytest.raises(ServerError, match="no server"):
            put(store, "a", 1)
        server.start()
        assert put(store, "a", 1)


@pytest.mark.parametrize(
    ("url", "nodes", "database", "user", "password"),
    [
        ("redis+sentinel://h1:26379,h2:26380/mymaster/3", [("h1", 26379), ("h2", 26380)], 3, None, None),
        ("redis+sentinel://h1,h2:5/mymaster", [("h1", 26379), ("h2", 5)], 0, None, None),
        ("redis+sentinel://[::1]:7,[fe80::2]/m/0", [("::1", 7), ("fe80::2", 26379)], 0, None, None),
        ("redis+sentinel://ana:p%40ss@h1/m", [("h1", 26379)], 0, "ana", "p@ss"),
        ("redis+sentinel://:p:w@h1/m", [("h1", 26379)], 0, None, "p:w"),
    ],
)
async def test_sentinel_addresses(
    url: str, nodes: list[tuple[str, int]], database: int, user: str | None, password: str | None
) -> None:
    store = await open_async_store(f"{url}?sentinel_password=s3", check=False)
    pool = store.connection.connection_pool
    sentinels = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(known["host"], known["port"]) for known in sentinels] == nodes
    assert {known["password"] for known in sentinels} == {"s3"}
    wanted = pool.connection_kwargs
    assert pool.service_name in ("mymaster", "m")
    assert (wanted["db"], wanted["username"], wanted["password"]) == (database, user, password)
    await store.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://localhost", "allowed: redis://…, rediss://…, unix://…, redis+sentinel://…"),
        ("localhost:6379", "is not a server address"),
        ("", "is not a server address"),
        ("redis://[::1", "is not a server address"),
        ("redis://h:port", "Port could not be cast"),
        ("redis+sentinel://h1:26379", "name the master"),
        ("redis+sentinel:///m/0", "name the master"),
        ("redis+sentinel://h1:x/m/0", "ports and the database must be numbers"),
        ("redis+sentinel://h1/m/db", "ports and the database must be numbers"),
    ],
)
def test_addresses_that_are_none(url: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        open_store(url)
    assert said in str(error.value)


def test_a_password_is_in_no_message() -> None:
    for url in ("redis://:s3cret@127.0.0.1:1/0", "http://u:s3cret@h", "redis+sentinel://:s3cret@h1:x/m",
                "redis+sentinel://127.0.0.1:1/m/0?sentinel_password=s3cret", "redis://u:s3cret@[::1"):  # fmt: skip
        with pytest.raises(QueuectlError) as error:
            open_store(url, timeout_s=1)
        assert "s3cret" not in str(error.value)


def test_through_a_real_sentinel(own_server: Callable[..., OwnServer], tmp_path: Path) -> None:
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    server_port, sentinel_port = ports
    own = own_server()
    with Redis.from_url(own.url) as client:
        client.config_set("bind", "127.0.0.1")
        client.config_set("port", str(server_port))
    config = tmp_path / "sentinel.conf"
    config.write_text(f"port {sentinel_port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {server_port} 1\n")
    argv = [str(embedded.find_binary()), str(config), "--sentinel"]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=tmp_path)
    try:
        assert any(b"+monitor master mymaster" in line for line in child.stdout or ())
        with open_store(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel_port}/mymaster/0") as store:
            put(store, "a", 3)
        with pytest.raises(ServerError, match="No master found for 'nobody'"):
            open_store(f"redis+sentinel://127.0.0.1:{sentinel_port}/nobody/0")
    finally:
        child.kill()
        child.communicate()
    with Redis.from_url(own.url) as client:
        assert client.llen("rq:queue:a") == 3


PREFIXED = """
import json, sys
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from store_world import end, put, take
from queuectl.settings import Settings
from queuectl.store.claims import End
from queuectl.store.connect import open_store
from queuectl.store.reader import Reader

with open_store(sys.argv[1]) as store, Redis.from_url(sys.argv[1]) as redis:
    ids = put(store, "a", 3)
    (claim,) = take(store, "a", 1)
    stock = Queue("a", connection=redis, serializer=JSONSerializer)
    queue = store.run(Reader(Settings()).fleet()).queue("a")
    seen = [stock.job_ids, StartedJobRegistry("a", connection=redis).get_job_ids(), Job.fetch(
        ids[1], connection=redis, serializer=JSONSerializer).func_name, queue.depth, queue.in_flight]
    end(store, [claim], End.DELIVERED)
    print(json.dumps([ids, seen, sorted(key.decode() for key in redis.scan_iter())]))
"""


def python(code: str, *arguments: str, prefix: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}:{Path(__file__).parent}"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "RQ_KEY_PREFIX": prefix}
    argv = [sys.executable, "-c", code, *arguments]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)


def test_rqs_key_prefix_is_honoured(redis: Redis, redis_url: str) -> None:
    run = python(PREFIXED, redis_url, prefix="test:x")
    assert run.stderr == ""
    ids, seen, names = json.loads(run.stdout)
    assert seen == [ids[1:], ids[:1], admission.FUNCTION, 2, 1]
    assert [name for name in names if not name.startswith(("test:x:", "queuectl:"))] == []
    assert redis.llen("test:x:queue:a") == 2


def test_a_prefix_that_would_break_scripts_is_refused() -> None:
    assert "only letters, digits" in python("import queuectl.store.keys", prefix="it's").stderr
