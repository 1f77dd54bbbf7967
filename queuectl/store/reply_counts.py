"""Replies by class over time: counted by the minute, kept for a day, bounded by hours and not by messages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from queuectl.model import ReplyHistory
from queuectl.store import keys
from queuectl.store.client import Argument, Steps, ask, command, script
from queuectl.store.scripts import load

COUNT = load("count_replies")
HOUR_S, MINUTE_S = 3600, 60
KEPT_S = 25 * HOUR_S
TEXTS_AN_HOUR = 100
TEXTS_SHOWN = 20
ENTRIES_A_CALL = 300
WINDOW_S = 24 * 3600.0

Entry = tuple[str, str, str]
"""Whose (`provider:NAME` or `queue:NAME`), class, text."""


def count(entries: Mapping[Entry, int]) -> Steps[None]:
    """Add to this minute's numbers."""
    rows = list(entries.items())
    for start in range(0, len(rows), ENTRIES_A_CALL):
        arguments: list[Argument] = [KEPT_S, TEXTS_AN_HOUR]
        for (whose, kind, text), number in rows[start : start + ENTRIES_A_CALL]:
            arguments += (whose, kind, text, number)
        yield (script(COUNT, (), arguments),)


def replies(provider: str, window_s: float = WINDOW_S) -> Steps[ReplyHistory]:
    """What a provider answered in the last `window_s` seconds, at most a day."""
    return (yield from _history(f"provider:{provider}", window_s))


def replies_of_queue(queue: str, window_s: float = WINDOW_S) -> Steps[ReplyHistory]:
    """The same for the messages of one queue."""
    return (yield from _history(f"queue:{queue}", window_s))


def _history(whose: str, window_s: float) -> Steps[ReplyHistory]:
    now = yield from ask(command("TIME"))
    last = int(now[0]) // MINUTE_S
    minutes = max(1, min(math.ceil(window_s / MINUTE_S), int(WINDOW_S / MINUTE_S)))
    first = last - minutes + 1
    hours = range(first * MINUTE_S // HOUR_S, last * MINUTE_S // HOUR_S + 1)
    hashes = [keys.replies(whose, hour) for hour in hours]
    found = yield tuple(command("HGETALL", key) for name in hashes for key in (name, f"{name}:texts"))
    counts: dict[str, list[int]] = {}
    for hour, record in zip(hours, found[::2], strict=True):
        _add(counts, record, hour * HOUR_S // MINUTE_S - first, minutes)
    texts = Counter[str]()
    for record in found[1::2]:
        texts.update({text.decode("utf-8", "replace"): int(number) for text, number in record.items()})
    return ReplyHistory(
        float(first * MINUTE_S),
        {kind: tuple(numbers) for kind, numbers in sorted(counts.items())},
        tuple(texts.most_common(TEXTS_SHOWN)),
    )


def _add(counts: dict[str, list[int]], record: Mapping[bytes, Any], offset: int, minutes: int) -> None:
    """Put an hour's numbers at their place; `offset`: minutes from the first one shown to the hour's first."""
    for field, number in record.items():
        minute, _, kind = field.decode().partition(":")
        place = offset + int(minute)
        if 0 <= place < minutes:
            counts.setdefault(kind, [0] * minutes)[place] += int(number)
