"""One simulated pool: workers that start after a delay, slots that are busy, and whom they serve first."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Set

from queuectl.policy.direction import oldest_among
from queuectl.simulate.line import Line
from queuectl.simulate.providers import Tokens
from queuectl.simulate.scenario import Pool, Scenario

SMOOTHING = 0.1
"""Weight of the newest second in the token wait share: a time constant of ten seconds."""


class Staff:
    """A pool's workers. A second has `live` x concurrency slot seconds; a message costs its queue's busy time."""

    def __init__(self, pool: Pool, scenario: Scenario) -> None:
        self.pool = pool
        self.live = self.desired = pool.workers
        self.token_wait_share = 0.0
        self.busy_s = {name: scenario.queues[name].busy_ms / 1000 for name in pool.queues}
        self._provider = {name: scenario.queues[name].provider for name in pool.queues}
        self._oldest_share = scenario.thresholds.lifo.oldest_share
        self._oldest_owed = dict.fromkeys(pool.queues, 0.0)
        self._starting: deque[tuple[float, int]] = deque()
        self._carried_s = 0.0

    def ask(self, desired: int, now_s: int) -> None:
        """Start workers, which claim after the start delay, or let the youngest go."""
        self.desired = desired
        coming = sum(count for _, count in self._starting)
        if desired > self.live + coming:
            self._starting.append((now_s + self.pool.start_delay_s, desired - self.live - coming))
        while self._starting and desired < self.live + coming:
            ready_s, count = self._starting.pop()
            kept = max(0, count - (self.live + coming - desired))
            coming -= count - kept
            if kept:
                self._starting.append((ready_s, kept))
        self.live = min(self.live, desired)

    def arrive(self, now_s: int) -> None:
        """Workers whose start delay is over begin to claim."""
        while self._starting and self._starting[0][0] <= now_s:
            self.live += self._starting.popleft()[1]

    def fill(self, lines: Mapping[str, Line]) -> None:
        """Claims help themselves from surge, so that no worker idles beside it."""
        slot_s = self._slot_seconds()
        for name, busy_s in self.busy_s.items():
            lines[name].shift("surge", "primary", math.ceil(slot_s / busy_s) - lines[name].primary)

    def demand(self, lines: Mapping[str, Line]) -> Tokens:
        """What it could deliver in this second, by provider, were there no limit."""
        wanted: Tokens = {}
        for name, provider in self._provider.items():
            wanted[provider] = wanted.get(provider, 0.0) + lines[name].primary
        most = self._slot_seconds() / min(self.busy_s.values())
        return {provider: min(count, most) for provider, count in wanted.items()}

    def work(self, lines: Mapping[str, Line], tokens: Tokens, newest: Set[str], now_s: int) -> None:
        """One second. `newest`: the queues that are claimed newest first."""
        budget_s = self._slot_seconds()
        serve = self._strict if self.pool.order == "strict" else self._shared
        left_s = serve(lines, tokens, newest, now_s, budget_s)
        waiting_s = {name: lines[name].primary * self.busy_s[name] for name in self.pool.queues}
        blocked_s = sum(work_s for name, work_s in waiting_s.items() if tokens[self._provider[name]] < 1)
        lacked_s = min(left_s, blocked_s)
        share = lacked_s / (budget_s - left_s + lacked_s) if lacked_s else 0.0
        self.token_wait_share += SMOOTHING * (share - self.token_wait_share)
        # A slot that began a message at the end of this second finishes it in the next one.
        self._carried_s = left_s if any(waiting_s.values()) and left_s < max(self.busy_s.values()) else 0.0

    def _slot_seconds(self) -> float:
        return self.live * self.pool.concurrency + self._carried_s

    def _strict(
        self, lines: Mapping[str, Line], tokens: Tokens, newest: Set[str], now_s: int, budget_s: float
    ) -> float:
        for name, busy_s in self.busy_s.items():
            line, provider = lines[name], self._provider[name]
            count = int(min(line.primary, budget_s / busy_s + 1e-6, tokens[provider]))
            if not count:
                continue
            if name in newest:
                self._both_ends(name, line, count, now_s)
            else:
                line.deliver(now_s, count, newest=False)
            tokens[provider] -= count
            budget_s = max(0.0, budget_s - count * busy_s)
        return budget_s

    def _both_ends(self, name: str, line: Line, count: int, now_s: int) -> None:
        """Newest first, but for the share of the oldest."""
        oldest, self._oldest_owed[name] = oldest_among(count, self._oldest_owed[name], self._oldest_share)
        line.deliver(now_s, oldest, newest=False)
        line.deliver(now_s, count - oldest, newest=True)

    def _shared(
        self, lines: Mapping[str, Line], tokens: Tokens, newest: Set[str], now_s: int, budget_s: float
    ) -> float:
        if not newest >= self.busy_s.keys():
            return self._one_line(lines, tokens, now_s, budget_s, newest=False)
        oldest_s = budget_s * self._oldest_share
        left_s = self._one_line(lines, tokens, now_s, oldest_s, newest=False)
        return self._one_line(lines, tokens, now_s, budget_s - oldest_s + left_s, newest=True)

    def _one_line(
        self, lines: Mapping[str, Line], tokens: Tokens, now_s: int, budget_s: float, *, newest: bool
    ) -> float:
        """All queues as one line by age; messages of one second are taken in proportion, whatever their queue."""
        end = -1 if newest else 0
        while ready := [name for name in self.busy_s if lines[name].primary and tokens[self._provider[name]] >= 1]:
            ages = {name: lines[name].cohorts[end][0] for name in ready}
            turn = max(ages.values()) if newest else min(ages.values())
            group = {
                name: min(lines[name].cohorts[end][1], lines[name].primary) for name in ready if ages[name] == turn
            }
            counts = self._portions(group, tokens, budget_s)
            if not any(counts.values()):
                break
            for name, count in counts.items():
                lines[name].deliver(now_s, count, newest=newest)
                tokens[self._provider[name]] -= count
                budget_s = max(0.0, budget_s - count * self.busy_s[name])
        return budget_s

    def _portions(self, group: Mapping[str, int], tokens: Tokens, budget_s: float) -> dict[str, int]:
        """Whole messages of each queue, all in the same proportion as far as slots and tokens go."""
        cost_s = sum(count * self.busy_s[name] for name, count in group.items())
        by_provider: Tokens = {}
        for name, count in group.items():
            by_provider[self._provider[name]] = by_provider.get(self._provider[name], 0.0) + count
        exact = {
            name: count * min(1.0, budget_s / cost_s, tokens[self._provider[name]] / by_provider[self._provider[name]])
            for name, count in group.items()
        }
        counts = {name: int(part + 1e-6) for name, part in exact.items()}
        spare_s = budget_s - sum(count * self.busy_s[name] for name, count in counts.items())
        first = max(exact, key=lambda name: exact[name] - counts[name])
        taken = counts[first] + 1
        if taken <= min(group[first], tokens[self._provider[first]]) and spare_s + 1e-6 >= self.busy_s[first]:
            counts[first] = taken
        return counts
