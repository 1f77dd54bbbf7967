"""Strict order without starvation: a queue that has waited far too long gets a small share before its turn."""

from __future__ import annotations

from collections.abc import Mapping

AGED_AFTER = 10.0
"""A queue is aged when its oldest message has waited so many times the wait it should keep."""
AGED_SHARE = 0.05
"""Of the slots, for each aged queue; at least one slot."""
AGED_MOST = 0.2
"""Of the slots, for all aged queues together; at least one slot."""


def aged_shares(waited_s: Mapping[str, float], target_wait_s: Mapping[str, float], busy: Mapping[str, int],
                slots: int) -> list[tuple[str, int]]:  # fmt: skip
    """(queue, most messages it should claim before its turn), the most overdue first; queues whose share is in use are
    left out. `waited_s`: by queue, how long its oldest message has waited, as far as is known; `busy`: slots in use."""
    overdue = {queue: waited / target_wait_s[queue] for queue, waited in waited_s.items()}
    aged = sorted((queue for queue, times in overdue.items() if times > AGED_AFTER), key=lambda queue: -overdue[queue])
    each, left = max(1, int(slots * AGED_SHARE)), max(1, int(slots * AGED_MOST))
    shares = []
    for queue in aged:
        share = min(each, left) - busy.get(queue, 0)
        left = max(0, left - each)
        if share > 0:
            shares.append((queue, share))
    return shares
