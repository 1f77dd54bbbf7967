"""Open connections (redis://, rediss://, unix://, redis+sentinel://); a first PING says what is wrong in words."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel

from queuectl.model import ServerError, UsageError
from queuectl.settings import mask_url
from queuectl.store.client import AsyncStore, Store, ask, command

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel")
SENTINEL_PORT = 26379


def open_store(url: str, *, timeout_s: float = 5.0, overflow_url: str = "") -> Store:
    """Connect and PING. Raises UsageError for a malformed URL, ServerError when the server cannot be used.

    `overflow_url`: a second server for overflow, which is not looked for until it is needed.
    """
    overflow = Store(_connection(overflow_url, timeout_s, asynchronous=False)) if overflow_url else None
    store = Store(_connection(url, timeout_s, asynchronous=False), overflow)
    try:
        store.run(ask(command("PING")))
    except ServerError as error:
        store.close()
        raise ServerError(f"{mask_url(url)}: {_hint(url, error)}") from error
    return store


async def open_async_store(
    url: str, *, timeout_s: float = 5.0, check: bool = True, overflow_url: str = ""
) -> AsyncStore:
    """The same on asyncio; `check=False` skips the PING (a console starts while the server is away)."""
    overflow = AsyncStore(_connection(overflow_url, timeout_s, asynchronous=True)) if overflow_url else None
    store = AsyncStore(_connection(url, timeout_s, asynchronous=True), overflow)
    if not check:
        return store
    try:
        await store.run(ask(command("PING")))
    except ServerError as error:
        await store.close()
        raise ServerError(f"{mask_url(url)}: {_hint(url, error)}") from error
    return store


def _connection(url: str, timeout_s: float, *, asynchronous: bool) -> Any:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{mask_url(url)!r} is not a server address: {error}") from None
    if parts.scheme not in SCHEMES:
        raise UsageError(
            f"{mask_url(url)!r} is not a server address; allowed: {', '.join(s + '://…' for s in SCHEMES)}"
        )
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 30,
    }
    if parts.scheme == "redis+sentinel":
        return _sentinel(url, options, asynchronous=asynchronous)
    if parts.scheme == "unix":
        del options["socket_connect_timeout"]
    client: Any = redis.asyncio.Redis if asynchronous else redis.Redis
    try:
        return client.from_url(url, **options)
    except ValueError as error:
        raise UsageError(f"{mask_url(url)!r}: {error}") from None


def _sentinel(url: str, options: dict[str, Any], *, asynchronous: bool) -> Any:
    """redis+sentinel://[user:password@]h1:26379,h2:26379/master[/db][?sentinel_password=…]"""
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    path = [part for part in parts.path.split("/") if part]
    if not path or not hosts:
        raise UsageError(f"{mask_url(url)!r}: name the master: redis+sentinel://h1:26379,h2:26379/master/0")
    user, _, password = credentials.partition(":")
    try:
        nodes = [_sentinel_node(host) for host in hosts.split(",")]
        database = int(path[1]) if len(path) > 1 else 0
    except ValueError:
        raise UsageError(f"{mask_url(url)!r}: ports and the database must be numbers") from None
    query = {key: found[-1] for key, found in parse_qs(parts.query).items()}
    sentinel: Any = (AsyncSentinel if asynchronous else Sentinel)(
        nodes, sentinel_kwargs={"password": query.get("sentinel_password"), **options}
    )
    return sentinel.master_for(
        path[0], db=database, username=unquote(user) or None, password=unquote(password) or None, **options
    )


def _sentinel_node(address: str) -> tuple[str, int]:
    """host, host:port or [ipv6]:port. Raises ValueError for a port that is no number."""
    host, bracket, rest = address.rpartition("]")
    if not bracket:
        host, _, rest = address.partition(":")
        return host, int(rest or SENTINEL_PORT)
    return host.removeprefix("["), int(rest.removeprefix(":") or SENTINEL_PORT)


def _hint(url: str, error: ServerError) -> str:
    cause = error.__cause__
    text = str(error)
    if isinstance(cause, ssl.SSLError) or "SSL" in text or "certificate" in text.lower():
        return f"TLS was refused ({text}); is this a rediss:// server, and its certificate trusted here?"
    if url.startswith("rediss://") and "imeout" in text:
        return f"TLS was refused ({text}); if the server does not speak TLS, use redis://"
    if url.startswith("redis://") and "Connection closed by server" in text:
        return f"{text}; if the server wants TLS, use rediss://"
    if "Protocol Error" in text or "did not answer as Redis" in text:
        return "something listens there, but it is not a Redis or Valkey server"
    return text
