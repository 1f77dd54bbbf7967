from __future__ import annotations

import pytest

from queuectl.cli.durations import parse_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("4h", 14_400), ("2d", 172_800), ("1h30m", 5_400), ("1d2h3m4s", 93_784), ("90", 90),
     ("1.5h", 5_400), (" 10M ", 600), ("0.5s", 0.5)],
)  # fmt: skip
def test_lengths_of_time_are_understood(text: str, seconds: float) -> None:
    assert parse_s(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "3x", "1m1h", "-5m", "1 h", "0", "0s", "99999d", "nan", "inf", "1e3"])
def test_anything_else_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"15m, 4h, 2d|more than 0"):
        parse_s(text)
