"""Scheduled jobs back to their queues, retries within their share of what the queue delivers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from queuectl.model import QueueState
from queuectl.policy.retry import RetryBudget
from queuectl.store import repair
from queuectl.store.client import AsyncStore


@dataclass(slots=True)
class Promotion:
    """The leader's memory of what retries have earned, by queue, and of where it stopped looking."""

    store: AsyncStore
    fence: str
    scheduler: str
    """Our name in RQ's scheduler locks."""
    _budgets: dict[str, RetryBudget] = field(default_factory=dict)
    _stopped_s: dict[str, float] = field(default_factory=dict)

    async def promote(self, queue: QueueState, share: float, may_go_on: Callable[[], bool]) -> None:
        """The retries that are longest due go first; behind those that have to wait, other due jobs are looked for
        while `may_go_on`, from where the last call stopped."""
        service_per_s = queue.service_per_s or queue.out_per_s
        budget = self._budgets.get(queue.name, RetryBudget())
        budget = budget.earned(service_per_s=service_per_s, share=share, now_s=time.monotonic())
        allowed = budget.allowed(service_per_s=service_per_s, depth=queue.depth)
        stopped_s = self._stopped_s.pop(queue.name, None)
        after_s: float | None = None
        while True:
            found = await self.store.run(
                repair.promote_scheduled(self.fence, queue.name, self.scheduler, retries=allowed, after_s=after_s)
            )
            allowed, budget = allowed - found.retries, budget.spent(found.retries)
            after_s = found.last_s
            if after_s is None or not may_go_on():
                break
            if not allowed and stopped_s is not None:
                after_s, stopped_s = max(after_s, stopped_s), None
        self._budgets[queue.name] = budget
        if after_s is not None:
            self._stopped_s[queue.name] = after_s
