"""What a worker asks for in one claim: which queues, how many of each, and what bounds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from queuectl.mail.deliverer import Deliverer
from queuectl.model import QueueClass
from queuectl.policy import ageing, weights
from queuectl.settings import PoolSettings, QueueSettings, Settings
from queuectl.store.claims import Claims
from queuectl.store.providers import Intake, Rate, Route
from queuectl.worker.flights import Flights

HELP_SHARE = 0.8
"""Of a worker's slots: the others are free the moment its own queues have work."""
RESERVED_SHARE = 10
"""One slot in so many is kept for protected queues, where the pool's settings say nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One claim: `limits` and `intakes` as `claims.claim` takes them."""

    limits: tuple[tuple[str, int], ...]
    intakes: Mapping[str, Intake]
    shared: int
    """Most messages from all queues that are not protected."""
    held: bool
    """Some queue's provider cannot be reached for now."""


class Intakes:
    """The queues one worker serves, most important first. Protected ones come before all others; those it only helps
    come last."""

    def __init__(self, settings: Settings, queues: Sequence[str], pool: str, deliverer: Deliverer) -> None:
        self.rate = global_rate(settings)
        """Of everything together."""
        self._deliverer = deliverer
        self._pool = settings.pools.get(pool)
        self._helped = [name for name in queues if self._pool and name in self._pool.helps]
        own = [name for name in queues if name not in self._helped]
        protected = [name for name in own if _queue(settings, name).queue_class is QueueClass.PROTECTED]
        self._common = tuple(name for name in own if name not in protected)
        self._protected = tuple(protected)
        self._weights = _weights(self._pool, self._common)
        self._intakes = {
            name: intake_of(settings, name, shared=name not in protected and bool(protected)) for name in queues
        }
        self._target_wait_s = {name: _queue(settings, name).target_wait_s for name in self._common}
        self._since_s: dict[str, float] = {}
        self._owed: Mapping[str, float] = {}
        self._waiting = set(self._common)
        self._charged_s: float | None = None

    def reserved(self, slots: int) -> int:
        """Slots that only protected queues may take; none where the worker serves but one kind."""
        if not self._protected or not (self._common or self._helped):
            return 0
        wanted = self._pool.reserved if self._pool else None
        return min(slots - 1, max(1, slots // RESERVED_SHARE) if wanted is None else wanted)

    def shared(self, queue: str) -> bool:
        return queue in self._intakes and self._intakes[queue].shared

    def wish(self, wanted: int, flights: Flights, now_s: float) -> Wish:
        """What to claim into `wanted` free slots."""
        limits = [(name, wanted) for name in self._protected]
        limits += self._by_weight(flights, now_s) if self._weights else self._by_age(flights, now_s)
        limits += [(name, wanted) for name in self._common]
        limits += self._help(flights)
        routed = {name: self._routed(intake) for name, intake in self._intakes.items()}
        held = any(intake.own_most == 0 for intake in routed.values())
        return Wish(tuple(limits), routed, min(wanted, flights.free_shared), held)

    def learn(self, wish: Wish, claimed: Claims, now_s: float) -> None:
        """Which queues had work: those that gave less than they were asked for had no more."""
        given = Counter(claim.queue for claim in claimed.jobs)
        left = wish.shared - sum(given[name] for name in self._common) > 0
        if self._weights:
            self._waiting = {name for name in self._common if not left or given[name]}
        else:
            self._learn_ages(claimed, left, now_s)
        if self._helped and not given[self._helped[0]]:
            self._helped.append(self._helped.pop(0))

    def _learn_ages(self, claimed: Claims, left: bool, now_s: float) -> None:
        """How long each queue's oldest message has waited: what was claimed tells it, an empty queue has none."""
        oldest_s: dict[str, float] = {}
        for claim in claimed.jobs:
            if not claim.attempts:
                oldest_s[claim.queue] = max(oldest_s.get(claim.queue, 0.0), claim.age_s)
        for name in self._common:
            if name in oldest_s or left:
                self._since_s[name] = now_s - oldest_s.get(name, 0.0)

    def _by_age(self, flights: Flights, now_s: float) -> list[tuple[str, int]]:
        """In strict order: a little for those that have waited too long behind the others."""
        waited_s = {name: now_s - self._since_s.setdefault(name, now_s) for name in self._common[1:]}
        return ageing.aged_shares(waited_s, self._target_wait_s, flights.by_queue, flights.slots - flights.reserved)

    def _help(self, flights: Flights) -> list[tuple[str, int]]:
        """One of the others' queues at a time, after our own: what they leave of the slots that may help."""
        if not self._helped:
            return []
        helping = sum(flights.by_queue.get(name, 0) for name in self._helped)
        return [(self._helped[0], max(0, int(HELP_SHARE * flights.slots) - helping))]

    def _by_weight(self, flights: Flights, now_s: float) -> list[tuple[str, int]]:
        busy = {name: flights.by_queue.get(name, 0) for name in self._common}
        elapsed_s = now_s - self._charged_s if self._charged_s is not None else 0.0
        self._charged_s = now_s
        self._owed = weights.owe(self._owed, self._weights, busy, self._waiting, elapsed_s)
        slots = flights.slots - flights.reserved
        return weights.quotas(self._owed, self._weights, busy, self._waiting, slots)

    def _routed(self, intake: Intake) -> Intake:
        """The same, for what can be reached from here: one message tries a provider that could not be."""
        ready = tuple(route for route in intake.routes if self._deliverer.ready(route.provider))
        if not ready:
            return replace(intake, own_most=0)
        if self._deliverer.doubtful(ready[0].provider):
            return replace(intake, routes=ready, own_most=1)
        return intake if ready == intake.routes else replace(intake, routes=ready)


def _weights(pool: PoolSettings | None, common: Sequence[str]) -> dict[str, float]:
    """Empty: strict order."""
    if pool is None or not pool.weights or len(common) < 2:
        return {}
    return {name: pool.weights.get(name, 1.0) for name in common}


def global_rate(settings: Settings) -> Rate:
    """Of all queues and providers together."""
    return Rate(settings.delivery.rate_per_s, settings.delivery.burst)


def intake_of(settings: Settings, name: str, *, shared: bool = False) -> Intake:
    """What the settings say of one queue: its own rate, its provider and that one's fallback."""
    queue = _queue(settings, name)
    first = settings.provider_name(queue.provider)
    fallback = settings.provider(first).fallback
    names = (first, fallback) if fallback and fallback != first else (first,)
    routes = tuple(Route.of(route, settings.provider(route)) for route in names)
    return Intake(routes, Rate(queue.rate_per_s, queue.burst), shared)


def _queue(settings: Settings, name: str) -> QueueSettings:
    return settings.queues.get(name) or QueueSettings()
