"""Job ids. At most 22 characters of RQ's alphabet, so a waiting job stays small."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode

PREFIX = "m-"
"""Marks jobs admitted by us: they are counted from the start, others are adopted when claimed."""
_BUCKETS_MASK = 0x7FFF
"""32,768 sets a campaign: at ten million recipients ~305 members each, below the server's intset limit of 512."""


def new_id() -> str:
    """A random id: 120 bits."""
    return PREFIX + urlsafe_b64encode(secrets.token_bytes(15)).decode()


def new_ids(number: int) -> list[str]:
    """Many at once: one read of the system's randomness."""
    raw = secrets.token_bytes(15 * number)
    return [PREFIX + urlsafe_b64encode(raw[start : start + 15]).decode() for start in range(0, len(raw), 15)]


def campaign_id(campaign: str, recipient: str) -> tuple[str, int, int]:
    """The one id that `recipient` can have in `campaign`, and where the campaign remembers it: (id, bucket, member).

    `member` is a signed 64-bit integer, which a Redis set stores in eight bytes.
    """
    return _derived(f"{campaign}\0{recipient.strip().lower()}")


def event_id(identity: str) -> tuple[str, int, int]:
    """The same for a message of an event: `identity` tells it from all other messages of all events."""
    return _derived(f"event\0{identity}")


def _derived(text: str) -> tuple[str, int, int]:
    digest = hashlib.sha256(text.encode()).digest()
    job_id = PREFIX + urlsafe_b64encode(digest[:15]).decode()
    bucket = int.from_bytes(digest[23:25], "big") & _BUCKETS_MASK
    return job_id, bucket, int.from_bytes(digest[15:23], "big", signed=True)
