"""What a change needs to know of its queue: policy, controls, counts, rates, in one round trip."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from queuectl.model import QueueState, UsageError
from queuectl.policy.forecast import Flow, flow_of
from queuectl.policy.forecast_words import compare
from queuectl.policy.rates import Rates
from queuectl.settings import Settings
from queuectl.store import keys, series
from queuectl.store.aside import waiting_list
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.decode import queue_state, worker_state
from queuectl.store.ids import PREFIX
from queuectl.store.reader import READ
from queuectl.store.scripts import load

COUNT_OLDER = load("count_older")


@dataclass(frozen=True, slots=True)
class Facts:
    """A queue now."""

    queue: QueueState
    now_s: float

    def forecast(
        self, change: Callable[[Flow], Flow], *, stale: int = 0, most_per_s: float = math.inf
    ) -> tuple[str, ...]:
        """Before → after, a line a figure. `stale`: what waits past the max age, where that was counted; `most_per_s`:
        what its provider takes."""
        now = flow_of(self.queue, stale=stale, most_per_s=most_per_s)
        return compare(now, change(now))


def of_queue(name: str, settings: Settings) -> Steps[Facts]:
    """Read the queue. Raises UsageError when no such queue exists, naming those that do."""
    known, (row,), latest, policy_stored = yield (
        command("SMEMBERS", keys.QUEUES),
        script(READ, (), (PREFIX, name)),
        command("GET", keys.LATEST),
        command("EXISTS", keys.policy(name)),
    )
    prefix = keys.queue("")
    names = {raw.decode().removeprefix(prefix) for raw in known} | set(settings.queues)
    names |= {queue for pool in settings.pools.values() for queue in pool.queues}
    if name not in names and not policy_stored and not any(row[1:7]):
        raise UsageError(f"no queue {name!r}; known queues: {', '.join(sorted(names)) or 'none'}")
    worker_keys = [raw.decode() for raw in row[17]]
    records = (yield tuple(command("HGETALL", key) for key in worker_keys)) if worker_keys else []
    now_s = float(row[18])
    workers = [worker_state(key, record, now_s) for key, record in zip(worker_keys, records, strict=True) if record]
    state, _ = queue_state(row, workers, settings.queues.get(name))
    rates = series.published_rates(latest).get(name, Rates())
    return Facts(series.with_rates(state, rates), now_s)


def count_older(name: str, cutoff_s: float) -> Steps[int]:
    """About how many waiting messages were created before `cutoff_s` (server time)."""
    waiting = yield from waiting_list(name)
    number: int = yield from ask(script(COUNT_OLDER, (waiting,), (f"{cutoff_s:.3f}",)))
    return number
