"""Providers' limits as the leading daemon publishes them: they hold at once, whatever the workers' settings say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queuectl.policy.warmup import most_on
from queuectl.settings import ProviderSettings, Settings
from queuectl.settings.limits import WarmupSettings
from queuectl.store import keys
from queuectl.store.client import Steps, ask, command

FRESH_S = 60
"""What was published holds for so long: without a daemon workers go by their own settings again."""
_EPOCH_ORDINAL = 719163
"""date.toordinal() of 1970-01-01."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What lib/rate.lua reads. Rates a second; 0 is no limit."""

    rate_per_s: float
    burst: int
    adaptive: bool
    dry_run: bool
    warmup: str
    max_connections: int
    connections_per_s: float

    @classmethod
    def of(cls, provider: ProviderSettings) -> Limits:
        return cls(
            provider.rate_per_s,
            provider.burst,
            provider.adaptive and not provider.dry_run,
            provider.adaptive and provider.dry_run,
            warmup_text(provider.warmup),
            provider.max_connections,
            provider.connections_per_s,
        )

    def text(self) -> str:
        """The field `limits` of a provider's hash; how it is taken apart stands in lib/rate.lua too."""
        adaptive = "1" if self.adaptive else "dry" if self.dry_run else ""
        parts = (self.rate_per_s, self.burst, adaptive, self.warmup, self.max_connections, self.connections_per_s)
        return "|".join(str(part) for part in parts)


def warmup_text(warmup: WarmupSettings | None) -> str:
    """First day since the epoch, then most messages on each day: `20758,200,500`; empty: no warm-up."""
    if warmup is None:
        return ""
    return ",".join(str(number) for number in (warmup.started.toordinal() - _EPOCH_ORDINAL, *warmup.per_day))


def most_today(warmup: str, today: int) -> int | None:
    """Most messages on day `today` since the epoch; None: no such limit."""
    if not warmup:
        return None
    started_day, *per_day = (int(number) for number in warmup.split(","))
    return most_on(today, started_day, per_day)


def limits_of(provider: ProviderSettings, fields: Mapping[str, str], now_s: float) -> Limits:
    """What holds now: what was published lately, else the settings."""
    text = fields.get("limits", "")
    if not text or float(fields.get("limits_until", 0)) <= now_s:
        return Limits.of(provider)
    rate, burst, adaptive, warmup, most, connects = text.split("|")
    return Limits(float(rate), int(burst), adaptive == "1", adaptive == "dry", warmup, int(most), float(connects))


def publish(settings: Settings) -> Steps[None]:
    """Write the limits of the providers that the settings name. Called by the leading daemon again and again."""
    named = settings.providers if "providers" in settings.model_fields_set else {}
    if not named:
        return
    now = yield from ask(command("TIME"))
    until_s = int(now[0]) + FRESH_S
    yield tuple(
        command("HSET", keys.provider(name), "limits", Limits.of(provider).text(), "limits_until", until_s)
        for name, provider in named.items()
    )
