"""Which daemon runs a host's workers, and which hosts share a pool."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from queuectl.store import keys
from queuectl.store.client import Argument, Steps, ask, command, script
from queuectl.store.lease import HOST_FRESH_S
from queuectl.store.scripts import load

SUPERVISE = load("supervise_host")
LEAVE = load("leave_host")
SUPERVISE_S = 5.0
"""A supervisor not heard of for this long is replaced by the next daemon on its host."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which living hosts share each pool, and the most worker processes each of them holds."""

    hosts: dict[str, tuple[str, ...]]
    capacity: dict[str, int]


def supervise(daemon: str, host: str, capacity: int, pools: Sequence[str]) -> Steps[Sharing | None]:
    """Share `pools`; what comes back covers the pools of all hosts. Call at least every second. None: another daemon
    runs this host's workers."""
    arguments: list[Argument] = [daemon, int(SUPERVISE_S * 1000), host, int(HOST_FRESH_S), capacity, *pools]
    reply = yield from ask(script(SUPERVISE, (_supervisor(host), keys.CAPACITY, keys.POOLS), arguments))
    if not reply[0]:
        return None
    _, held, *shared = reply
    hosts = {
        pool.decode(): tuple(sorted(name.decode() for name in names))
        for pool, names in zip(shared[::2], shared[1::2], strict=True)
    }
    return Sharing(hosts, {name.decode(): int(most) for name, most in zip(held[::2], held[1::2], strict=True)})


def leave(daemon: str, host: str, pools: Sequence[str]) -> Steps[None]:
    """Stop sharing these pools, so that other hosts take over at once."""
    yield (script(LEAVE, (_supervisor(host), keys.CAPACITY), (daemon, host, *pools)),)


def leaving(workers: Collection[str]) -> Steps[frozenset[str]]:
    """Those of our `workers` that have announced their shutdown."""
    names = sorted(workers)
    if not names:
        return frozenset()
    replies = yield tuple(command("HEXISTS", keys.worker(name), "shutdown_requested_date") for name in names)
    return frozenset(name for name, announced in zip(names, replies, strict=True) if announced)


def _supervisor(host: str) -> str:
    """String: the daemon that starts and stops this host's workers."""
    return f"{keys.OURS}:host:{host}"
