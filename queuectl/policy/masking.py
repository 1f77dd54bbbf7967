"""Mail addresses made unreadable before they reach a log, a reason or a screen."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"[^\s@<>()\[\],;:\"'=]+@[^\s@<>()\[\],;:\"'=]*[^\s@<>()\[\],;:\"'=.]")
"""Anything that reads as an address, generously: to mask too much is harmless."""


def mask_address(address: str) -> str:
    """`ana@example.org` -> `a…@example.org`; what holds no `@` is hidden whole."""
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}" if at else "…"


def mask_text(text: str) -> str:
    """The text with every address in it masked."""
    return ADDRESS.sub(lambda found: mask_address(found[0]), text)
