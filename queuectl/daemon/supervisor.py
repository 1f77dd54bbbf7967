"""Keeps this host's worker processes at its share of each pool's desired number."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from queuectl.daemon.children import (
    Child,
    Command,
    bears_name,
    is_alive,
    new_name,
    spawn,
    terminate,
    worker_command,
)
from queuectl.model import PoolState, WorkerState
from queuectl.policy.staffing import Crashes, Staff, after_exit, plan

LOG = logging.getLogger("queuectl.daemon")
FRESH_S = 15.0
"""A registered worker not of ours counts while its heartbeat is younger (three beats)."""
KILL_AFTER_S = 5.0
"""Beyond the grace: a worker that has not left by then hangs."""


@dataclass(frozen=True, slots=True)
class CrashLoop:
    """A pool's workers keep dying at their start."""

    pool: str
    exit_code: int
    crashes: int


@dataclass(slots=True)
class Supervisor:
    """The workers of one host. `environ` is what they are started with; the server's URL is in it."""

    host: str
    environ: Mapping[str, str]
    command: Command = worker_command
    clock: Callable[[], float] = time.monotonic
    _children: dict[int, Child] = field(default_factory=dict)
    _crashes: dict[str, Crashes] = field(default_factory=dict)
    _told_to_leave: set[int] = field(default_factory=set)
    """Adopted processes that have had their SIGTERM."""

    def reap(self) -> tuple[CrashLoop, ...]:
        """Take note of children that have ended. Returns crash loops that have just begun."""
        begun = []
        for child in [child for child in self._children.values() if child.process.poll() is not None]:
            del self._children[child.pid]
            if not child.draining:
                begun += self._unexpected(child)
        return tuple(begun)

    def _unexpected(self, child: Child) -> list[CrashLoop]:
        now_s, code = self.clock(), child.process.returncode
        before = self._crashes.get(child.pool, Crashes())
        after = self._crashes[child.pool] = after_exit(before, child.started_s, now_s)
        LOG.warning("worker %d of pool %s ended by itself after %.0f s (exit code %d); the next starts in %.0f s",
                    child.pid, child.pool, now_s - child.started_s, code, max(0.0, after.resume_s - now_s))  # fmt: skip
        if after.looping and not before.looping:
            LOG.error("pool %s: crash loop, %d starts in a row failed", child.pool, after.count)
            return [CrashLoop(child.pool, code, after.count)]
        return []

    def strangers(self, workers: Sequence[WorkerState]) -> tuple[WorkerState, ...]:
        """Living pool workers of this host that another daemon started, which has died since."""
        return tuple(
            worker
            for worker in workers
            if worker.host == self.host and worker.pool and worker.pid not in self._children and self._lives(worker)
        )

    def _lives(self, worker: WorkerState) -> bool:
        if worker.stock:
            return not worker.ghost and is_alive(worker.pid) and bears_name(worker.pid, worker.name)
        return worker.heartbeat_age_s < FRESH_S and is_alive(worker.pid)

    def steer(self, pool: PoolState, desired_here: int, adopted: Collection[Staff], own: Sequence[str] = ()) -> None:
        """Start or stop workers of one pool, as far as back-off allows. `own`: the pool's own command, if any."""
        command = tuple(self.command(pool, own, ""))
        for child in self._of(pool.name):
            if child.command != command:
                self._drain(child, "its pool's settings have changed")
        now_s = self.clock()
        alive = [Staff(child.pid, child.started_s, child.draining) for child in self._of(pool.name)]
        alive += [Staff(one.pid, one.started_s, one.draining or one.pid in self._told_to_leave) for one in adopted]
        step = plan(desired_here, alive, self._crashes.get(pool.name, Crashes()), now_s)
        for _ in range(step.start):
            arguments = self.command(pool, own, new_name(pool.name, self.host))
            process = spawn(arguments, self.environ, leashed=not own)
            child = Child(process, pool.name, command, now_s, leashed=not own)
            self._children[child.pid] = child
            LOG.info("worker %d started for pool %s", child.pid, pool.name)
        for pid in step.stop:
            self._stop(pid, f"pool {pool.name} wants {desired_here} here")

    def retire(self, kept: Collection[str]) -> None:
        """Let the workers of every other pool leave."""
        for child in self._children.values():
            if child.pool not in kept:
                self._drain(child, f"pool {child.pool} is no longer in the settings")

    async def stop_all(self, grace_s: float) -> None:
        """SIGTERM to all, and wait; what has not left after the grace and five seconds hangs and is killed. Workers of
        a pool's own command are left to finish their jobs: nobody would put back what they hold."""
        for child in self._children.values():
            self._drain(child, "the daemon leaves")
        limit_s = self.clock() + grace_s + KILL_AFTER_S
        while self._children and self.clock() < limit_s:
            self.reap()
            await asyncio.sleep(0.05)
        for child in self._children.values():
            if not child.leashed:
                LOG.warning("worker %d of pool %s is left to finish its job", child.pid, child.pool)
                continue
            LOG.error("worker %d did not leave in %.0f s: killed; repair puts its messages back", child.pid,
                      grace_s + KILL_AFTER_S)  # fmt: skip
            child.process.kill()
            child.process.wait()

    def _of(self, pool: str) -> list[Child]:
        return [child for child in self._children.values() if child.pool == pool]

    def _stop(self, pid: int, why: str) -> None:
        child = self._children.get(pid)
        if child:
            self._drain(child, why)
            return
        LOG.info("worker %d (adopted) is told to leave: %s", pid, why)
        self._told_to_leave.add(pid)
        terminate(pid)

    def _drain(self, child: Child, why: str) -> None:
        if not child.draining:
            LOG.info("worker %d is told to leave: %s", child.pid, why)
            child.drain()
