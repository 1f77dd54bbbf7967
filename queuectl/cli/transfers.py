"""Verbs that move messages, and that stop and continue such a move."""

from __future__ import annotations

import argparse

from queuectl.cli.confirm import carry_out
from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import change_options, describe, per_second, whole
from queuectl.model import ContinueOperation, Drain, Refill, StopOperation, Target, Tier, UsageError
from queuectl.store import operations

MOST = 10**12
_TIERS = {Target.OVERFLOW.value: Target.OVERFLOW, Target.SHED.value: Target.SHED}


def add(verb: str, parser: argparse.ArgumentParser) -> None:
    {"drain": _add_drain, "refill": _add_refill, "replay-shed": _add_replay, "stop": _add_stop,
     "continue": _add_continue}[verb](parser)  # fmt: skip


def _add_drain(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Moves waiting messages out of a queue, a thousand at a time: to overflow (packed, ~45 bytes a message, delivered after
`queuectl refill`), to the shed store (not delivered unless replayed), or to another queue. The newest go first;
with --older-than only messages enqueued longer ago, the oldest first. Undo brings back what is still there.
Ctrl+C leaves a drain to the daemon, or stops it where none leads; `queuectl stop` stops it, `queuectl continue` lets it
go on.
""", """
  queuectl drain forum --to overflow --limit 500000 --reason "make room"
  queuectl drain forum --to shed --older-than 6h
  queuectl drain forum --to forum-slow --dry-run
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("--to", required=True, metavar="overflow|shed|QUEUE2", help="where they go")
    parser.add_argument("--older-than", dest="older_than_s", metavar="DURATION", type=duration,
                        help="only messages enqueued longer ago than this")  # fmt: skip
    parser.add_argument("--limit", metavar="N", type=whole(1, MOST), help="at most this many")
    change_options(parser, waits=True)
    parser.set_defaults(run=_drain)


def _drain(context: Context) -> int:
    args = context.args
    target = _TIERS.get(args.to, Target.QUEUE)
    to_queue = args.to if target is Target.QUEUE else ""
    return carry_out(context, Drain(args.queue, target, to_queue, args.older_than_s, args.limit))


def _add_refill(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Brings packed messages back to the tail of their queue, oldest first. Those whose id exists again are skipped and
counted. A segment that cannot be read is set aside, and the refill goes on behind it.
""", """
  queuectl refill forum --rate 500
  queuectl refill forum --from shed --limit 10000
""")  # fmt: skip
    parser.add_argument("--from", dest="tier", choices=[*Tier], default=Tier.OVERFLOW.value, metavar="overflow|shed",
                        help="where they are; default: overflow")  # fmt: skip
    _refill_options(parser, "default: as fast as it goes from overflow, and what the workers can spare from shed")


def _add_replay(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Brings shed messages back to the tail of their queue, oldest first, no faster than the workers can spare. What comes
back is not shed again; those whose id exists again are skipped and counted. `queuectl status QUEUE --json` shows how
many were shed for which reason.
""", """
  queuectl replay-shed forum
  queuectl replay-shed forum --since 2h --reason max-age --rate 200
""")  # fmt: skip
    parser.set_defaults(tier=Tier.SHED.value)
    parser.add_argument("--since", dest="since_s", metavar="DURATION", type=duration,
                        help="only what was shed in the last 30m, 4h, 2d …")  # fmt: skip
    parser.add_argument("--reason", dest="shed_for", metavar="R", default="",
                        help="only what was shed for this: max-age, pressure, operator")  # fmt: skip
    _refill_options(parser, "default: what the workers can spare", why="--why")


def _refill_options(parser: argparse.ArgumentParser, rate_default: str, *, why: str = "--reason") -> None:
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("--rate", dest="rate_per_s", metavar="N", type=per_second,
                        help=f"at most N messages a second; {rate_default}")  # fmt: skip
    parser.add_argument("--limit", metavar="N", type=whole(1, MOST), help="at most this many")
    change_options(parser, waits=True, why=why)
    parser.set_defaults(run=_refill)


def _refill(context: Context) -> int:
    args = context.args
    since_s, shed_for = getattr(args, "since_s", None), getattr(args, "shed_for", "")
    return carry_out(context, Refill(args.queue, Tier(args.tier), args.rate_per_s, args.limit, since_s, shed_for))


def _add_stop(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Stops the drains, refills and replays under way on a queue. What was moved stays moved, what was taken and not yet
moved goes back to where it was.
""", """
  queuectl stop forum --reason "provider is back"
  queuectl stop forum --operation 3f9a2c7e51
""")  # fmt: skip
    _operation_options(parser)
    parser.set_defaults(run=_stop)


def _add_continue(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Lets the drain or refill of a queue that was stopped last go on where it was.
""", """
  queuectl continue forum
""")  # fmt: skip
    _operation_options(parser)
    parser.set_defaults(run=_continue)


def _operation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("--operation", metavar="ID", default="", help="this one; `queuectl audit --json` has the ids")
    change_options(parser, waits=True)


def _stop(context: Context) -> int:
    queue, only = context.args.queue, context.args.operation
    with context.store() as store:
        running = [operation.op_id for operation in store.run(operations.running()) if operation.queue == queue]
    found = [op_id for op_id in running if only in ("", op_id)]
    if not found:
        print(f"nothing to stop: no drain or refill is under way on {queue}")
    return max((carry_out(context, StopOperation(op_id)) for op_id in found), default=0)


def _continue(context: Context) -> int:
    op_id = context.args.operation
    if not op_id:
        with context.store() as store:
            stopped = store.run(operations.stopped_last(context.args.queue))
        if stopped is None:
            raise UsageError(f"no drain or refill of {context.args.queue} was stopped that could go on")
        op_id = stopped.op_id
    return carry_out(context, ContinueOperation(op_id))
