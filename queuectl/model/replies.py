"""How tries end: over time, for a provider or a queue, and what keeps a message back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RetryClass(StrEnum):
    """What kept a message from being delivered, as far as it says when to try again."""

    RECIPIENT = "recipient"
    GREYLISTED = "greylisted"
    """Taken on a second try: come back soon."""
    PROVIDER = "provider"
    """Throttling, or the server's trouble."""
    CONNECTION = "connection"
    ACCOUNT = "account"
    SENDER = "sender"
    MESSAGE = "message"
    AMBIGUOUS = "ambiguous"
    """No answer to the final dot."""


@dataclass(frozen=True, slots=True)
class ReplyHistory:
    """Counts by class, a number a minute. Classes: `delivered`, `throttled`, `reputation`, and `deferred WHOM` and
    `failed WHOM`, with whom one of recipient, provider, sender, account, message, connection, ambiguous."""

    start_s: float
    """Server time at which the first minute begins, epoch seconds."""
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Class -> messages in each minute, oldest first, the last one not over yet; all of one length."""
    texts: tuple[tuple[str, int], ...] = ()
    """What was said and how often in the hours looked at, most often first; without addresses and ids."""

    @property
    def totals(self) -> dict[str, int]:
        return {name: sum(numbers) for name, numbers in self.counts.items()}
