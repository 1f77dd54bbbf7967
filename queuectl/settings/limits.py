"""Limits beyond a plain rate: a provider's warm-up, what receivers take, when to try again."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, StringConstraints

from queuectl.settings.section import Section

Domain = Annotated[str, StringConstraints(to_lower=True, pattern=r"^[^\s@,;]{1,253}$")]


class WarmupSettings(Section):
    """A new sending address earns its reputation day by day. Days are UTC, by the server's clock."""

    started: date
    """The first day. Before it the provider gets nothing: its mail takes the fallback, or waits."""
    per_day: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, max_length=366)
    """Most messages on the first day, the second, …; after the last day there is no such limit."""


class ReceiverSettings(Section):
    """Domains that one receiver serves, and what it takes from us, over all providers and workers."""

    domains: tuple[Domain, ...] = Field(min_length=1, max_length=1000)
    rate_per_s: float = Field(gt=0)
    """Most messages a second to these domains together."""
    burst: int = Field(default=20, ge=1)
    """Messages that may go at once above the rate."""


class RetrySettings(Section):
    """Delays between tries. With equal jitter: half of a delay to all of it."""

    base_s: float | None = Field(default=None, gt=0, le=86400)
    """Longest delay before the first retry; doubles each time. Unset: the usual one of the class."""
    cap_s: float | None = Field(default=None, gt=0, le=86400)
    """Longest delay between two tries."""
