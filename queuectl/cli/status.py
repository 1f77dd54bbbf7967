"""`queuectl status`: one picture of the deployment, as a table or as JSON; again and again with --watch."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import NoReturn

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe
from queuectl.cli.picture import print_picture
from queuectl.cli.plain import print_json, status_json
from queuectl.model import FleetState, UsageError
from queuectl.settings import mask_url
from queuectl.store.client import Store
from queuectl.store.reader import Reader

WATCH_S = 2.0
HOME_AND_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
One picture of all queues, or of one, taken in one round trip. Rates, waits and ETA come from the daemon; – is
unknown (no daemon leads), ≈ is estimated (stock producers or workers). --json prints everything under stable names;
unknown is null.
""", """
  queuectl status
  queuectl status forum --watch
  queuectl status --json | jq '.queues[] | {name, depth, eta_s}'
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE", nargs="?", help="this queue only")
    parser.add_argument("--json", action="store_true", help="machine-readable; with --watch one line a picture")
    parser.add_argument("--watch", metavar="INTERVAL", nargs="?", type=duration, const=WATCH_S,
                        help="again every 2 s, or every INTERVAL (5s, 1m), until Ctrl+C")  # fmt: skip
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    args = context.args
    with context.store() as store:
        reader = Reader(context.settings, address=mask_url(context.url()))
        if args.watch is None:
            _print(context, _take(store, reader, args.queue))
            return 0
        try:
            _watch(context, store, reader)
        except KeyboardInterrupt:
            return 0


def _watch(context: Context, store: Store, reader: Reader) -> NoReturn:
    while True:
        fleet = _take(store, reader, context.args.queue)
        if sys.stdout.isatty() and not context.args.json:
            print(HOME_AND_CLEAR, end="")
        _print(context, fleet)
        sys.stdout.flush()
        time.sleep(context.args.watch)


def _take(store: Store, reader: Reader, only: str | None) -> FleetState:
    fleet = store.run(reader.fleet())
    if only is None:
        return fleet
    queue = fleet.queue(only)
    if queue is None:
        known = ", ".join(queue.name for queue in fleet.queues) or "none"
        raise UsageError(f"no queue {only!r}; known queues: {known}")
    pools = tuple(pool for pool in fleet.pools if only in pool.queues)
    workers = tuple(worker for worker in fleet.workers if only in worker.queues)
    events = tuple(event for event in fleet.events if event.scope in {only, *(pool.name for pool in pools)})
    return replace(fleet, queues=(queue,), workers=workers, pools=pools, events=events)


def _print(context: Context, fleet: FleetState) -> None:
    if context.args.json:
        print_json(status_json(fleet), compact=context.args.watch is not None)
    else:
        print_picture(fleet, context.glyphs)
