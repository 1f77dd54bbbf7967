"""List-Unsubscribe (RFC 2369) with One-Click (RFC 8058), and the tokens in its URLs."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping

from queuectl.mail.headers import HeaderError
from queuectl.model import UsageError
from queuectl.settings import UnsubscribeSettings

MAC_BYTES = 16
LONGEST_URL = 950
"""A line has at most 998 characters."""
_URL = re.compile(r"https?://[!-;=?-~]+")


def token(address: str, secret: str) -> str:
    """What stands for a recipient in an unsubscribe URL: readable by whoever sees it, made only with the secret."""
    return f"{_base64(address.encode())}.{_base64(_mac(address, secret))}"


def address_of(token: str, secret: str) -> str | None:
    """The recipient that a token was made for; None: it was not made with this secret."""
    name, _, mac = token.partition(".")
    try:
        address = urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode()
        given = urlsafe_b64decode(mac + "=" * (-len(mac) % 4))
    except ValueError:
        return None
    return address if hmac.compare_digest(given, _mac(address, secret)) else None


class Unsubscribe:
    """Writes the headers for one installation's settings."""

    def __init__(self, settings: UnsubscribeSettings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._mailto = f"<mailto:{settings.mailto}?subject=unsubscribe>" if settings.mailto else ""
        self._secret = environ.get(settings.secret_env, "")

    def lines(self, url: str, recipient: str) -> str:
        """For a bulk message, whose template may name a URL itself; empty where nothing is set. Raises HeaderError when
        that is none, UsageError when the variable that should hold the secret is not set."""
        if url or not self._settings.url:
            return self._lines(url)
        if not self._secret:
            raise UsageError(f"environment variable {self._settings.secret_env} (the secret for unsubscribe tokens) is "
                             "not set")  # fmt: skip
        return self._lines(self._settings.url.replace("{token}", token(recipient, self._secret)))

    def lines_for(self, url: str, _: str) -> str:
        """For any other message: only if its template names a URL. Raises HeaderError."""
        return self._lines(url) if url else ""

    def _lines(self, url: str) -> str:
        if url and not _URL.fullmatch(url):
            raise HeaderError("Unsubscribe is not a URL")
        if len(url) > LONGEST_URL:
            raise HeaderError(f"Unsubscribe is longer than {LONGEST_URL} characters")
        # A place a line: the library would begin with an empty one where both together are too long.
        places = ",\r\n ".join(filter(None, [f"<{url}>" if url else "", self._mailto]))
        if not places:
            return ""
        lines = f"List-Unsubscribe: {places}\r\n"
        # RFC 8058 §3.1: One-Click is for https only.
        return f"{lines}List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https:") else lines


def _mac(address: str, secret: str) -> bytes:
    return hmac.digest(secret.encode(), address.encode(), hashlib.sha256)[:MAC_BYTES]


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
