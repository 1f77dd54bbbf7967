"""Which rows are shown, and in which order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from queuectl.model import QueueState
from queuectl.policy.diagnosis import condition
from queuectl.policy.matching import matches


@dataclass(frozen=True, slots=True)
class Order:
    """A sort: the column's key, and whether the largest comes first."""

    column: str
    descending: bool = False


def _number(value: float | None) -> float:
    """Unknown sorts below everything known."""
    return -math.inf if value is None else value


SORT_KEYS: dict[str, Callable[[QueueState], float | str]] = {
    "queue": lambda queue: queue.name,
    "state": lambda queue: condition(queue).severity,
    "class": lambda queue: queue.policy.queue_class.value,
    "depth": lambda queue: queue.depth,
    "in": lambda queue: _number(queue.in_per_s),
    "out": lambda queue: _number(queue.out_per_s),
    "oldest": lambda queue: _number(queue.oldest_s),
    "wait": lambda queue: _number(queue.wait_p95_s),
    "eta": lambda queue: 0.0 if queue.backlog == 0 else _number(queue.eta_s),
    "surge": lambda queue: queue.surge,
    "overflow": lambda queue: queue.overflow,
    "failed": lambda queue: queue.failed,
    "workers": lambda queue: queue.workers + queue.stock_workers,
    "in_flight": lambda queue: queue.in_flight,
    "scheduled": lambda queue: queue.scheduled,
    "deferred": lambda queue: queue.deferred,
    "shed_stored": lambda queue: queue.shed_stored,
    "direction": lambda queue: queue.direction.value,
    "shed": lambda queue: queue.shed.value,
    "max_age": lambda queue: queue.policy.max_age_s,
    "provider": lambda queue: queue.policy.provider,
    "ledger": lambda queue: abs(queue.ledger.residue),
}

TEXT_COLUMNS = frozenset({"queue", "class", "direction", "shed", "provider"})
"""They sort upwards at first; numbers sort downwards: the largest is what one looks for."""

CLASS_ORDER = {"protected": 0, "normal": 1, "bulk": 2}


def natural_order(queue: QueueState) -> tuple[int, str]:
    """Without a sort: the dearest mail first, then by name, so that rows keep their places."""
    return (CLASS_ORDER[queue.policy.queue_class.value], queue.name)


def sort_queues(queues: Iterable[QueueState], order: Order | None) -> list[QueueState]:
    """Sorted; ties keep the natural order whichever the direction."""
    rows = sorted(queues, key=natural_order)
    return sorted(rows, key=SORT_KEYS[order.column], reverse=order.descending) if order else rows


def first_order(column: str) -> Order:
    """The direction a column sorts in when it is chosen."""
    return Order(column, descending=column not in TEXT_COLUMNS)


def filter_queues(queues: Iterable[QueueState], words: str) -> list[QueueState]:
    """Queues whose name contains the words, or whose class, state, direction or shed state begins with them."""
    return [queue for queue in queues if matches(words, queue.name, labels=_labels(queue))]


def _labels(queue: QueueState) -> tuple[str, ...]:
    shed = "shedding" if queue.shed.value == "on" else ""
    assisted = "assisted" if queue.assisted else ""
    return (queue.policy.queue_class.value, condition(queue).value, queue.direction.value, shed, assisted)
