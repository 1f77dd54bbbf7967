"""A warm-up's days."""

from __future__ import annotations

import pytest

from queuectl.policy.warmup import most_on


@pytest.mark.parametrize(("day", "most"), [(99, 0), (100, 50), (101, 100), (102, 400), (103, None), (9999, None)])
def test_each_day_has_its_number_and_the_last_ends_it(day: int, most: int | None) -> None:
    assert most_on(day, 100, (50, 100, 400)) == most
