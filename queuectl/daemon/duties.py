"""What the leader does each second besides sampling, every piece of it bounded. All writes carry the fence."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from queuectl.daemon.automation import Automation
from queuectl.daemon.expiry import Expiry
from queuectl.daemon.guards import Guards
from queuectl.daemon.ordering import Ordering
from queuectl.daemon.promotion import Promotion
from queuectl.daemon.tiers import LiveTiers
from queuectl.daemon.trouble import Trouble
from queuectl.model import Direction, FleetState, LedgerState, QueuectlError, QueueState, Switch
from queuectl.settings import Settings
from queuectl.store import aside, assist, notes, operations, overflow_server, repair, surge, tiers
from queuectl.store.client import AsyncStore, LeaseLostError

T = TypeVar("T")
LOG = logging.getLogger("queuectl.daemon")

SCHEDULER = "queuectl"
"""Our name in RQ's scheduler locks: the same for every daemon, so that a new leader inherits the old one's locks. The
fence keeps two of ours from promoting at once."""
REPAIR_EVERY = 5
LEDGER_EVERY = 10
SERVER_EVERY = 60
"""Ticks, one second each."""
STEERING_S = 0.1
"""Longest that promotion, rotation and shedding may each take in one tick."""
TIERS_S = 0.3
"""Packing and bringing back: about twelve thousand messages a second."""
OPERATIONS_S = 0.5
"""Drains and refills get half of each second: a million messages must not take an hour."""
PATIENCE_S = 1.0
"""A tick in which something failed ends after this: a server that hangs must not cost us the lease."""
MEMORY_BAD = 0.85


@dataclass(frozen=True, slots=True)
class Budget:
    """Until when (monotonic) a piece of work may go on; it always gets its first step."""

    end_s: float

    @classmethod
    def of(cls, seconds: float) -> Budget:
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> bool:
        return time.monotonic() < self.end_s


class Duties:
    """The leader's duties, and what it must remember between two ticks. Made anew with each leadership."""

    def __init__(self, store: AsyncStore, daemon: str, fence: str, trouble: Trouble) -> None:
        self._run = store.run
        self._daemon = daemon
        self._fence = fence
        self._trouble = trouble
        self._automation = Automation(store, fence)
        self._tiers = LiveTiers(store, fence)
        self._promotion = Promotion(store, fence, SCHEDULER)
        self._ordering = Ordering(store, fence)
        self._expiry = Expiry(store, fence)
        self._guards = Guards(store)
        self._assisted: dict[str, bool] = {}
        self._turn = 0

    async def carry_out(self, fleet: FleetState, settings: Settings) -> None:
        """One tick's work. Raises LeaseLostError when another daemon leads."""
        began_s = time.monotonic()
        for subject, duty in self._due():
            try:
                await duty(fleet, settings)
            except LeaseLostError:
                raise
            except QueuectlError as error:
                self._trouble.met(subject, error)
                if time.monotonic() - began_s > PATIENCE_S:
                    break
            else:
                self._trouble.over(subject)
        self._turn += 1

    def _due(self) -> list[tuple[str, Callable[[FleetState, Settings], Awaitable[None]]]]:
        due: list[tuple[str, Callable[[FleetState, Settings], Awaitable[None]]]] = [
            ("automation", self._automation.step),
            ("surge and overflow", self._move_tiers),
            ("promoting scheduled jobs", self._promote),
            ("rotating for stock workers", self._rotate),
            ("pausing for stock workers", self._set_aside),
            ("shedding", self._shed),
            ("ordering keys", self._keep_order),
        ]
        if self._turn % REPAIR_EVERY == 0:
            due.append(("repair", self._repair))
        if self._turn % LEDGER_EVERY == 0:
            due += [("ledger", self._check_ledgers), ("staging lists", self._put_back_orphans)]
            due.append(("policies", self._check_policies))
        if self._turn % SERVER_EVERY == 0:
            due += [("server check", self._check_server), ("expiry of the shed store", self._expire)]
        return [*due, ("operations", self._operate)]

    def _in_turn(self, items: Sequence[T]) -> list[T]:
        """Another one first each tick: a spent budget hits everyone alike."""
        first = self._turn % len(items) if items else 0
        return [*items[first:], *items[:first]]

    async def _move_tiers(self, fleet: FleetState, settings: Settings) -> None:
        budget = Budget.of(TIERS_S)
        await self._tiers.step(self._in_turn(fleet.queues), fleet, settings, lambda: budget.left)

    async def _promote(self, fleet: FleetState, settings: Settings) -> None:
        budget = Budget.of(STEERING_S)
        for queue in self._in_turn([queue for queue in fleet.queues if queue.scheduled]):
            await self._promotion.promote(queue, settings.delivery.retry_share, lambda: budget.left)

    async def _rotate(self, fleet: FleetState, _: Settings) -> None:
        budget = Budget.of(STEERING_S)
        for queue in self._in_turn(fleet.queues):
            needed = self._needs_rotation(queue)
            if self._assisted.get(queue.name) != needed:
                await self._run(assist.set_assist(queue, needed))
                self._assisted[queue.name] = needed
            # While paused, what is set aside waits for the rest: the newest would come to the head of a part.
            moved = assist.ROTATE_JOBS if needed and not queue.aside else 0
            while moved >= assist.ROTATE_JOBS and budget.left:
                moved = await self._run(assist.rotate(queue, fence=self._fence))

    def _needs_rotation(self, queue: QueueState) -> bool:
        """Once begun it goes on while the queue is LIFO, even if its stock workers leave for a moment: the list now
        lies newest first, and beginning anew would bring the oldest to the front."""
        if self._assisted.get(queue.name) and queue.direction.value == Direction.LIFO:
            return True
        return assist.needs_rotation(queue)

    async def _set_aside(self, fleet: FleetState, _: Settings) -> None:
        """Pause queues of stock workers; bring back what was set aside when the pause has ended or expired."""
        budget = Budget.of(STEERING_S)
        await self._guards.keep(aside.guarded(fleet))
        for queue in self._in_turn(fleet.queues):
            towards = aside.direction(queue)
            left = int(towards is not None)
            while left and towards and budget.left:
                left = (await self._run(aside.settle(queue.name, towards, fence=self._fence)))[1]

    async def leave(self) -> None:
        """The leadership is over: stop what goes on between two ticks."""
        await self._guards.leave()

    async def _keep_order(self, fleet: FleetState, _: Settings) -> None:
        budget = Budget.of(STEERING_S)
        for queue in self._in_turn(fleet.queues):
            if budget.left:
                await self._ordering.step(queue)

    async def _shed(self, fleet: FleetState, _: Settings) -> None:
        budget = Budget.of(STEERING_S)
        for queue in self._in_turn([queue for queue in fleet.queues if _sheds(queue)]):
            packed = tiers.SEGMENT_JOBS
            while packed >= tiers.SEGMENT_JOBS and budget.left:
                packed = await self._run(assist.shed(queue, fence=self._fence, sweep=True))

    async def _expire(self, fleet: FleetState, settings: Settings) -> None:
        budget, keep_s = Budget.of(STEERING_S), settings.automation.shed_keep_s
        for queue in self._in_turn([queue for queue in fleet.queues if queue.shed_stored > queue.shed_damaged]):
            await self._expiry.step(queue, fleet.taken_at_s, keep_s, lambda: budget.left)

    async def _repair(self, _: FleetState, settings: Settings) -> None:
        after_s, losses = settings.daemon.ghost_after_s, settings.daemon.max_losses
        if not await self._run(repair.may_repair(self._fence, dead_after_s=after_s)):
            return
        found = await self._run(repair.repair_workers(self._fence, dead_after_s=after_s, max_losses=losses))
        for one in found:
            done = f"{one.requeued:,} requeued" + (f", {one.poisoned:,} failed as poison" if one.poisoned else "")
            done += f", {one.ambiguous:,} held as ambiguous" if one.ambiguous else ""
            LOG.warning("worker %s is dead: %s", one.worker, done)
            reason = f"no heartbeat for {after_s:g}s"
            await self._run(notes.note("repair", one.worker, after=done, reason=reason, fence=self._fence))

    async def _operate(self, _: FleetState, __: Settings) -> None:
        budget = Budget.of(OPERATIONS_S)
        waiting = deque(self._in_turn(await self._run(operations.running())))
        while waiting and budget.left:
            before = waiting.popleft()
            after = await self._run(operations.drive(before.op_id, driver=self._daemon, fence=self._fence))
            if after and not after.finished and not after.idle:
                waiting.append(after)
            elif after and after.finished:
                LOG.info("%s of %s is done: %d messages", after.kind, after.queue, after.done)

    async def _put_back_orphans(self, fleet: FleetState, _: Settings) -> None:
        for queue in fleet.queues:
            await self._run(overflow_server.clear_leftovers(queue.name, fence=self._fence, now_s=fleet.taken_at_s))
            if not queue.draining:
                continue
            owners = set(await self._run(tiers.staged_owners(queue.name)))
            owners -= {*assist.SHED_OWNERS, *assist.CUT_OWNERS, *surge.OWNERS}
            running = {operation.op_id for operation in await self._run(operations.running())}
            owners -= running | {tiers.kept_by(op_id) for op_id in running}
            for owner in sorted(owners):
                moved = await self._run(tiers.unstage(queue.name, owner, fence=self._fence))
                LOG.warning("%s: %d messages staged by a drain that is gone are back in the queue", queue.name, moved)

    async def _check_ledgers(self, fleet: FleetState, _: Settings) -> None:
        for queue in fleet.queues:
            subject = f"ledger of {queue.name}"
            if queue.ledger.state is LedgerState.RESIDUE:
                self._trouble.met(subject, f"residue {queue.ledger.residue:+d} (positive: messages are missing)")
            else:
                self._trouble.over(subject)

    async def _check_policies(self, fleet: FleetState, _: Settings) -> None:
        for queue in fleet.queues:
            subject = f"policy of {queue.name}"
            if queue.policy.problems:
                self._trouble.met(subject, "; ".join(queue.policy.problems))
            else:
                self._trouble.over(subject)

    async def _check_server(self, fleet: FleetState, _: Settings) -> None:
        server = fleet.server
        if server.eviction not in ("", "noeviction"):
            LOG.error(
                "the server's maxmemory-policy is %s: IT MAY EVICT MESSAGES; set it to noeviction", server.eviction
            )
        if server.memory_max_bytes and server.memory_bytes > MEMORY_BAD * server.memory_max_bytes:
            share = server.memory_bytes / server.memory_max_bytes
            LOG.error("the server's memory is at %.0f%% of maxmemory: it will soon take no more messages", 100 * share)


def _sheds(queue: QueueState) -> bool:
    return queue.shed.value == Switch.ON or queue.draining > 0
