"""Facts about the server that `queuectl doctor` judges. Nothing here writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from queuectl.store import keys
from queuectl.store.client import OVERFLOW_CONFIGURED, OverflowServerError, Steps, ask, command, elsewhere

CONFIG_NAMES = (
    "hash-max-listpack-value",
    "hash-max-listpack-entries",
    "hash-max-ziplist-value",
    "hash-max-ziplist-entries",
    "save",
)
"""The ziplist names are those of servers older than 7.0."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What INFO says. Sizes in bytes; `memory_max_bytes` 0: no limit set."""

    product: str
    version: str
    """Redis' version, or the Redis version that a Valkey server is compatible with."""
    role: str
    memory_bytes: int
    memory_max_bytes: int
    eviction: str
    aof: bool
    aof_healthy: bool
    rdb_healthy: bool


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """What CONFIG GET says; None where the server does not know the name."""

    listpack_value_bytes: int | None
    listpack_entries: int | None
    save: str | None


def server_facts() -> Steps[ServerFacts]:
    """Version, role, memory and persistence in one round trip."""
    sections = yield tuple(command("INFO", section) for section in ("server", "memory", "persistence", "replication"))
    info = {str(name): str(value) for section in sections for name, value in section.items()}
    return ServerFacts(
        product=info.get("server_name", "redis"),
        version=info.get("redis_version", ""),
        role=info.get("role", ""),
        memory_bytes=int(info.get("used_memory", 0)),
        memory_max_bytes=int(info.get("maxmemory", 0)),
        eviction=info.get("maxmemory_policy", ""),
        aof=info.get("aof_enabled") == "1",
        aof_healthy=info.get("aof_last_write_status", "ok") == "ok",
        rdb_healthy=info.get("rdb_last_bgsave_status", "ok") == "ok",
    )


def config_facts() -> Steps[ConfigFacts]:
    """Raises QueuectlError where CONFIG is forbidden, as hosted servers do."""
    replies = yield tuple(command("CONFIG", "GET", name) for name in CONFIG_NAMES)
    found: dict[str, str] = {}
    for reply in replies:
        found |= _pairs(reply)

    def number(name: str) -> int | None:
        value = found.get(f"hash-max-listpack-{name}") or found.get(f"hash-max-ziplist-{name}")
        return int(value) if value else None

    return ConfigFacts(number("value"), number("entries"), found.get("save"))


def _pairs(reply: Mapping[object, object] | Sequence[object]) -> dict[str, str]:
    flat = reply.items() if isinstance(reply, Mapping) else zip(reply[::2], reply[1::2], strict=True)
    return {_text(name): _text(value) for name, value in flat}


def _text(raw: object) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def ping() -> Steps[None]:
    """One round trip that does nothing, to be timed."""
    yield (command("PING"),)


def server_time_s() -> Steps[float]:
    """The server's clock, epoch seconds."""
    now = yield from ask(command("TIME"))
    return int(now[0]) + int(now[1]) / 1e6


def scheduler_locks(queues: Sequence[str]) -> Steps[dict[str, str]]:
    """Queue -> who promotes its scheduled jobs: a daemon of ours, or a stock RQ scheduler's process id."""
    if not queues:
        return {}
    holders = yield tuple(command("GET", keys.scheduler_lock(queue)) for queue in queues)
    return {queue: _text(holder) for queue, holder in zip(queues, holders, strict=True) if holder is not None}


def without_policy(queues: Sequence[str]) -> Steps[tuple[str, ...]]:
    """Those of `queues` for which no policy is stored."""
    if not queues:
        return ()
    stored = yield tuple(command("EXISTS", keys.policy(queue)) for queue in queues)
    return tuple(queue for queue, there in zip(queues, stored, strict=True) if not there)


@dataclass(frozen=True, slots=True)
class OverflowFacts:
    """The overflow server: what is wrong with it (empty: it answers), and whether it keeps an append-only file."""

    trouble: str
    aof: bool = False


def overflow_facts() -> Steps[OverflowFacts | None]:
    """None: no overflow server is configured."""
    if not (yield from ask(OVERFLOW_CONFIGURED)):
        return None
    try:
        info = yield from ask(elsewhere("INFO", "persistence"))
    except OverflowServerError as error:
        return OverflowFacts(str(error))
    return OverflowFacts("", str(info.get("aof_enabled")) == "1")
