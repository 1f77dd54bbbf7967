"""What can carry a composed message away, and which one a provider's settings ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from queuectl.mail.compose import Composed
from queuectl.mail.replies import DELIVERED, Disposition
from queuectl.mail.smtp import ConnectionLeases, SmtpTransport
from queuectl.model import UsageError
from queuectl.settings import ProviderSettings


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

    async def send(self, composed: Composed) -> Disposition:
        """Hand over one message; every failure of the network or the server is a disposition, not an exception."""

    async def close(self) -> None:
        """Close all connections; sends that still wait for one are released."""


class NullTransport:
    """Accepts everything and sends nothing."""

    connections = 0
    ready = True
    doubtful = False

    async def send(self, composed: Composed) -> Disposition:  # noqa: ARG002
        return DELIVERED

    async def close(self) -> None:
        return None


def open_transport(provider: ProviderSettings, environ: Mapping[str, str],
                   leases: ConnectionLeases | None = None) -> Transport:  # fmt: skip
    """The transport for a provider; nothing connects before the first message. `leases` bounds the connections of all
    workers together.

    Raises UsageError when the environment variable that should hold the password is not set.
    """
    if provider.transport == "null":
        return NullTransport()
    if provider.password_env and provider.password_env not in environ:
        raise UsageError(f"environment variable {provider.password_env} (the password for {provider.username!r} at "
                         f"{provider.host}) is not set")  # fmt: skip
    password = environ.get(provider.password_env) if provider.password_env else None
    return SmtpTransport(provider, password, leases)
