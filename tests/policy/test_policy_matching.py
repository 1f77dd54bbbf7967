"""The filter of console and commands."""

from __future__ import annotations

import pytest

from queuectl.policy.matching import matches

TEXTS = ("m-1", "a…@example.org  Your digest", "550 5.1.1 No such user")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", True),
        ("  ", True),
        ("5.1.1", True),
        ("5.1.1 @EXAMPLE.org", True),
        ("5.1.1 @example.com", False),
        ("!5.7.1", True),
        ("digest !5.1.1", False),
        ('"no such"', True),
        ('"such no"', False),
        ('!"no such"', False),
        ('""', True),
        ("!", True),
        ('"unclosed', False),
        ("fai", True),
        ("ailed", False),
    ],
)
def test_words(words: str, found: bool) -> None:
    assert matches(words, *TEXTS, labels=("failed",)) is found
