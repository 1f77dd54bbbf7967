"""Age by doubling buckets × domain, and reasons counted without what varies in them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from queuectl.model import WaitingSample
from queuectl.policy.qshape import BUCKETS, OTHER_JOBS, age_table, bounds, group_reasons


def test_jobs_are_counted_by_age_and_domain() -> None:
    ages = {"a.example": [0.2, 3.0, 3.5], "b.example": [0.9], "": [20.0]}
    table = age_table([WaitingSample(age, domain) for domain, found in ages.items() for age in found], 5)
    assert table.bounds_s == (1.0, 2.0, 4.0, 8.0, 16.0)
    assert not table.estimated
    assert [(row.domain, row.total, row.counts) for row in table.rows] == [
        ("a.example", 3, (1, 0, 2, 0, 0, 0)),
        (OTHER_JOBS, 1, (0, 0, 0, 0, 0, 1)),
        ("b.example", 1, (1, 0, 0, 0, 0, 0)),
    ]
    assert table.total.counts == (2, 0, 2, 0, 0, 1)


def test_a_sample_is_scaled_to_the_queue_and_says_so() -> None:
    table = age_table([WaitingSample(0.5, "a.example")] * 3 + [WaitingSample(2.5, "b.example")], 400_000)
    assert table.estimated
    assert table.total.total == 400_000
    assert [row.total for row in table.rows] == [300_000, 100_000]


def test_an_empty_queue() -> None:
    table = age_table([], 0)
    assert (table.sampled, table.total.total, table.rows) == (0, 0, ())


@pytest.mark.parametrize("oldest_s", [0.0, 31.9, 32.0, 1_068.0, 90_000.0, 1e9])
def test_buckets_double_and_reach_the_oldest(oldest_s: float) -> None:
    found = bounds(oldest_s)
    assert len(found) == BUCKETS - 1
    assert all(after == 2 * before for before, after in pairwise(found))
    assert oldest_s <= 2 * found[-1] or found[0] == 14_400.0


def test_reasons_are_grouped_without_ids_and_mailboxes() -> None:
    groups = group_reasons([
        "450 4.2.0 greylisted (id 4bXk2m9T1z)",
        "450 4.2.0 greylisted  (id 9Zz81AbC00)",
        "550 5.1.1 a…@example.com unknown",
        "550 5.1.1 b…@example.com unknown",
        "550 5.1.1 b…@example.org unknown",
        "FileNotFoundError: 12345678",
    ])  # fmt: skip
    assert [(group.count, group.reason) for group in groups] == [
        (2, "450 4.2.0 greylisted (id …)"),
        (2, "550 5.1.1 …@example.com unknown"),
        (1, "550 5.1.1 …@example.org unknown"),
        (1, "FileNotFoundError: …"),
    ]
