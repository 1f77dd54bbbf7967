"""Leadership among daemons: one lease with a fencing epoch, so that a paused old leader cannot write."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.store import keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

HOLD = load("hold_lease")
RELEASE = load("release_lease")
LEASE_S = 5.0
HOST_FRESH_S = 15.0


@dataclass(frozen=True, slots=True)
class Lease:
    """`fence` is passed to every script that automation runs; empty when another daemon leads."""

    fence: str
    leader: str
    """host:pid of the daemon that leads."""

    @property
    def held(self) -> bool:
        return bool(self.fence)


def hold(daemon: str, host: str, fence: str) -> Steps[Lease]:
    """Take or renew the lease; call at least every second. `fence` is what the last call returned."""
    reply = yield from ask(
        script(HOLD, (keys.LEASE, keys.EPOCH, keys.HOSTS), (daemon, fence, int(LEASE_S * 1000), host))
    )
    return Lease(reply[0].decode(), leader_of(reply[1]))


def release(fence: str, host: str) -> Steps[None]:
    """Leave, so that a standby leads at once."""
    yield (script(RELEASE, (keys.LEASE, keys.HOSTS), (fence, host)),)


def leader_of(value: bytes | None) -> str:
    """host:pid of a lease's value; empty for none."""
    return value.decode().partition("|")[0] if value else ""


def leader() -> Steps[str]:
    """Who leads now; empty: nobody."""
    value = yield from ask(command("GET", keys.LEASE))
    return leader_of(value)


def fresh_hosts() -> Steps[tuple[str, ...]]:
    """Hosts whose daemon was heard of lately, sorted."""
    now = yield from ask(command("TIME"))
    names = yield from ask(command("ZRANGEBYSCORE", keys.HOSTS, int(now[0]) - HOST_FRESH_S, "+inf"))
    return tuple(sorted(name.decode() for name in names))
