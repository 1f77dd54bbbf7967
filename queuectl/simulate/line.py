"""One simulated queue: its waiting messages by age, counted in cohorts, and how many of them lie in which tier."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from queuectl.policy.forecast import HOT_BYTES, PACKED_BYTES


@dataclass(slots=True)
class Tally:
    """What became of the messages so far."""

    arrived: int = 0
    delivered: int = 0
    shed_curve: int = 0
    shed_stale: int = 0
    refused: int = 0
    waits: Counter[int] = field(default_factory=Counter)
    """Delivered messages by whole seconds from arrival to claim."""

    @property
    def shed(self) -> int:
        return self.shed_curve + self.shed_stale

    @property
    def accepted(self) -> int:
        return self.arrived - self.refused


@dataclass(slots=True)
class Line:
    """Waiting messages as [second of arrival, count], oldest first, over all tiers: a FIFO queue's tiers are
    consecutive pieces of it, a LIFO queue's primary is its young end with what was refilled from the old one."""

    cohorts: deque[list[int]] = field(default_factory=deque)
    primary: int = 0
    surge: int = 0
    overflow: int = 0
    tally: Tally = field(default_factory=Tally)

    @property
    def waiting(self) -> int:
        return self.primary + self.surge + self.overflow

    @property
    def bytes(self) -> int:
        return HOT_BYTES * (self.primary + self.surge) + PACKED_BYTES * (self.overflow + self.tally.shed)

    def oldest_s(self, now_s: int) -> int:
        """Age of the oldest waiting message; 0 when none waits."""
        return now_s - self.cohorts[0][0] if self.cohorts else 0

    def add(self, now_s: int, count: int, tier: str) -> None:
        """New arrivals enter a tier."""
        if count:
            self.cohorts.append([now_s, count])
            setattr(self, tier, getattr(self, tier) + count)

    def shift(self, source: str, target: str, count: int) -> None:
        """At most `count` messages change their tier; their order does not."""
        moved = max(0, min(count, getattr(self, source)))
        setattr(self, source, getattr(self, source) - moved)
        setattr(self, target, getattr(self, target) + moved)

    def deliver(self, now_s: int, count: int, *, newest: bool) -> None:
        """Claim `count` messages of the primary, which must hold as many."""
        self.primary -= count
        self.tally.delivered += count
        waits = self.tally.waits
        for born_s, taken in self._take(count, newest=newest):
            waits[now_s - born_s] += taken

    def expire(self, now_s: int, max_age_s: float, *, lifo: bool) -> None:
        """Shed what is past its age: all of it lies at the old end."""
        stale = 0
        while self.cohorts and now_s - self.cohorts[0][0] > max_age_s:
            stale += self.cohorts.popleft()[1]
        self.tally.shed_stale += stale
        for tier in ("surge", "overflow", "primary") if lifo else ("primary", "surge", "overflow"):
            gone = min(stale, getattr(self, tier))
            setattr(self, tier, getattr(self, tier) - gone)
            stale -= gone

    def _take(self, count: int, *, newest: bool) -> list[tuple[int, int]]:
        cohorts, taken = self.cohorts, []
        end = -1 if newest else 0
        while count:
            cohort = cohorts[end]
            part = min(count, cohort[1])
            taken.append((cohort[0], part))
            count -= part
            cohort[1] -= part
            if not cohort[1]:
                cohorts.pop() if newest else cohorts.popleft()
        return taken
