"""Header lines as `email.policy.SMTP` writes them, quickly where they are plain."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address, HeaderRegistry
from email.policy import SMTP
from functools import lru_cache
from typing import Any

import idna

_WIDTH = 78
"""Columns a line should keep to: RFC 5322 §2.1.1."""
_LONGEST = 998
"""Columns a line must keep to."""
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_LONG_WORD = re.compile(r"[!-~]{60,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")
_WORD = r"[^\s\x00-\x1f\x7f@<>()\[\],;:\"\\]+"
_ADDRESS = re.compile(rf"({_WORD})@({_WORD}|\[[0-9A-Za-z.:]+\])")
_WIDE = SMTP.clone(max_line_length=_LONGEST)
_STRUCTURED = frozenset(HeaderRegistry().registry) - {"subject"}


class HeaderError(ValueError):
    """A header that must not, or cannot, be sent; the text names the header, not its value."""


def header_line(name: str, value: str) -> str:
    """One header, folded where needed, with its CRLF. Raises HeaderError on a line break (header injection)."""
    length = len(name) + 2 + len(value)
    plain = length <= _WIDTH or (length <= _LONGEST and _LONG_WORD.search(value))
    if plain and _PLAIN.fullmatch(value) and "=?" not in value and name.lower() not in _STRUCTURED:
        return f"{name}: {value}\r\n"
    return _fold(name, value)


@lru_cache(maxsize=256)
def check_name(name: str) -> str:
    """The name of a producer's own header. Raises HeaderError when it may not set that one."""
    if not name.isascii() or not name.replace("-", "").isalnum():
        raise HeaderError("a header name may hold letters, digits and '-' only")
    if name.lower().startswith("content-"):
        raise HeaderError(f"header {name} is set by queuectl")
    return name


@lru_cache(maxsize=1024)
def parse_sender(sender: str) -> tuple[str, str]:
    """The envelope sender and the From line of `Name <address>`. Raises HeaderError unless it is one ASCII mailbox."""
    parsed = _parse("From", sender)
    addresses: tuple[Address, ...] = parsed.addresses
    if len(addresses) != 1 or not addresses[0].domain:
        raise HeaderError("From must hold exactly one mail address")
    mailbox = addresses[0]
    envelope = _ascii_domain(mailbox.addr_spec, "From")
    if not _ADDRESS.fullmatch(envelope) or not envelope.isascii():
        raise HeaderError("the address in From must be plain ASCII before the @")
    if envelope != mailbox.addr_spec:
        sender = str(Address(mailbox.display_name, addr_spec=envelope))
    return envelope, _fold("From", sender)


def recipient_line(address: str) -> tuple[str, str]:
    """The envelope recipient (domain in its ASCII form) and the To line. Raises HeaderError."""
    if not _ADDRESS.fullmatch(address):
        raise HeaderError("the recipient is not a mail address")
    envelope = address if address.isascii() else _ascii_domain(address, "To")
    return envelope, f"To: {envelope}\r\n"


@lru_cache(maxsize=4096)
def _a_labels(domain: str) -> str:
    """By IDNA 2008, capitals and wide forms mapped as UTS 46 has it."""
    return idna.encode(domain, uts46=True).decode("ascii")


def _ascii_domain(address: str, name: str) -> str:
    """The address with its domain as A-labels; `name` is the header it stands in. Raises HeaderError."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{domain if domain.isascii() else _a_labels(domain)}"
    except UnicodeError:
        raise HeaderError(f"the domain in {name} is not valid") from None


def _fold(name: str, value: str) -> str:
    # An over-long word (a URL) would be cut into encoded words, which no reader of List-Unsubscribe understands.
    policy = _WIDE if value.isascii() and _LONG_WORD.search(value) else SMTP
    try:
        return str(_parse(name, value).fold(policy=policy))
    except (MessageError, LookupError, AttributeError) as error:
        raise HeaderError(f"header {name} cannot be written") from error


def _parse(name: str, value: str) -> Any:
    if "\r" in value or "\n" in value:
        raise HeaderError(f"header {name} holds a line break")
    return SMTP.header_factory(name, _CONTROL.sub(" ", value))
