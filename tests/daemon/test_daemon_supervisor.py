"""Real worker processes, started, counted and stopped. Their command is a stub that the test controls."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worker_runs import until

from queuectl.daemon.children import bears_name, is_alive, worker_command
from queuectl.daemon.supervisor import CrashLoop, Supervisor
from queuectl.model import PoolState, WorkerState
from queuectl.policy.staffing import Staff

POOL = PoolState("bulk", ("forum",), desired=2, actual=0, concurrency=5)
WAITS = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()"
WAITS_IN_SHELL = "while :; do sleep 1; done"
DEAF = """
import os, pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(os.environ["DEAF"]).touch()
while True:
    signal.pause()
"""


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def python(program: str) -> Callable[..., tuple[str, ...]]:
    return lambda pool, own, name: (sys.executable, "-c", program, str(pool.concurrency))


@pytest.fixture
async def supervise(tmp_path: Path) -> AsyncIterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def make(program: str = WAITS, **options: Any) -> Supervisor:
        made.append(Supervisor("here", {**os.environ, "DEAF": str(tmp_path / "deaf")}, python(program), **options))
        return made[-1]

    yield make
    for supervisor in made:
        for child in supervisor._children.values():
            child.process.kill()
            child.process.wait()


def alive(supervisor: Supervisor) -> int:
    supervisor.reap()
    return len(supervisor._children)


async def test_it_follows_the_desired_number_up_and_down(supervise):
    supervisor = supervise()
    for desired in (2, 3, 1, 0):
        supervisor.steer(POOL, desired, [])
        until(lambda desired=desired: alive(supervisor) == desired)


async def test_it_stops_the_youngest_and_kills_none(supervise):
    supervisor = supervise()
    supervisor.steer(POOL, 1, [])
    (oldest,) = supervisor._children
    supervisor.steer(POOL, 3, [])
    children = list(supervisor._children.values())
    supervisor.steer(POOL, 1, [])
    until(lambda: alive(supervisor) == 1)
    assert list(supervisor._children) == [oldest]
    assert {child.process.returncode for child in children if child.pid != oldest} <= {0, -signal.SIGTERM}


async def test_a_worker_that_drains_is_replaced_when_more_are_wanted(supervise):
    supervisor = supervise(DEAF)
    supervisor.steer(POOL, 1, [])
    supervisor.steer(POOL, 0, [])
    supervisor.steer(POOL, 1, [])
    assert len(supervisor._children) == 2


async def test_one_that_dies_is_started_again_after_back_off(supervise):
    clock = Clock()
    supervisor = supervise(clock=clock)
    supervisor.steer(POOL, 1, [])
    (first,) = supervisor._children
    os.kill(first, signal.SIGKILL)
    until(lambda: alive(supervisor) == 0)
    supervisor.steer(POOL, 1, [])
    assert not supervisor._children
    clock.now_s += 1.0
    supervisor.steer(POOL, 1, [])
    assert len(supervisor._children) == 1


async def test_a_crash_loop_is_told_once_and_backs_off(supervise):
    clock = Clock()
    supervisor = supervise("raise SystemExit(7)", clock=clock)
    told, starts = [], []
    for second in range(70):
        supervisor.steer(POOL, 2, [])
        starts += [second] * len(supervisor._children)
        while supervisor._children:
            told += supervisor.reap()
        clock.now_s += 1.0
    assert told == [CrashLoop("bulk", exit_code=7, crashes=3)]
    assert sorted(set(starts)) == [0, 1, 3, 7, 15, 31, 63]


async def test_a_command_that_cannot_be_run_is_a_crash_loop(capfd: pytest.CaptureFixture[str]):
    clock = Clock()
    supervisor = Supervisor("here", os.environ, clock=clock)
    told: list[CrashLoop] = []
    while not told:
        supervisor.steer(POOL, 1, [], ["no-such-program", "{name}", "{queues}"])
        while supervisor._children:
            told += supervisor.reap()
        clock.now_s += 10.0
    assert told == [CrashLoop("bulk", exit_code=1, crashes=3)]
    assert "no-such-program: No such file or directory" in capfd.readouterr().err


async def test_stock_workers_of_a_pool_are_adopted_by_their_name(supervise):
    supervisor = supervise()
    own = ["sh", "-c", WAITS_IN_SHELL, "{name}"]
    other = Supervisor("here", os.environ)
    other.steer(POOL, 1, [], own)
    (child,) = other._children.values()
    name = until(lambda: next((part for part in child.process.args if part.startswith("bulk~here~")), ""))
    try:
        until(lambda: bears_name(child.pid, name))
        idle = WorkerState(name, "here", child.pid, ("forum",), "idle", pool="bulk", stock=True, heartbeat_age_s=300)
        assert supervisor.strangers([idle, replace(idle, name="bulk~here~another")]) == (idle,)
    finally:
        child.process.kill()
        child.process.wait()


async def test_changed_settings_replace_workers(supervise):
    supervisor = supervise()
    supervisor.steer(POOL, 1, [])
    (before,) = supervisor._children
    supervisor.steer(PoolState("bulk", ("forum",), desired=1, actual=0, concurrency=9), 1, [])
    until(lambda: alive(supervisor) == 1)
    (child,) = supervisor._children.values()
    assert child.pid != before
    assert child.command[-1] == "9"


async def test_a_pool_that_is_gone_loses_its_workers(supervise):
    supervisor = supervise()
    supervisor.steer(POOL, 2, [])
    supervisor.retire(["bulk"])
    assert alive(supervisor) == 2
    supervisor.retire(["other"])
    until(lambda: alive(supervisor) == 0)


async def test_adopted_workers_count(supervise):
    supervisor = supervise()
    supervisor.steer(POOL, 2, [Staff(1, 0.0), Staff(2, 0.0)])
    assert not supervisor._children
    supervisor.steer(POOL, 2, [Staff(1, 0.0), Staff(2, 0.0, draining=True)])
    assert len(supervisor._children) == 1


async def test_only_living_pool_workers_of_this_host_are_adopted(supervise):
    supervisor = supervise()
    supervisor.steer(POOL, 1, [])
    (own,) = supervisor._children
    gone = until(lambda: next(pid for pid in range(2**22 - 1, 0, -1) if not is_alive(pid)))

    def worker(name: str, host: str = "here", pid: int = os.getpid(), **fields: Any) -> WorkerState:
        return WorkerState(name, host, pid, ("forum",), "idle", **{"pool": "bulk", **fields})

    found = supervisor.strangers([
        worker("left behind"), worker("ours", pid=own), worker("elsewhere", host="there"), worker("dead", pid=gone),
        worker("silent", heartbeat_age_s=20.0), worker("by hand", pool=""), worker("stock", stock=True),
    ])  # fmt: skip
    assert [one.name for one in found] == ["left behind"]


async def test_leaving_waits_for_the_workers(supervise):
    supervisor = supervise()
    supervisor.steer(POOL, 2, [])
    await supervisor.stop_all(grace_s=30)
    assert not supervisor._children


async def test_what_hangs_beyond_the_grace_is_killed(supervise, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("queuectl.daemon.supervisor.KILL_AFTER_S", 0.2)
    supervisor = supervise(DEAF)
    supervisor.steer(POOL, 1, [])
    (child,) = supervisor._children.values()
    until((tmp_path / "deaf").exists)
    await supervisor.stop_all(grace_s=0)
    assert child.process.returncode == -signal.SIGKILL


async def test_stock_workers_are_left_to_finish_their_jobs(
    supervise, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("queuectl.daemon.supervisor.KILL_AFTER_S", 0.2)
    supervisor = supervise(DEAF)
    supervisor.steer(POOL, 1, [], ["rq", "{name}"])
    (child,) = supervisor._children.values()
    until((tmp_path / "deaf").exists)
    await supervisor.stop_all(grace_s=0)
    assert "is left to finish its job" in caplog.text
    assert child.process.poll() is None


def test_the_url_is_not_on_the_command_line():
    arguments = worker_command(POOL, (), "x")[1:]
    assert arguments == ("-m", "queuectl", "worker", "forum", "--concurrency", "5", "--pool", "bulk")
