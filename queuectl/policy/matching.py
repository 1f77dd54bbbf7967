"""The filter of console and commands: words that must all occur, `!word` none of them, "several words" as one."""

from __future__ import annotations

import re

_WORD = re.compile(r'(!?)(?:"([^"]*)"|(\S*))')


def matches(words: str, *texts: str, labels: tuple[str, ...] = ()) -> bool:
    """Whether a row passes the filter: every word occurs in a text or begins a label, no `!word` does."""
    haystack = "\n".join(texts).lower()
    for negated, quoted, plain in _WORD.findall(words.lower()):
        needle = quoted or plain
        found = needle in haystack or any(label.startswith(needle) for label in labels)
        if needle and found is bool(negated):
            return False
    return True
