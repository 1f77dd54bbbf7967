"""The worker: claims up to its free slots, flies what it claimed, lands what it can when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

from queuectl.model import QueuectlError
from queuectl.store import claims, presence
from queuectl.store.claims import Claim, Claims, End, Finish
from queuectl.store.client import AsyncStore
from queuectl.worker.finishing import Finishing
from queuectl.worker.flights import Flight, Flights, Interrupt
from queuectl.worker.foreign_jobs import ForeignJobs
from queuectl.worker.intake import Intakes, Wish
from queuectl.worker.mail_jobs import MailJobs, NotOurs
from queuectl.worker.suppression import SuppressionCheck

LOG = logging.getLogger("queuectl.worker")
CLAIM_MOST = 200
ROOM_S = 0.05
"""How long it waits for a worthwhile number of free slots before it makes do with fewer."""
IDLE_S = (0.02, 0.25)
"""First and longest pause between claims that found nothing."""
AWAY_S = (0.25, 5.0)
"""First and longest pause between claims while the server is away."""
TOKEN_S = 0.002
"""Shortest pause while a rate holds jobs back."""
SUSPENDED_S = 0.5
STRAYS_S = 30.0
"""How often it compares what it has in hand with what the server believes, besides after every failed claim."""
ABANDON_S = 5.0
"""How long broken-off flights may take to leave their slots, and the server to be told of them."""


@dataclass(frozen=True, slots=True)
class Berth:
    """Who a worker is and what it serves."""

    name: str
    queues: tuple[str, ...]
    lease_s: float
    grace_s: float
    burst: bool


class Worker:
    """One process's claiming and flying. `run_until_stopped` returns when it has stopped claiming and landed."""

    def __init__(
        self, berth: Berth, store: AsyncStore, flights: Flights, finishing: Finishing, *, intakes: Intakes,
        mail: MailJobs, foreign: ForeignJobs, check: SuppressionCheck,
    ) -> None:  # fmt: skip
        self._berth = berth
        self._store = store
        self.flights = flights
        self._finishing = finishing
        self._intakes = intakes
        self._check = check
        self._pause_s = IDLE_S[0]
        self._mail = mail
        self._foreign = foreign
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self.suspended = False
        self.state_changed = asyncio.Event()
        """For the heartbeat: tell the server sooner than it would."""
        self._strays_due_s = 0.0
        self._depth: int | None = None

    @property
    def state(self) -> str:
        """As RQ's tools show it."""
        if self.flights:
            return "busy"
        return "suspended" if self.suspended else "idle"

    def stop(self) -> None:
        """Warm shutdown; the second time: hand back at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def stop_job(self, job_id: str, execution_id: str = "") -> bool:
        """Stop one job on purpose: it fails as stopped, and no retry follows."""
        for flight in self.flights:
            if flight.claim.job_id == job_id and execution_id in ("", flight.claim.execution_id):
                flight.break_off(Interrupt.STOPPED)
                return True
        return False

    def kill_jobs(self) -> int:
        """Interrupt the jobs of stock producers; mail goes on."""
        killed = [flight for flight in self.flights if flight.claim.foreign]
        for flight in killed:
            flight.break_off(Interrupt.KILLED)
        return len(killed)

    def drop(self, member: str) -> None:
        """The lease of `member` is lost: what it does no longer counts."""
        flight = self.flights.get(member)
        if flight:
            LOG.warning("job %s was given to another worker: dropped here", flight.claim.job_id)
            flight.break_off(Interrupt.LOST)

    async def run_until_stopped(self) -> bool:
        """Work; then land. False: the server did not take what had ended, repair will put it back."""
        await self._claim_until_stopped()
        grace_ends_s = time.monotonic() + self._berth.grace_s
        LOG.info("stopping: %d jobs in flight", len(self.flights))
        with contextlib.suppress(QueuectlError):
            await self._store.run(presence.announce_shutdown(self._berth.name))
        await self._land()
        left_s = 0.0 if self._hurry.is_set() else grace_ends_s - time.monotonic()
        return await self._finishing.drain(max(left_s, ABANDON_S)) and not self.flights

    async def _claim_until_stopped(self) -> None:
        self._pause_s, away_s = IDLE_S[0], AWAY_S[0]
        while not self._stop.is_set():
            wanted = await self._wait_for_room()
            if not wanted:
                continue
            wish = self._intakes.wish(wanted, self.flights, time.monotonic())
            try:
                claimed = await self._claim(wish, wanted)
                if await self._is_done(claimed, wish):
                    return
            except QueuectlError as error:
                LOG.warning("claims wait for the server: %s", error)
                await self._pause(away_s)
                away_s = min(away_s * 2, AWAY_S[1])
                self._strays_due_s = 0.0
                continue
            away_s = AWAY_S[0]
            await self._rest(claimed, min(wanted, wish.shared))

    async def _rest(self, claimed: Claims, worthwhile: int) -> None:
        """Pause before the next claim, unless this one took all that there were slots for."""
        if claimed.suspended:
            await self._pause(SUSPENDED_S)
        elif len(claimed.jobs) >= worthwhile:
            self._pause_s = IDLE_S[0]
        elif claimed.wait_s is not None:
            await self._pause(min(max(claimed.wait_s, TOKEN_S), IDLE_S[0] if claimed.jobs else IDLE_S[1]))
        else:
            self._pause_s = IDLE_S[0] if claimed.jobs else min(self._pause_s * 1.5, IDLE_S[1])
            await self._pause(self._pause_s)

    async def _wait_for_room(self) -> int:
        """How many to claim: as many as there are free slots, 0 when there are none."""
        if not self.flights.room.is_set():
            # Reserved slots are free: their queues are asked as often as when nothing else has work.
            patience_s = IDLE_S[0] if self.flights.free > self.flights.free_shared else ROOM_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self.flights.room.wait()
        if self._finishing.backlog > self.flights.slots + CLAIM_MOST:
            await self._finishing.drain(AWAY_S[1])
            return 0
        return min(self.flights.free, CLAIM_MOST)

    async def _claim(self, wish: Wish, wanted: int) -> Claims:
        if time.monotonic() >= self._strays_due_s:
            await self._return_strays()
        claimed = await self._store.run(
            claims.claim(self._berth.name, wish.limits, wanted, lease_s=self._berth.lease_s, intakes=wish.intakes,
                         shared=wish.shared, rate=self._intakes.rate)
        )  # fmt: skip
        self._check.active = claimed.suppressing
        self._intakes.learn(wish, claimed, time.monotonic())
        for claim in claimed.jobs:
            self._begin(claim)
        if claimed.suspended != self.suspended:
            LOG.info("suspended by `rq suspend`" if claimed.suspended else "resumed")
            self.suspended = claimed.suspended
            self.state_changed.set()
        return claimed

    async def _return_strays(self) -> None:
        """A claim whose reply was lost may still have been carried out; rq may have failed to write a job's end; and a
        server that crashed may have lost what it took from us."""
        known = self.flights.members() | self._finishing.members()
        found = await self._store.run(presence.strays(self._berth.name, known))
        now_known = self.flights.members() | self._finishing.members()
        for claim in found:
            if claim.member not in now_known:
                self._finishing.add(self._finishing.committed(claim.member) or Finish(claim, End.BACK))
        self._finishing.compared()
        self._strays_due_s = time.monotonic() + STRAYS_S

    async def _is_done(self, claimed: Claims, wish: Wish) -> bool:
        """In burst: nothing in hand, and nothing more to be had. Jobs of paused queues, and of those whose provider is
        suspended, may remain."""
        if not self._berth.burst or claimed.jobs or self.flights or wish.held or claimed.wait_s is not None:
            return False
        if not await self._finishing.drain(AWAY_S[1]):
            return False
        before, self._depth = self._depth, await self._store.run(presence.waiting(self._berth.queues))
        return claimed.suspended or self._depth in (0, before)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _begin(self, claim: Claim) -> None:
        flight = Flight(claim, time.monotonic(), self._intakes.shared(claim.queue))
        self.flights.add(flight)
        flight.task = asyncio.create_task(self._fly(flight))

    async def _fly(self, flight: Flight) -> None:
        flight.begun = True
        finish: Finish | None = None
        try:
            if flight.interrupt is None:
                finish = await self._run(flight)
            else:
                finish = _broken_off(flight)
        except asyncio.CancelledError:
            if flight.interrupt is None:
                raise
            ambiguous = self._mail.interrupted(flight.claim)
            finish = _broken_off(flight) if ambiguous is None or flight.interrupt is Interrupt.LOST else ambiguous
        except Exception as error:
            LOG.exception("job %s could not be run", flight.claim.job_id)
            reason = f"internal error: {type(error).__name__}"
            finish = Finish(flight.claim, End.FAILED, attempts=flight.claim.attempts, error=reason, reason=reason)
        finally:
            self.flights.remove(flight)
            if finish is not None:
                self._finishing.add(finish, time.monotonic() - flight.started_s)
            if not self.flights:
                self.state_changed.set()

    async def _run(self, flight: Flight) -> Finish | None:
        if not flight.claim.foreign:
            try:
                return await self._mail.run(flight.claim)
            except NotOurs:
                pass
        return await self._foreign.run(flight)

    async def _land(self) -> None:
        """Let what flies arrive while the grace lasts; hand the rest back."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._berth.grace_s):
                await _first(self.flights.empty, self._hurry)
        if self.flights:
            LOG.info("handing %d jobs back", len(self.flights))
        # A batch goes back as it stands: its first, the first we had, is the next to be claimed.
        for flight in self.flights:
            flight.break_off(Interrupt.BACK)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ABANDON_S):
                await self.flights.empty.wait()


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _broken_off(flight: Flight) -> Finish | None:
    """What an interrupted delivery means for its job; None: nothing may be written."""
    if flight.interrupt is Interrupt.LOST:
        return None
    if flight.interrupt is Interrupt.BACK:
        return Finish(flight.claim, End.BACK)
    reason = str(flight.interrupt)
    return Finish(flight.claim, End.FAILED, attempts=flight.claim.attempts, error=reason, reason=reason)
