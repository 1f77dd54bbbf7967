"""Limits of providers, shared by all workers: what a claim may spend, what answers make of it, open connections."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from queuectl.model import ProviderState
from queuectl.policy.shaping import Condition, Shape, Signal, condition_at, factor_at, lapsed, observe
from queuectl.policy.warmup import DAY_S
from queuectl.settings import ProviderSettings
from queuectl.store import keys
from queuectl.store.client import Argument, Call, Steps, ask, command, script
from queuectl.store.provider_limits import limits_of, most_today, warmup_text
from queuectl.store.scripts import load

CHANGE = load("change_provider")
RETURN = load("return_tokens")
LEASE = load("lease_connections")
CONNECTION_LEASE_S = 30
USED_S = 10.0
"""Time constant of the moving average of the used rate; the same as in lib/rate.lua."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages a second, and how many may go at once; 0 is no limit."""

    per_s: float = 0.0
    burst: int = 1


UNLIMITED = Rate()


@dataclass(frozen=True, slots=True)
class Route:
    """One provider a queue's messages may take."""

    provider: str
    rate: Rate = UNLIMITED
    adaptive: bool = True
    warmup: str = ""
    """As `warmup_text` writes it; empty: none."""

    def arguments(self) -> tuple[Argument, ...]:
        return self.provider, self.rate.per_s, self.rate.burst, "1" if self.adaptive else "", self.warmup

    @classmethod
    def of(cls, name: str, provider: ProviderSettings) -> Route:
        adaptive = provider.adaptive and not provider.dry_run
        return cls(name, Rate(provider.rate_per_s, provider.burst), adaptive, warmup_text(provider.warmup))


@dataclass(frozen=True, slots=True)
class Intake:
    """What bounds the claims from one queue."""

    routes: tuple[Route, ...] = ()
    """The first that is neither suspended nor has had its day's messages is taken."""
    rate: Rate = UNLIMITED
    shared: bool = False
    """It may not take the slots reserved for protected queues."""
    own_most: int | None = None
    """Most messages of our own in one claim; stock jobs need no provider. None: no such bound."""

    def arguments(self) -> tuple[Argument, ...]:
        """As claim_jobs.lua reads them."""
        routes = [argument for route in self.routes for argument in route.arguments()]
        own_most = -1 if self.own_most is None else self.own_most
        return own_most, "1" if self.shared else "", self.rate.per_s, self.rate.burst, len(self.routes), *routes


OPEN = Intake()
NO_INTAKES: Mapping[str, Intake] = MappingProxyType({})


def return_tokens(queue: str, intake: Intake, provider: str, tokens: int, rate: Rate) -> Steps[None]:
    """Give back what messages of `queue` took and did not use; `rate` is the global one."""
    route = next((route for route in intake.routes if route.provider == provider), Route(""))
    yield (script(RETURN, (), (tokens, rate.per_s, rate.burst, queue, intake.rate.per_s, intake.rate.burst,
                               *route.arguments())),)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """What one attempt said of its provider. `age_s`: how long ago it began; `for_s`: how long the signal works."""

    signal: Signal
    age_s: float
    reason: str = ""
    probe: bool = False
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """A provider's shape before and after its reports."""

    before: Shape
    after: Shape


def report(provider: str, reports: Sequence[Report], *, dry_run: bool = False) -> Steps[Reported]:
    """Let the answers have their effect; whoever is second decides again on what the first has written. `dry_run`:
    nothing probes, for nothing was stopped."""
    key = keys.provider(provider)
    while True:
        now, record = yield (command("TIME"), command("HGETALL", key))
        now_s, fields = int(now[0]) + int(now[1]) / 1e6, _text(record)
        before = after = lapsed(shape_of(fields), now_s) if dry_run else shape_of(fields)
        used_per_s = _used_per_s(fields, now_s)
        for one in reports:
            after = observe(after, one.signal, now_s, sent_at_s=now_s - one.age_s, probe=one.probe,
                            used_per_s=used_per_s, for_s=one.for_s, reason=one.reason)  # fmt: skip
        if after == before:
            return Reported(before, after)
        written = yield from ask(script(CHANGE, (key,), (fields.get("version", "0"), *_fields(after))))
        if written:
            return Reported(before, after)


@dataclass(frozen=True, slots=True)
class Lease:
    """Answer to one who wants to open a connection. `wait_s`: not taken, but the rate of new ones allows it then."""

    taken: bool
    wait_s: float | None = None


def lease_connection(provider: str, member: str, most: int, per_s: float = 0.0) -> Steps[Lease]:
    """Take one of the provider's connections for `member`, of `most` in all and `per_s` new ones a second (0: no such
    limit)."""
    taken, wait = yield from ask(script(LEASE, _lease_keys(provider), (most, per_s, CONNECTION_LEASE_S, member)))
    return Lease(bool(taken), float(wait) if wait else None)


