"""What a worker tells the others of providers: complaints, probes' results, tokens it did not use, open connections."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections import Counter
from dataclasses import dataclass

from queuectl.mail.replies import Disposition, Outcome
from queuectl.model import QueuectlError, ServerError
from queuectl.policy.shaping import Shape, Signal
from queuectl.settings import Settings
from queuectl.store import notes, providers
from queuectl.store.claims import Claim
from queuectl.store.client import AsyncStore
from queuectl.store.providers import Report, Reported
from queuectl.worker.intake import global_rate, intake_of
from queuectl.worker.reply_counts import ReplyCounts

LOG = logging.getLogger("queuectl.worker")
COALESCE_S = 0.02
"""How long one complaint waits for others: they come in crowds."""
RENEW_S = 10.0
"""Between two renewals of connection leases, which last `CONNECTION_LEASE_S`."""
COUNT_S = 1.0
"""Between two writes of what was counted."""
AWAY_S = 1.0
LONGEST_CONNECT_WAIT_S = 5.0
"""For a turn to open the first connection; whoever has one already uses that."""


@dataclass(frozen=True, slots=True)
class _Heard:
    began_s: float
    reason: str
    for_s: float | None


class Answers:
    """Collects on the event loop, and commits from `run`; while the server is away it keeps what it has."""

    def __init__(self, store: AsyncStore, settings: Settings, worker: str) -> None:
        self._store = store
        self._settings = settings
        self._worker = worker
        self._numbers = itertools.count()
        self._heard: dict[tuple[str, Signal, bool], _Heard] = {}
        self._unused: Counter[tuple[str, str]] = Counter()
        self._counts = ReplyCounts(store)
        self._connections: dict[str, list[str]] = {}
        self._closed: dict[str, list[str]] = {}
        self._some = asyncio.Event()

    def note(self, claim: Claim, disposition: Disposition, began_s: float) -> None:
        """Take in how a delivery ended; `began_s`: time.monotonic() when it began."""
        if not claim.provider:
            return
        self._counts.note(claim, disposition)
        signal = disposition.signal
        if claim.probe and signal is None:
            signal = Signal.PASSED if disposition.outcome is Outcome.DELIVERED else Signal.UNCLEAR
        if signal is not None and self._settings.provider(claim.provider).adaptive:
            self._heard[claim.provider, signal, claim.probe] = _Heard(began_s, disposition.reason, disposition.for_s)
            self._some.set()
        if not disposition.offered:
            self.unused(claim)

    def unused(self, claim: Claim) -> None:
        """The message was not offered to the provider whose token it holds."""
        if claim.provider:
            self._unused[claim.queue, claim.provider] += 1
            self._some.set()

    def leases(self, provider: str) -> Leases:
        """The provider's connections over all workers."""
        return Leases(self, provider)

    async def take_connection(self, provider: str) -> bool:
        member = f"{self._worker}:{next(self._numbers)}"
        # While the server is away mail in hand still goes out: a limit may be passed for that time, a message not lost.
        with contextlib.suppress(ServerError):
            if not await self._leased(provider, member):
                return False
        self._connections.setdefault(provider, []).append(member)
        return True

    async def _leased(self, provider: str, member: str) -> bool:
        """Ask, and where only the rate of new connections is in the way and there is none yet, wait for the turn."""
        settings = self._settings.provider(provider)
        give_up_s = time.monotonic() + LONGEST_CONNECT_WAIT_S
        while True:
            lease = await self._store.run(
                providers.lease_connection(provider, member, settings.max_connections, settings.connections_per_s)
            )
            if lease.taken:
                return True
            if lease.wait_s is None or self._connections.get(provider) or time.monotonic() + lease.wait_s > give_up_s:
                return False
            await asyncio.sleep(lease.wait_s)

    def give_connection(self, provider: str) -> None:
        held = self._connections.get(provider)
        if held:
            self._closed.setdefault(provider, []).append(held.pop())
            self._some.set()

    async def run(self) -> None:
        """Commit forever."""
        renew_at_s = count_at_s = time.monotonic()
        away = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(renew_at_s, count_at_s) - time.monotonic())):
                    await self._some.wait()
            await asyncio.sleep(COALESCE_S)
            try:
                await self._commit_news()
                if time.monotonic() >= count_at_s:
                    await self._counts.commit()
                    count_at_s = time.monotonic() + COUNT_S
                if time.monotonic() >= renew_at_s:
                    await self._store.run(providers.renew_connections(self._connections))
                    renew_at_s = time.monotonic() + RENEW_S
                away = False
            except QueuectlError as error:
                if not away:
                    LOG.warning("reports on providers wait for the server: %s", error)
                away = True
                await asyncio.sleep(AWAY_S)

    async def commit(self) -> None:
        """Write everything that has come together. Raises ServerError; what was not written stays."""
        await self._commit_news()
        await self._counts.commit()

    async def _commit_news(self) -> None:
        self._some.clear()
        try:
            await self._report()
            await self._return_tokens()
            await self._release_connections()
        except QueuectlError:
            self._some.set()
            raise

    async def _report(self) -> None:
        for provider in {provider for provider, _, _ in self._heard}:
            now_s = time.monotonic()
            keys = [key for key in self._heard if key[0] == provider]
            heard = {key: self._heard[key] for key in keys}
            reports = [
                Report(signal, now_s - found.began_s, found.reason, probe, found.for_s)
                for (_, signal, probe), found in heard.items()
            ]
            dry_run = self._settings.provider(provider).dry_run
            reported = await self._store.run(providers.report(provider, reports, dry_run=dry_run))
            await self._tell(provider, reported, dry_run)
            for key in keys:
                if self._heard.get(key) == heard[key]:
                    del self._heard[key]

    async def _tell(self, provider: str, reported: Reported, dry_run: bool) -> None:
        """Log what changes for the provider, and note it for the others: once, by whoever changed it."""
        before, after = _stands(reported.before), _stands(reported.after)
        if before == after:
            return
        would = "would be " if dry_run else ""
        LOG.warning("provider %s %s%s: %s", provider, would or "is ", after, reported.after.reason)
        await self._store.run(notes.note("shaping", provider, after=would + after, reason=reported.after.reason))

    async def _return_tokens(self) -> None:
        while self._unused:
            (queue, provider), tokens = self._unused.popitem()
            # Not repeated when it fails: a token too few for a moment is better than one too many.
            bounds = intake_of(self._settings, queue)
            await self._store.run(providers.return_tokens(queue, bounds, provider, tokens, global_rate(self._settings)))

    async def _release_connections(self) -> None:
        while self._closed:
            provider, members = self._closed.popitem()
            await self._store.run(providers.release_connections(provider, members))


def _stands(shape: Shape) -> str:
    return "suspended" if shape.suspended_until_s else f"at {shape.factor:.0%} of its rate"


class Leases:
    """A mail.smtp.ConnectionLeases."""

    def __init__(self, answers: Answers, provider: str) -> None:
        self._answers = answers
        self._provider = provider

    async def take(self) -> bool:
        return await self._answers.take_connection(self._provider)

    def give(self) -> None:
        self._answers.give_connection(self._provider)
