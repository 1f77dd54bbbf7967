"""How a worker's slots are shared between queues that all have work: deficit round robin on measured busy time.

After M. Shreedhar and G. Varghese, "Efficient Fair Queuing using Deficit Round Robin", SIGCOMM 1995, with the time a
message occupies a slot in place of a packet's length: it is known only while it passes, so it is charged as it passes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

REPAY_S = 1.0
"""What a queue is owed is given back over about this time."""


def owe(owed: Mapping[str, float], weights: Mapping[str, float], busy: Mapping[str, int], waiting: Collection[str],
        elapsed_s: float) -> dict[str, float]:  # fmt: skip
    """Slot-seconds each queue is behind (positive) or ahead, after `elapsed_s` with `busy` slots a queue.

    The time used is divided by weight among the queues that had work. One without work is owed nothing, and no queue
    more than `REPAY_S` of all slots: nobody saves up a monopoly.
    """
    active = {queue: weight for queue, weight in weights.items() if queue in waiting}
    total, used = sum(active.values()), sum(busy.values())
    most = used * REPAY_S
    accounts = {}
    for queue, weight in active.items():
        fair_s = used * elapsed_s * weight / total
        account = owed.get(queue, 0.0) + fair_s - busy.get(queue, 0) * elapsed_s
        accounts[queue] = max(-most, min(most, account))
    return accounts


def quotas(owed: Mapping[str, float], weights: Mapping[str, float], busy: Mapping[str, int], waiting: Collection[str],
           slots: int) -> list[tuple[str, int]]:  # fmt: skip
    """(queue, most messages it should claim now), the most behind first: its share of `slots`, corrected by what it is
    owed, less what it holds. What the quotas leave free is anybody's."""
    active = {queue: weight for queue, weight in weights.items() if queue in waiting}
    total = sum(active.values())
    room = {
        queue: slots * weight / total + owed.get(queue, 0.0) / REPAY_S - busy.get(queue, 0)
        for queue, weight in active.items()
    }
    order = sorted(room, key=lambda queue: -room[queue] / active[queue])
    return [(queue, max(0, round(room[queue]))) for queue in order]
