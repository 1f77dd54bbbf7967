"""Opening an SMTP session: TCP, TLS, greeting, EHLO, login."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from collections.abc import Callable

from queuectl.mail.replies import Disposition, Outcome, Phase, Reply, Scope, classify, unanswered
from queuectl.mail.smtp_session import SessionLost, SmtpSession
from queuectl.settings import ProviderSettings


class OpeningFailed(Exception):
    """No session: `disposition` is what that means for a message; never a failure of its recipient."""

    def __init__(self, disposition: Disposition) -> None:
        super().__init__(disposition.reason)
        self.disposition = disposition


async def open_session(provider: ProviderSettings, password: str | None, context: ssl.SSLContext | None,
                       on_closed: Callable[[SmtpSession], None]) -> SmtpSession:  # fmt: skip
    """Connect and get ready for the first message. Raises OpeningFailed; `context` is needed unless `tls` is none."""
    session = SmtpSession(provider.timeouts, on_closed)
    try:
        await _connect(session, provider, context)
        await _greet(session, provider, password, context)
    except OpeningFailed as failed:
        session.abort(failed.disposition.reason)
        raise
    except SessionLost as lost:
        session.abort(str(lost))
        raise OpeningFailed(unanswered(Phase.CONNECT, str(lost))) from lost
    except (OSError, UnicodeError) as error:
        session.abort("cannot connect")
        raise OpeningFailed(_unreachable(_network_cause(error))) from error
    except BaseException:
        session.abort("cancelled")
        raise
    session.opened()
    return session


async def _connect(session: SmtpSession, provider: ProviderSettings, context: ssl.SSLContext | None) -> None:
    implicit = context if provider.tls == "implicit" else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(provider.timeouts.connect_s):
        await loop.create_connection(lambda: session, provider.host, provider.port, ssl=implicit)


async def _greet(session: SmtpSession, provider: ProviderSettings, password: str | None,
                 context: ssl.SSLContext | None) -> None:  # fmt: skip
    _require(await session.reply(), 220, Phase.CONNECT)
    await _hello(session)
    if provider.tls == "starttls" and context is not None:
        if "STARTTLS" not in session.extensions:
            raise OpeningFailed(_unreachable("server does not offer STARTTLS"))
        _require(await session.command("STARTTLS", Phase.CONNECT), 220, Phase.CONNECT)
        async with asyncio.timeout(provider.timeouts.command_s):
            await session.start_tls(context, provider.host)
        await _hello(session)
    if provider.username:
        await _log_in(session, provider.username, password or "")


async def _hello(session: SmtpSession) -> None:
    reply = await session.command(f"EHLO {_own_name(session)}", Phase.CONNECT)
    _require(reply, 250, Phase.CONNECT)
    words = (line.upper().split(maxsplit=1) for line in reply.text.split("\n")[1:])
    session.extensions = {parts[0]: parts[1] if len(parts) > 1 else "" for parts in words if parts}


async def _log_in(session: SmtpSession, username: str, password: str) -> None:
    offered = session.extensions.get("AUTH", "").split()
    if "PLAIN" in offered:
        reply = await session.command("AUTH PLAIN " + _base64(f"\0{username}\0{password}"), Phase.AUTH)
    elif "LOGIN" in offered:
        _require(await session.command("AUTH LOGIN", Phase.AUTH), 334, Phase.AUTH)
        _require(await session.command(_base64(username), Phase.AUTH), 334, Phase.AUTH)
        reply = await session.command(_base64(password), Phase.AUTH)
    else:
        raise OpeningFailed(Disposition(Outcome.RETRY, Scope.ACCOUNT, False, "server offers no AUTH PLAIN or LOGIN"))
    _require(reply, 235, Phase.AUTH)


def _require(reply: Reply, code: int, phase: Phase) -> None:
    if reply.code != code:
        raise OpeningFailed(classify(reply, phase))


def _own_name(session: SmtpSession) -> str:
    """Our host's full name, else our address as a literal, as RFC 5321 §4.1.3 has it."""
    name = socket.gethostname()
    if "." in name or session.transport is None:
        return name
    address = session.transport.get_extra_info("sockname")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _unreachable(why: str) -> Disposition:
    return Disposition(Outcome.RETRY, Scope.CONNECTION, False, why)


def _network_cause(error: OSError | UnicodeError) -> str:
    """Stable words for a failed connect: the system's own text holds addresses and ports."""
    if isinstance(error, TimeoutError):
        return "cannot connect: timed out"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "cannot connect: host name not found"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'handshake').lower().replace('_', ' ')}"
    return f"cannot connect: {os.strerror(error.errno).lower() if error.errno else 'no address answers'}"
