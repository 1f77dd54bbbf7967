"""DKIM signatures (RFC 6376) by dkimpy, which the extra `queuectl[dkim]` installs.

A signature by RSA 2048 costs about 7 ms of a core, nearly all of it in Python's `pow`: 140 messages a second a worker.
A relay that signs in C, or the provider's own signature, costs us nothing.
"""

from __future__ import annotations

from pathlib import Path

from queuectl.model import UsageError
from queuectl.settings import DkimSettings

_SIGNED = (
    b"from", b"to", b"subject", b"date", b"message-id", b"reply-to", b"mime-version", b"content-type",
    b"content-transfer-encoding", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post",
)  # fmt: skip


class Signer:
    """Signs with one key."""

    def __init__(self, settings: DkimSettings) -> None:
        """Raises UsageError without dkimpy, or without a usable key."""
        try:
            import dkim
        except ImportError:
            raise UsageError("delivery.dkim needs the extra `dkim`: pip install 'queuectl[dkim]'") from None
        self._sign = dkim.sign
        self._selector = settings.selector.encode()
        self._domain = settings.domain.encode()
        try:
            self._key = Path(settings.key_file).read_bytes()
            self.signed(b"From: <a@example.org>\r\n\r\n\r\n")
        except OSError as error:
            raise UsageError(f"delivery.dkim.key_file {settings.key_file}: {error.strerror}") from None
        except Exception as error:
            raise UsageError(f"delivery.dkim.key_file {settings.key_file}: not an RSA key in PEM: {error}") from None

    def signed(self, payload: bytes) -> bytes:
        """The message with its DKIM-Signature in front."""
        head = b"\r\n" + payload[: payload.index(b"\r\n\r\n")].lower()
        present = [name for name in _SIGNED if b"\r\n" + name + b":" in head]
        # From stands twice: a second From that someone adds breaks the signature.
        signature: bytes = self._sign(
            payload, self._selector, self._domain, self._key, include_headers=[*present, b"from"]
        )
        return signature + payload
