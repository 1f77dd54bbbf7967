"""What a worker asks for in one claim: which queues, how many of each, and what bounds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from queuectl.mail.deliverer import Deliverer
from queuectl.model import QueueClass
from queuectl.policy import weights
from queuectl.settings import PoolSettings, QueueSettings, Settings
from queuectl.store.claims import Claims
from queuectl.store.providers import Intake, Rate, Route
from queuectl.worker.flights import Flights

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
    """The queues one worker serves, most important first. Protected ones come before all others."""

    def __init__(self, settings: Settings, queues: Sequence[str], pool: str, deliverer: Deliverer) -> None:
        self.rate = global_rate(settings)
        """Of everything together."""
        self._deliverer = deliverer
        self._pool = settings.pools.get(pool)
        protected = [name for name in queues if _queue(settings, name).queue_class is QueueClass.PROTECTED]
        self._common = tuple(name for name in queues if name not in protected)
        self._protected = tuple(protected)
        self._weights = _weights(self._pool, self._common)
        self._intakes = {
            name: intake_of(settings, name, shared=name in self._common and bool(protected)) for name in queues
        }
        self._owed: Mapping[str, float] = {}
        self._waiting = set(self._common)
        self._charged_s: float | None = None

    def reserved(self, slots: int) -> int:
        """Slots that only protected queues may take; none where the worker serves but one kind."""
        if not self._protected or not self._common:
            return 0
        wanted = self._pool.reserved if self._pool else None
        return min(slots - 1, max(1, slots // RESERVED_SHARE) if wanted is None else wanted)

    def shared(self, queue: str) -> bool:
        return queue in self._intakes and self._intakes[queue].shared

    def wish(self, wanted: int, flights: Flights, now_s: float) -> Wish:
        """What to claim into `wanted` free slots."""
        limits = [(name, wanted) for name in self._protected]
        if self._weights:
            limits += self._by_weight(flights, now_s)
        limits += [(name, wanted) for name in self._common]
        routed = {name: self._routed(intake) for name, intake in self._intakes.items()}
        held = any(intake.own_most == 0 for intake in routed.values())
        return Wish(tuple(limits), routed, min(wanted, flights.free_shared), held)

    def learn(self, wish: Wish, claimed: Claims) -> None:
        """Which queues had work: those that gave less than they were asked for had no more."""
        if not self._weights:
            return
        given = dict.fromkeys(self._common, 0)
        for claim in claimed.jobs:
            if claim.queue in given:
                given[claim.queue] += 1
        left = wish.shared - sum(given.values()) > 0
        self._waiting = {name for name in self._common if not left or given[name]}

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
    return Intake(tuple(_route(settings, route) for route in names), Rate(queue.rate_per_s, queue.burst), shared)


def _route(settings: Settings, name: str) -> Route:
    provider = settings.provider(name)
    return Route(name, Rate(provider.rate_per_s, provider.burst), provider.adaptive)


def _queue(settings: Settings, name: str) -> QueueSettings:
    return settings.queues.get(name) or QueueSettings()
