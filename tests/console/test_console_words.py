"""Numbers and ages as an operator reads them."""

from __future__ import annotations

import math
from datetime import UTC

import pytest

from queuectl.console import words
from queuectl.console.glyphs import ASCII


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0s"),
        (0.3, "0.3s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.6, "1m"),
        (80, "1m20s"),
        (1068, "17m48s"),
        (3600, "1h"),
        (15_000, "4h10m"),
        (3 * 86_400 + 4 * 3600, "3d4h"),
        (math.inf, "never"),
    ],
)
def test_ages(seconds: float | None, text: str) -> None:
    assert words.age(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (80, "1m"), (10_800, "3h"), (math.inf, "never"), (None, "–")]
)
def test_forecast_ages_have_one_unit(seconds: float | None, text: str) -> None:
    assert words.coarse(seconds) == text


@pytest.mark.parametrize(("per_s", "text"), [(None, "–"), (0.0, "0"), (0.4, "0.4"), (9.96, "10"), (5012.3, "5,012")])
def test_rates(per_s: float | None, text: str) -> None:
    assert words.rate(per_s) == text


def test_counts_sizes_shares_and_durations() -> None:
    assert words.count(1_204_442) == "1,204,442"
    assert words.count(None, ASCII) == "-"
    assert words.short(4_412) == "4.4k"
    assert words.size(29_760_000) == "29.8 MB"
    assert words.size(None) == "–"
    assert words.percent(0.971) == "97%"
    assert words.duration(14_400) == "4h"
    assert words.duration(None) == "no expiry"


def test_an_estimate_is_marked_and_the_unknown_is_not() -> None:
    assert words.estimated("40", True) == "≈40"
    assert words.estimated("–", True) == "–"


def test_clocks() -> None:
    assert words.clock(0.0, UTC) == "00:00:00"
    assert words.clock_short(3_660.0, UTC) == "01:01"


def test_text_of_others_cannot_move_the_cursor() -> None:
    assert words.plain("a\x1b[2Jb\nc") == "a [2Jb c"
    assert words.plain("17m → 4h…", ASCII) == "17m > 4h~"
    assert words.plain("žluť", ASCII) == "?lu?"


def test_what_is_cut_says_so() -> None:
    assert words.fit("notifications", 8) == "notific…"
    assert words.fit("forum", 8) == "forum"
