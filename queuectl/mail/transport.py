"""What carries a composed message away: the protocol that transports, ours and installed ones, fulfil."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from queuectl.mail.compose import Composed
from queuectl.mail.replies import Disposition

CommitPoint = Callable[[], Awaitable[None]]
"""Awaited right before a message is handed over for good: from then on it may have arrived, whatever happens to us.
What it raises stops the message before that, and goes up to the caller."""


class Transport(Protocol):
    """Sends messages to one provider; safe for many concurrent `send` calls on one event loop."""

    @property
    def connections(self) -> int:
        """Connections open now."""

    @property
    def ready(self) -> bool:
        """False while the provider cannot be reached and its back-off runs: claiming for it would be in vain."""

    @property
    def doubtful(self) -> bool:
        """The provider could not be reached when last tried: one message is enough to try again."""

    async def send(self, composed: Composed, commit_point: CommitPoint | None = None) -> Disposition:
        """Hand over one message; every failure of the network or the server is a disposition, not an exception."""

    async def close(self) -> None:
        """Close all connections; sends that still wait for one are released."""
