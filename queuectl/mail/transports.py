"""Which transport a provider's settings ask for: one of ours, or one that an installed package brings.

A package adds a transport with an entry point of the group `queuectl.transports`: its name is what `transport` says in
the settings, and it is called like `open_transport` and returns a `Transport`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from queuectl.mail.compose import Composed
from queuectl.mail.maildir import MaildirTransport
from queuectl.mail.replies import DELIVERED, Disposition
from queuectl.mail.smtp import ConnectionLeases, SmtpTransport
from queuectl.mail.transport import CommitPoint, Transport
from queuectl.model import UsageError
from queuectl.settings import ProviderSettings
from queuectl.settings.transports import installed, unknown

Open = Callable[[ProviderSettings, Mapping[str, str], ConnectionLeases | None], Transport]


class NullTransport:
    """Accepts everything and sends nothing: for benches."""

    connections = 0
    ready = True
    doubtful = False

    async def send(self, composed: Composed, commit_point: CommitPoint | None = None) -> Disposition:  # noqa: ARG002
        if commit_point is not None:
            await commit_point()
        return DELIVERED

    async def close(self) -> None:
        return None


def open_transport(provider: ProviderSettings, environ: Mapping[str, str],
                   leases: ConnectionLeases | None = None) -> Transport:  # fmt: skip
    """The transport for a provider; nothing connects before the first message. `leases` bounds the connections of all
    workers together.

    Raises UsageError when the environment variable that should hold the password is not set, and when an installed
    package's transport cannot be loaded.
    """
    return (_OWN.get(provider.transport) or _installed(provider.transport))(provider, environ, leases)


def password_of(provider: ProviderSettings, environ: Mapping[str, str]) -> str | None:
    """The provider's password; None: it has none. Raises UsageError when its environment variable is not set."""
    if provider.password_env and provider.password_env not in environ:
        raise UsageError(f"environment variable {provider.password_env} (the password for {provider.username!r} at "
                         f"{provider.host}) is not set")  # fmt: skip
    return environ.get(provider.password_env) if provider.password_env else None


def _smtp(provider: ProviderSettings, environ: Mapping[str, str], leases: ConnectionLeases | None) -> Transport:
    return SmtpTransport(provider, password_of(provider, environ), leases)


_OWN: Mapping[str, Open] = {
    "maildir": lambda provider, _, __: MaildirTransport(provider.path),
    "null": lambda _, __, ___: NullTransport(),
    "smtp": _smtp,
}


def _installed(name: str) -> Open:
    found = installed().get(name)
    if found is None:
        raise UsageError(unknown(name))
    try:
        opened: Open = found.load()
    except Exception as error:
        where = f"{found.value} of {found.dist.name}" if found.dist else found.value
        raise UsageError(f"transport {name!r} ({where}) cannot be loaded: {type(error).__name__}: {error}") from error
    return opened
