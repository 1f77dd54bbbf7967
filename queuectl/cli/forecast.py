"""`queuectl forecast`: what the next hour brings a queue as it is, and as it would be with one or more changes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe, per_second, whole
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.words import plain
from queuectl.model import Direction, FleetState, QueueState, Switch, UsageError
from queuectl.policy.forecast import Flow, Forecast, added, flow_of, forecast, parked, with_workers
from queuectl.policy.forecast_words import figures
from queuectl.settings import Settings
from queuectl.store.changes.facts import count_older
from queuectl.store.reader import Reader

MOST = 10**12


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
What the next hour brings: when the queue is clear, how long a new message waits, how many are shed or refused, and the
memory at most. With options, before and after that change; nothing is changed. It is the same forecast that every
--dry-run and every panel of the console shows. Arrivals and deliveries are taken to stay as they are now; a service
that grows with workers is capped at what the provider takes.
""", """
  queuectl forecast forum
  queuectl forecast forum --workers 16
  queuectl forecast forum --direction lifo --shed on --max-age 2h
  queuectl forecast forum --drain 500000
  queuectl forecast forum --arrivals 6000 --service 900 --json
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    group = parser.add_argument_group("what if")
    group.add_argument("--workers", metavar="N", type=whole(0, 10_000), help="with so many worker processes")
    group.add_argument("--direction", choices=list(Direction), metavar="fifo|lifo", help="with this end claimed first")
    group.add_argument("--shed", choices=list(Switch), metavar="on|off", help="with shedding on or off")
    group.add_argument("--pause", choices=list(Switch), metavar="on|off", help="with claims stopped or not")
    group.add_argument("--drain", metavar="N", type=whole(1, MOST), help="after N messages were packed away")
    group.add_argument("--refill", metavar="N", type=whole(1, MOST), help="after N messages came back")
    group.add_argument("--max-age", metavar="DURATION", type=duration, help="with this max age")
    group.add_argument("--cap", metavar="N", type=whole(1, MOST), help="with this high watermark")
    group.add_argument("--arrivals", metavar="N", type=per_second, help="with N messages a second coming")
    group.add_argument("--service", metavar="N", type=per_second, help="with N messages a second delivered")
    parser.add_argument("--json", action="store_true", help="machine-readable; null is unknown or never")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    args = context.args
    with context.store() as store:
        reader = Reader(context.settings)
        fleet = store.run(reader.fleet())
        queue = fleet.queue(args.queue)
        if queue is None:
            known = ", ".join(queue.name for queue in fleet.queues) or "none"
            raise UsageError(f"no queue {args.queue!r}; known queues: {known}")
        max_age_s = args.max_age or queue.policy.max_age_s
        stale = store.run(count_older(queue.name, fleet.taken_at_s - max_age_s))
    now = flow_of(queue, stale=stale, most_per_s=_provider_per_s(queue, fleet, context.settings))
    then = what_if(now, args)
    before, after = forecast(now), forecast(then)
    if args.json:
        print_json({"queue": queue.name, "known": now.known, "before": _json(before), "after": _json(after),
                    "stale": stale})  # fmt: skip
        return 0
    _print(context, queue, now, then)
    return 0


def what_if(flow: Flow, args: argparse.Namespace) -> Flow:
    """The flow with everything that the options change."""
    if args.arrivals is not None or args.service is not None:
        in_per_s = flow.in_per_s if args.arrivals is None else args.arrivals
        service_per_s = flow.service_per_s if args.service is None else args.service
        known = flow.known or (args.arrivals is not None and args.service is not None)
        flow = replace(flow, in_per_s=in_per_s, service_per_s=service_per_s, known=known)
    if args.workers is not None:
        flow = with_workers(flow, args.workers)
    if args.drain is not None:
        flow = parked(flow, args.drain)
    if args.refill is not None:
        back = min(args.refill, flow.parked)
        flow = replace(added(flow, back), parked=flow.parked - back)
    return replace(flow, **dict(_switched(args)))


def _switched(args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    if args.direction is not None:
        yield "newest_first", args.direction == Direction.LIFO
    for option, field in (("shed", "shedding"), ("pause", "paused")):
        if getattr(args, option) is not None:
            yield field, getattr(args, option) == Switch.ON
    if args.max_age is not None:
        yield "max_age_s", args.max_age
    if args.cap is not None:
        yield "cap", args.cap


def _provider_per_s(queue: QueueState, fleet: FleetState, settings: Settings) -> float:
    """What its provider takes; no limit where none is known."""
    name = settings.provider_name(queue.policy.provider)
    allowed = next((one.allowed_per_s for one in fleet.providers if one.name == name), None)
    return math.inf if allowed is None else allowed


def _print(context: Context, queue: QueueState, now: Flow, then: Flow) -> None:
    signs = context.glyphs
    rows = figures(forecast(now), forecast(then))
    columns = [Column(queue.name, [row[0] for row in rows]), Column("now", [row[1] for row in rows], right=True)]
    if then != now:
        columns.append(Column("then", [row[2] for row in rows], right=True))
    print_table([replace(column, cells=[plain(cell, signs) for cell in column.cells]) for column in columns])
    if not now.known:
        print("no daemon measures its rates: give --arrivals and --service for the rest")
    elif not now.service_per_s and now.backlog:
        print("nothing is being delivered, so no service rate is known: --service gives one")


def _json(found: Forecast) -> dict[str, Any]:
    tree = {name: value if math.isfinite(value) else None for name, value in asdict(found).items()}
    return tree | {"clear_never": math.isinf(found.clear_s)}
