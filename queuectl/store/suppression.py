"""The suppression list: addresses that get no mail any more, kept as hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from queuectl.store import keys
from queuectl.store.client import Argument, Steps, ask, command

T = TypeVar("T")
PAGE = 1000
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Suppressed:
    """One entry. `digest`: the first 16 bytes of the address's SHA-256; `at_s`: server time it was added."""

    digest: bytes
    reason: str
    at_s: float


def digest(address: str) -> bytes:
    """What stands for an address: case makes no difference."""
    return hashlib.sha256(address.strip().lower().encode()).digest()[:DIGEST_BYTES]


def lookup(addresses: Sequence[str]) -> Steps[list[str | None]]:
    """Why each address is suppressed; None: it is not."""
    if not addresses:
        return []
    found = yield from ask(command("HMGET", keys.SUPPRESSED, *(digest(address) for address in addresses)))
    return [None if value is None else _decode(b"", value).reason for value in found]


def reasons_of(digests: Sequence[bytes]) -> Steps[dict[bytes, str | None]]:
    """Why each entry stands on the list, by its digest; None: it does not."""
    found: dict[bytes, str | None] = {}
    for page in _pages(digests):
        values = yield from ask(command("HMGET", keys.SUPPRESSED, *page))
        found |= {
            key: None if value is None else _decode(key, value).reason for key, value in zip(page, values, strict=True)
        }
    return found


def lookup_if_any(addresses: Sequence[str]) -> Steps[list[str | None]]:
    """The same, cheap while the list is empty."""
    used = yield from ask(command("EXISTS", keys.SUPPRESSED))
    if not used:
        return [None] * len(addresses)
    return (yield from lookup(addresses))


def add(entries: Iterable[tuple[bytes, str]]) -> Steps[int]:
    """Suppress (digest, reason); an entry that stands already keeps its reason. Returns how many are new."""
    now = yield from ask(command("TIME"))
    added = 0
    for page in _pages(entries):
        replies = yield tuple(
            command("HSETNX", keys.SUPPRESSED, key, f"{' '.join(reason.split())}|{int(now[0])}".encode())
            for key, reason in page
        )
        added += sum(replies)
    return added


def remove(digests: Iterable[bytes]) -> Steps[int]:
    """Take entries off; returns how many were on the list."""
    removed = 0
    for page in _pages(digests):
        removed += yield from ask(command("HDEL", keys.SUPPRESSED, *page))
    return removed


def scan(cursor: int = 0) -> Steps[tuple[int, tuple[Suppressed, ...]]]:
    """One page of the list, in no order, and the cursor of the next; 0 is first and last. An entry may come twice."""
    arguments: tuple[Argument, ...] = ("HSCAN", keys.SUPPRESSED, cursor, "COUNT", PAGE)
    following, found = yield from ask(command(*arguments))
    return int(following), tuple(_decode(key, value) for key, value in found.items())


def count() -> Steps[int]:
    """Entries on the list."""
    found = yield from ask(command("HLEN", keys.SUPPRESSED))
    return int(found)


def _decode(key: bytes, value: bytes) -> Suppressed:
    reason, _, at = value.decode("utf-8", "replace").rpartition("|")
    return Suppressed(key, reason, float(at) if at.isdecimal() else 0.0)


def _pages(entries: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(entries)
    while page := list(islice(iterator, PAGE)):
        yield page
