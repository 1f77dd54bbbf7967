"""`queuectl doctor`: look at everything that has to be right, and say what to do where it is not."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from queuectl.cli import checks
from queuectl.cli.checks import Check, Level
from queuectl.cli.context import Context
from queuectl.cli.parsers import describe
from queuectl.cli.plain import print_json
from queuectl.model import QueuectlError, ServerError
from queuectl.settings import mask_url
from queuectl.settings.load import default_paths
from queuectl.store import checks as facts
from queuectl.store.client import Store
from queuectl.store.reader import Reader

PINGS = 20


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Checks the server (version, eviction, persistence, memory, latency, clock), the fleet (daemon, workers, ledger), the
settings and the terminal. Changes nothing. Exits 1 when something is bad, 4 when there is no server.
""", """
  queuectl doctor
  queuectl doctor --json | jq '.checks[] | select(.level != "ok")'
""")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    found = list(_around(context))
    code = 0
    try:
        with context.store() as store:
            found = [Check("server", Level.OK, mask_url(context.url())), *_inside(context, store), *found]
    except ServerError as error:
        found.insert(0, Check("server", Level.BAD, str(error), "is it running, and is --url right?"))
        code = error.exit_code
    _print(context, found)
    return code or int(any(check.level is Level.BAD for check in found))


def _around(context: Context) -> Iterator[Check]:
    named = context.option("config") or context.environ.get("QUEUECTL_CONFIG")
    searched = (Path(named),) if named else default_paths(context.environ)
    context.read_settings()
    yield checks.settings_file(next((path for path in searched if path.is_file()), None), searched)
    yield from checks.terminal(sys.stdout.encoding or "", context.environ)


def _inside(context: Context, store: Store) -> Iterator[Check]:
    server = store.run(facts.server_facts())
    try:
        config = store.run(facts.config_facts())
    except QueuectlError:
        config = None
    yield from checks.server(server)
    yield from checks.config(config, server)
    yield checks.latency(statistics.median(_ping_ms(store) for _ in range(PINGS)))
    yield checks.clock(_difference_s(store))
    fleet = store.run(Reader(context.settings).fleet())
    names = [queue.name for queue in fleet.queues]
    yield from checks.fleet(fleet)
    yield from checks.overflow(store.run(facts.overflow_facts()), fleet)
    yield from checks.schedulers(fleet, store.run(facts.scheduler_locks(names)))
    unknown = store.run(facts.without_policy([name for name in names if name not in context.settings.queues]))
    yield checks.policies(unknown)


def _ping_ms(store: Store) -> float:
    before_s = time.perf_counter()
    store.run(facts.ping())
    return (time.perf_counter() - before_s) * 1000


def _difference_s(store: Store) -> float:
    """Server's clock minus this machine's, half a round trip allowed for."""
    before_s = time.time()
    server_s = store.run(facts.server_time_s())
    return server_s - (before_s + time.time()) / 2


def _print(context: Context, found: list[Check]) -> None:
    if context.args.json:
        print_json({"checks": [asdict(check) for check in found]})
        return
    signs = context.glyphs
    mark = {Level.OK: signs.yes, Level.WARN: signs.warn, Level.BAD: signs.bad}
    width = max(len(check.name) for check in found)
    for check in found:
        print(f"{mark[check.level]} {check.level:<4}  {check.name:<{width}}  {check.text}")
        if check.advice:
            print(f"{'':<{width + 10}}{signs.arrow} {check.advice}")
    count = {level: sum(check.level is level for check in found) for level in Level}
    print(f"{count[Level.OK]} ok, {count[Level.WARN]} to look at, {count[Level.BAD]} bad")
