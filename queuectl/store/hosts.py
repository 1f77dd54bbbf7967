"""Which daemon runs a host's workers, and which hosts share a pool."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from queuectl.store import keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.lease import HOST_FRESH_S
from queuectl.store.scripts import load

SUPERVISE = load("supervise_host")
LEAVE = load("leave_host")
SUPERVISE_S = 5.0
"""A supervisor not heard of for this long is replaced by the next daemon on its host."""


def supervise(daemon: str, host: str, pools: Sequence[str]) -> Steps[dict[str, tuple[str, ...]] | None]:
    """Hosts by pool, ours among them; call at least every second. None: another daemon runs this host's workers."""
    reply = yield from ask(
        script(SUPERVISE, (_supervisor(host),), (daemon, int(SUPERVISE_S * 1000), host, int(HOST_FRESH_S), *pools))
    )
    if not reply[0]:
        return None
    return {pool: tuple(sorted(name.decode() for name in names)) for pool, names in zip(pools, reply[1:], strict=True)}


def leave(daemon: str, host: str, pools: Sequence[str]) -> Steps[None]:
    """Stop sharing these pools, so that other hosts take over at once."""
    yield (script(LEAVE, (_supervisor(host),), (daemon, host, *pools)),)


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
