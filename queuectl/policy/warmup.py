"""How much a provider may be given on a day of its warm-up; lib/rate.lua reads a schedule by the same rules."""

from __future__ import annotations

from collections.abc import Sequence

DAY_S = 86400


def most_on(day: int, started_day: int, per_day: Sequence[int]) -> int | None:
    """Most messages on `day`; None: the warm-up is over. Days are counted from the epoch, UTC."""
    nth = day - started_day
    if nth < 0:
        return 0
    return per_day[nth] if nth < len(per_day) else None
