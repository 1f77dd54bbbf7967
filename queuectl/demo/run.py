"""`queuectl demo`: a whole deployment on this machine, with the console on it, and an account of every message."""

from __future__ import annotations

import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from queuectl import embedded
from queuectl.demo.account import account
from queuectl.demo.parts import Parts
from queuectl.demo.scenario import Scenario, load_scenario
from queuectl.settings import Settings
from queuectl.store.client import Store
from queuectl.store.connect import open_store
from queuectl.store.reader import Reader

DRAIN_S = 30.0
"""Headless: how long after the load has ended the workers may still deliver before the account is made."""
SETTLED_S = 1.0


def run(*, settings: Settings, environ: Mapping[str, str], headless: bool, for_s: float | None, scenario: str) -> int:
    """Run the demo; returns 0, or 1 when a message is unaccounted for. Raises UsageError for a bad scenario."""
    plan = load_scenario(scenario)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="queuectl-demo-"))
    try:
        return _run(folder, plan, scenario, settings, environ, headless=headless, for_s=for_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _run(
    folder: Path, plan: Scenario, scenario: str, settings: Settings, environ: Mapping[str, str], *, headless: bool,
    for_s: float | None,
) -> int:  # fmt: skip
    server = embedded.start(folder / "server")
    parts = Parts(folder, server.url, environ)
    try:
        own = parts.start(plan, scenario, settings, for_s=for_s)
        with open_store(server.url) as store:
            if headless:
                _watch(store, own, parts, for_s)
            else:
                _console(server.url, own, environ)
            return _close(store, own, parts, headless=headless)
    finally:
        parts.stop()
        server.stop()


def _console(url: str, settings: Settings, environ: Mapping[str, str]) -> None:
    from queuectl.console.run import run as run_console
    from queuectl.console.store_link import open_link

    run_console(open_link(url, settings, environ), settings, environ=environ)


def _watch(store: Store, settings: Settings, parts: Parts, for_s: float | None) -> None:
    """A progress line a second, until the time is over or Ctrl+C."""
    reader = Reader(settings)
    started_s = time.monotonic()
    try:
        while for_s is None or time.monotonic() - started_s < for_s:
            parts.check()
            _progress(store, reader, time.monotonic() - started_s)
            time.sleep(1)
    except KeyboardInterrupt:
        return
    finally:
        _end_of_line()


def _progress(store: Store, reader: Reader, elapsed_s: float) -> None:
    fleet = store.run(reader.fleet())
    waiting = sum(queue.backlog for queue in fleet.queues)
    delivered = sum(queue.ledger.delivered for queue in fleet.queues)
    accepted = sum(queue.ledger.accepted for queue in fleet.queues)
    out_per_s = sum(queue.out_per_s or 0.0 for queue in fleet.queues)
    line = (
        f"{elapsed_s:5.0f}s  accepted {accepted:>9,}  delivered {delivered:>9,} ({out_per_s:,.0f}/s)  "
        f"waiting {waiting:>9,}  workers {len(fleet.workers)}"
    )
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{line}")
    else:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _end_of_line() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\n")


def _close(store: Store, settings: Settings, parts: Parts, *, headless: bool) -> int:
    """End the load, let the workers finish what they can, then account for every message."""
    print("stopping the load …", flush=True)
    sent = parts.stop_load()
    try:
        if headless:
            _settle(store, Reader(settings))
        parts.stop_workers()
        received = parts.stop_sink()
        final = account(store.run(Reader(settings).fleet()), sent, received)
    except KeyboardInterrupt:
        print("interrupted: no account was made", file=sys.stderr)
        return 130
    print(final.text)
    return 0 if final.balanced else 1


def _settle(store: Store, reader: Reader) -> None:
    """Wait until nothing waits or is in flight any more, for a while at most."""
    deadline_s = time.monotonic() + DRAIN_S
    while time.monotonic() < deadline_s:
        fleet = store.run(reader.fleet())
        if not any(queue.waiting or queue.in_flight or queue.scheduled for queue in fleet.queues):
            return
        time.sleep(SETTLED_S)