def _lease_keys(provider: str) -> tuple[str, str, str]:
    key = keys.provider(provider)
    return keys.provider_connections(provider), key, f"{key}:connects"


def renew_connections(held: Mapping[str, Sequence[str]]) -> Steps[None]:
    """Keep the leases of open connections: provider -> members."""
    calls = tuple(
        script(LEASE, _lease_keys(provider), (0, 0, CONNECTION_LEASE_S, "", *members))
        for provider, members in held.items()
        if members
    )
    if calls:
        yield calls


def release_connections(provider: str, members: Sequence[str]) -> Steps[None]:
    yield (command("ZREM", keys.provider_connections(provider), *members),)


def state_calls(names: Sequence[str]) -> tuple[Call, ...]:
    """The calls `states` understands, to be put into a larger round trip."""
    return tuple(
        call
        for name in names
        for call in (command("HGETALL", keys.provider(name)),
                     command("ZRANGE", keys.provider_connections(name), 0, -1, "WITHSCORES"))
    )  # fmt: skip


def states(providers: Mapping[str, ProviderSettings], replies: Sequence[Any], now_s: float) -> tuple[ProviderState, ...]:  # noqa: E501  # fmt: skip
    """What the replies to `state_calls(tuple(providers))` say."""
    pairs = zip(replies[::2], replies[1::2], strict=True)
    return tuple(
        _state(name, settings, _text(record), sum(float(expiry) > now_s for _, expiry in leases), now_s)
        for (name, settings), (record, leases) in zip(providers.items(), pairs, strict=True)
    )


def shut(providers: Sequence[ProviderState]) -> frozenset[str]:
    """Those that take nothing for now, and whose fallback, if there is one, takes nothing either."""
    closed = {one.name: one.fallback for one in providers if _is_closed(one)}
    return frozenset(name for name, fallback in closed.items() if not fallback or fallback in closed)


def _is_closed(provider: ProviderState) -> bool:
    spent = provider.today_most is not None and provider.today >= provider.today_most
    return spent or (provider.condition in (Condition.SUSPENDED, Condition.PROBING) and not provider.dry_run)


def _state(name: str, settings: ProviderSettings, fields: Mapping[str, str], connections: int,
           now_s: float) -> ProviderState:  # fmt: skip
    limits = limits_of(settings, fields, now_s)
    shape = shape_of(fields) if limits.adaptive or limits.dry_run else Shape()
    shape = lapsed(shape, now_s) if limits.dry_run else shape
    factor = 1.0 if limits.dry_run else factor_at(shape, now_s)
    full_per_s = limits.rate_per_s or (shape.learned_per_s if factor < 1.0 else 0.0)
    state = condition_at(shape, now_s)
    today = int(now_s // DAY_S)
    until_s = shape.suspended_until_s or (shape.held_until_s if now_s < shape.held_until_s else 0.0)
    return ProviderState(
        name=name,
        condition=state.value,
        rate_per_s=limits.rate_per_s or None,
        allowed_per_s=full_per_s * factor if full_per_s else None,
        used_per_s=_used_per_s(fields, now_s),
        factor=factor,
        until_s=until_s or None,
        reason="" if state.value == "open" else shape.reason,
        connections=connections,
        max_connections=limits.max_connections or None,
        fallback=settings.fallback,
        dry_run=limits.dry_run,
        today=int(_number(fields.get("day_used"), 0)) if fields.get("day") == str(today) else 0,
        today_most=most_today(limits.warmup, today),
    )


def shape_of(fields: Mapping[str, str]) -> Shape:
    """A provider's hash; an empty one is a provider that never complained."""
    numbers = {name: _number(fields.get(stored), default) for name, stored, default in _STORED}
    return Shape(reason=fields.get("reason", ""), **numbers)


def _fields(shape: Shape) -> tuple[Argument, ...]:
    fields: list[Argument] = ["reason", shape.reason]
    for name, stored, _ in _STORED:
        fields += (stored, f"{getattr(shape, name):.6f}")
    return tuple(fields)


_STORED = (
    ("factor", "factor", 1.0),
    ("cut_at_s", "cut_at", 0.0),
    ("held_until_s", "held_until", 0.0),
    ("suspended_until_s", "suspended_until", 0.0),
    ("suspended_for_s", "suspended_for", 0.0),
    ("probe_until_s", "probe_until", 0.0),
    ("learned_per_s", "learned", 0.0),
)
"""Field of a Shape, field of the hash, default."""


def _used_per_s(fields: Mapping[str, str], now_s: float) -> float:
    used, at_s = _number(fields.get("used"), 0.0), _number(fields.get("used_at"), now_s)
    return used * math.exp(min(0.0, at_s - now_s) / USED_S) / USED_S


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default


def _text(record: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode("utf-8", "replace") for name, value in record.items()}
