"""The daemon's second: hold the lease, take the picture, staff the host's pools and, when leading, do the duties."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from queuectl.daemon.alerts import Alerts
from queuectl.daemon.duties import Duties
from queuectl.daemon.metrics import Observation
from queuectl.daemon.recording import LeaderRecording
from queuectl.daemon.sampler import Sampler
from queuectl.daemon.supervisor import CrashLoop, Supervisor
from queuectl.daemon.ticks import Ticks
from queuectl.daemon.trouble import Trouble
from queuectl.model import FleetState, QueuectlError
from queuectl.policy.staffing import Staff, Wanted, allocate
from queuectl.settings import Settings
from queuectl.store import hosts, lease, notes, pools, provider_limits
from queuectl.store.client import AsyncStore, LeaseLostError
from queuectl.store.reader import Reader

LOG = logging.getLogger("queuectl.daemon")
LONGEST_PAUSE_S = 4.0
"""Between two tries while the server is away; a standby must still lead within ten seconds."""

WORKERS_A_CORE = 8
"""Where the settings name no capacity: workers mostly wait for mail servers."""
PUBLISH_EVERY_S = 10.0
"""A server that has lost its data learns the settings' pools and policies again."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this daemon is among daemons."""

    host: str
    daemon: str
    """host:pid."""

    @classmethod
    def own(cls) -> Identity:
        host = socket.gethostname()
        return cls(host, f"{host}:{os.getpid()}")


class Daemon:
    """One daemon, leading or standing by; on either it runs its host's workers."""

    def __init__(self, store: AsyncStore, reader: Reader, identity: Identity, supervisor: Supervisor,
                 on_role: Callable[[bool], None]) -> None:  # fmt: skip
        self._store = store
        self._reader = reader
        self._identity = identity
        self._supervisor = supervisor
        self._on_role = on_role
        self._trouble = Trouble()
        self._sampler = Sampler()
        self._fence = ""
        self._duties: Duties | None = None
        self._leader = ""
        self._publish_at_s = 0.0
        self._crash_loops: list[CrashLoop] = []
        self._failures = 0
        self._recording = LeaderRecording(identity.daemon, self._trouble)
        self._alerts = Alerts(self._trouble)
        self._seen: FleetState | None = None
        self._seen_at_s = 0.0

    @property
    def observation(self) -> Observation:
        """The last picture taken, for those who watch this daemon."""
        return Observation(self._seen, time.monotonic() - self._seen_at_s, leading=bool(self._fence))

    @property
    def settings(self) -> Settings:
        return self._reader.settings

    def publish_settings(self) -> None:
        """The reader's settings have changed: let the others know with the next tick, if we lead."""
        self._publish_at_s = 0.0

    async def run(self, ticks: Ticks) -> None:
        """Work until `ticks` end; then `leave`."""
        async for _ in ticks:
            try:
                await self._tick()
            except LeaseLostError:
                await self._take_role("", "")
            except QueuectlError as error:
                self._trouble.met("server", error)
                ticks.extra_s = min(LONGEST_PAUSE_S, 0.5 * 2.0 ** min(self._failures, 8))
                self._failures += 1
            else:
                self._trouble.over("server")
                self._failures = 0

    async def leave(self) -> None:
        """Let a standby lead and other hosts take over at once, and the workers finish what they have in flight."""
        self._recording.close()
        self._alerts.close()
        if self._duties:
            await self._duties.leave()
        await asyncio.gather(self._farewell(), self._supervisor.stop_all(self.settings.worker.grace_s))

    async def _farewell(self) -> None:
        identity = self._identity
        with contextlib.suppress(QueuectlError):
            await self._store.run(lease.release(self._fence, identity.host))
            await self._store.run(hosts.leave(identity.daemon, identity.host, sorted(self.settings.pools)))

    async def _tick(self) -> None:
        self._crash_loops += self._supervisor.reap()
        identity = self._identity
        held = await self._store.run(lease.hold(identity.daemon, identity.host, self._fence))
        await self._take_role(held.fence, held.leader)
        if self._duties and time.monotonic() >= self._publish_at_s:
            await self._store.run(pools.publish(self.settings))
            for name in await self._store.run(pools.retire(self.settings, fence=self._fence)):
                LOG.info("pool %s is named by no settings any more: forgotten", name)
            await self._store.run(provider_limits.publish(self.settings))
            self._publish_at_s = time.monotonic() + PUBLISH_EVERY_S
        fleet = await self._store.run(self._reader.fleet())
        self._seen, self._seen_at_s = fleet, time.monotonic()
        if self._duties:
            self._recording.add(fleet, self.settings.daemon)
            self._alerts.hear(fleet, self.settings)
            await self._store.run(self._sampler.write(fleet, self._reader.rates, fence=self._fence))
        await self._staff(fleet)
        await self._tell_crash_loops()
        if self._duties:
            await self._duties.carry_out(fleet, self.settings)

    async def _take_role(self, fence: str, leader: str) -> None:
        if fence != self._fence or leader != self._leader:
            LOG.info("leading" if fence else f"standing by; {leader or 'another daemon'} leads")
            self._on_role(bool(fence))
        if fence != self._fence:
            self._fence = fence
            self._publish_at_s = 0.0
            self._recording.close()
            self._alerts.close()
            if self._duties:
                await self._duties.leave()
            self._duties = Duties(self._store, self._identity.daemon, fence, self._trouble) if fence else None
        self._leader = leader

    async def _staff(self, fleet: FleetState) -> None:
        """Steer every pool that this host's settings name; those that the picture lacks are left as they are."""
        names = sorted(self.settings.pools) if self.settings.daemon.supervise else []
        self._supervisor.retire(names)
        if not names:
            return
        identity = self._identity
        capacity = self.settings.daemon.capacity
        most = WORKERS_A_CORE * (os.cpu_count() or 1) if capacity is None else capacity
        sharing = await self._store.run(hosts.supervise(identity.daemon, identity.host, most, names))
        if sharing is None:
            return
        if set(names) - {pool.name for pool in fleet.pools}:
            # The leader's settings may not name our pools: a console's daemon on an operator's machine, for one.
            await self._store.run(pools.publish(self.settings))
        adopted = await self._adopted(fleet)
        wanted = {pool.name: Wanted(pool.desired or 0, sharing.hosts.get(pool.name, ())) for pool in fleet.pools}
        parts = allocate(wanted, sharing.capacity)
        for pool in fleet.pools:
            if pool.name in names:
                part = parts[pool.name].get(identity.host, 0)
                own = self.settings.pools[pool.name].command
                self._supervisor.steer(pool, part, adopted.get(pool.name, []), own)

    async def _adopted(self, fleet: FleetState) -> dict[str, list[Staff]]:
        """Workers by pool that a daemon before us started on this host."""
        found = self._supervisor.strangers(fleet.workers)
        leaving = await self._store.run(hosts.leaving([worker.name for worker in found]))
        now_s = time.monotonic()
        staff: dict[str, list[Staff]] = {}
        for worker in found:
            staff.setdefault(worker.pool, []).append(
                Staff(worker.pid, now_s - worker.age_s, draining=worker.name in leaving)
            )
        return staff

    async def _tell_crash_loops(self) -> None:
        while self._crash_loops:
            loop = self._crash_loops[0]
            reason = f"{loop.crashes} starts in a row failed, the last with exit code {loop.exit_code}"
            await self._store.run(notes.note("crash loop", loop.pool, after="starts are held back", reason=reason))
            self._crash_loops.pop(0)
