"""Pausing a queue that stock rq workers serve: they ask nobody, so what waits is put where they do not look.

A list of ids beside the queue takes what waits, in order; it counts as waiting everywhere. Every move is one script, so
that a process which dies in between leaves each job in one of the two lists, and the next one goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import StrEnum

from queuectl.model import FleetState, QueueState, Switch
from queuectl.store import keys, lease
from queuectl.store.client import AsyncStore, Steps, ask, command, script
from queuectl.store.scripts import load

SETTLE = load("settle_aside")
STEP_JOBS = 1000
GUARD = "queuectl-guard"
"""Client name of the connections that stand before stock workers in the line of those who block on a queue."""
_BLOCKING = frozenset({"blmove", "blpop"})


class Towards(StrEnum):
    """Where ids go: aside while the queue is paused, back afterwards."""

    ASIDE = "aside"
    BACK = "back"


def settle(queue: str, towards: Towards, *, fence: str) -> Steps[tuple[int, int]]:
    """One bounded step; (moved, left). (0, 0) when the queue's pause says otherwise."""
    moved, left = yield from ask(
        script(SETTLE, (keys.queue(queue), keys.aside(queue)), (fence, queue, towards.value, STEP_JOBS))
    )
    return moved, left


def settle_all(queue: str, towards: Towards, *, fence: str) -> Steps[int]:
    """Step until nothing is left. Returns how many were moved."""
    total, left = 0, 1
    while left:
        moved, left = yield from settle(queue, towards, fence=fence)
        total += moved
    return total


def direction(queue: QueueState) -> Towards | None:
    """Where the ids of this queue have to go, if anywhere."""
    if queue.pause.value == Switch.ON:
        return Towards.ASIDE if queue.stock_workers else None
    return Towards.BACK if queue.aside else None


def guarded(fleet: FleetState) -> dict[str, frozenset[str]]:
    """Paused queues with stock workers -> those workers' names."""
    return {
        queue.name: frozenset(worker.name for worker in fleet.workers if worker.stock and queue.name in worker.queues)
        for queue in fleet.queues
        if direction(queue) is Towards.ASIDE
    }


def obey(queue: str) -> Steps[None]:
    """Do what the queue's pause asks for now. Where a daemon leads, it brings back: it has guards to withdraw first."""
    if (yield from _stock_workers(queue)):
        yield from settle_all(queue, Towards.ASIDE, fence="")
    if not (yield from lease.leader()):
        yield from settle_all(queue, Towards.BACK, fence="")


def _stock_workers(queue: str) -> Steps[bool]:
    found = sorted((yield from ask(command("SMEMBERS", keys.queue_workers(queue)))))
    ours = (yield tuple(command("HEXISTS", key, "queuectl") for key in found)) if found else []
    return not all(ours)


def waiting_list(queue: str) -> Steps[str]:
    """Key of the list that holds what waits: that of the queue, or what is set aside of it."""
    found = yield from ask(command("EXISTS", keys.aside(queue)))
    return keys.aside(queue) if found else keys.queue(queue)


async def enlist(store: AsyncStore, queue: str, served: Callable[[int], bool]) -> None:
    """Block on the queue, first come first served, and take aside what one is handed, for as long as `served` says so.

    It is called with the connection's id before each wait. Raises ServerError when the connection breaks.
    """
    async with store.blocking() as ask_now:
        client = await ask_now("CLIENT", "ID")
        await ask_now("CLIENT", "SETNAME", GUARD)
        while served(client):
            await ask_now("BLMOVE", keys.queue(queue), keys.aside(queue), "LEFT", "RIGHT", 0)


def withdraw(clients: Collection[int]) -> Steps[None]:
    """End the waits of these connections."""
    if clients:
        yield tuple(command("CLIENT", "UNBLOCK", client) for client in sorted(clients))


def send_back(workers: Collection[str]) -> Steps[int]:
    """Let stock workers that block for a job ask again, which puts them at the end of the line. Returns how many.

    The connection on which a worker blocks has no name; it is known by its command and by its worker's address. To a
    worker it looks as if its wait had timed out.
    """
    names = sorted(workers)
    if not names:
        return 0
    listed, database, *addresses = yield (
        command("CLIENT", "LIST"),
        command("CLIENT", "INFO"),
        *(command("HGET", keys.worker(name), "ip_address") for name in names),
    )
    hosts = {_host(raw.decode()) for raw in addresses if raw}
    own = dict(_fields(database.decode()))
    blocked = list(_blocked(listed.decode("utf-8", "replace"), own.get("db", "0"), hosts))
    if blocked:
        yield tuple(command("CLIENT", "UNBLOCK", client) for client in blocked)
    return len(blocked)


def _blocked(listed: str, database: str, hosts: Collection[str]) -> Iterator[str]:
    for line in listed.splitlines():
        client = dict(_fields(line))
        if (
            "b" in client.get("flags", "") and client.get("cmd") in _BLOCKING and client.get("name") != GUARD
            and client.get("db") == database and _host(client.get("addr", "")) in hosts
        ):  # fmt: skip
            yield client["id"]


def _fields(line: str) -> Iterator[tuple[str, str]]:
    for part in line.split():
        name, equals, value = part.partition("=")
        if equals:
            yield name, value


def _host(address: str) -> str:
    return address.rpartition(":")[0]
