"""What a worker has in hand, one flight a slot."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from queuectl.store.claims import Claim


class Interrupt(StrEnum):
    """Why a flight is broken off from outside."""

    STOPPED = "stopped by operator"
    KILLED = "killed by operator"
    """RQ's kill-horse: fails like a crash would."""
    LOST = "lease lost"
    """Repair gave the job to someone else."""
    BACK = "handed back"


@dataclass(slots=True, eq=False)
class Flight:
    """One claimed job while it runs."""

    claim: Claim
    started_s: float
    """time.monotonic() when it took its slot."""
    shared: bool = True
    """Of a queue that may not take reserved slots."""
    task: asyncio.Task[None] | None = None
    begun: bool = False
    interrupt: Interrupt | None = None

    def break_off(self, why: Interrupt) -> None:
        """Interrupt it; a task that has not begun yet sees `interrupt` when it does. Of a job that is gone from here
        nothing more is asked."""
        if self.interrupt is None or why in (Interrupt.LOST, Interrupt.BACK):
            self.interrupt = why
            if self.begun and self.task is not None:
                self.task.cancel()


class Flights:
    """The slots: full ones are flights, and there are `slots` in all, `reserved` of them for protected queues."""

    def __init__(self, slots: int, reserved: int = 0) -> None:
        self.slots = slots
        self.reserved = reserved
        """Slots that flights of shared queues leave free."""
        self.by_queue: Counter[str] = Counter()
        self._shared = 0
        self._refill = max(1, slots // 10)
        self._flights: dict[str, Flight] = {}
        self.room = asyncio.Event()
        """Set while enough slots are free for another claim to be worth its round trip."""
        self.room.set()
        self.empty = asyncio.Event()
        self.empty.set()

    def __len__(self) -> int:
        return len(self._flights)

    def __iter__(self) -> Iterator[Flight]:
        return iter(tuple(self._flights.values()))

    @property
    def free(self) -> int:
        return self.slots - len(self._flights)

    @property
    def free_shared(self) -> int:
        """Slots that a queue which is not protected may take."""
        return max(0, min(self.free, self.slots - self.reserved - self._shared))

    def get(self, member: str) -> Flight | None:
        return self._flights.get(member)

    def members(self) -> set[str]:
        return set(self._flights)

    def add(self, flight: Flight) -> None:
        self._flights[flight.claim.member] = flight
        self.by_queue[flight.claim.queue] += 1
        self._shared += flight.shared
        self.empty.clear()
        if self.free_shared < self._refill:
            self.room.clear()

    def remove(self, flight: Flight) -> None:
        del self._flights[flight.claim.member]
        self.by_queue[flight.claim.queue] -= 1
        self._shared -= flight.shared
        if self.free_shared >= self._refill:
            self.room.set()
        if not self._flights:
            self.empty.set()
