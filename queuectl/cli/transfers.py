"""Verbs that move messages: drain, refill, replay-shed."""

from __future__ import annotations

import argparse

from queuectl.cli.confirm import carry_out
from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import change_options, describe, per_second, whole
from queuectl.model import Drain, Refill, Target, Tier

MOST = 10**12
_TIERS = {Target.OVERFLOW.value: Target.OVERFLOW, Target.SHED.value: Target.SHED}


def add(verb: str, parser: argparse.ArgumentParser) -> None:
    {"drain": _add_drain, "refill": _add_refill, "replay-shed": _add_replay}[verb](parser)


def _add_drain(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Moves waiting messages out of a queue, a thousand at a time: to overflow (packed, ~45 bytes a message, delivered after
`queuectl refill`), to the shed store (not delivered unless replayed), or to another queue. The newest go first;
with --older-than only messages enqueued longer ago, the oldest first. Undo brings back what is still there.
Ctrl+C leaves a drain to the daemon, or stops it where none leads.
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
Brings packed messages back to the tail of their queue, oldest first, in whole segments of up to a thousand.
""", """
  queuectl refill forum --rate 500
  queuectl refill forum --from shed --limit 10000
""")  # fmt: skip
    parser.add_argument("--from", dest="tier", choices=[*Tier], default=Tier.OVERFLOW.value, metavar="overflow|shed",
                        help="where they are; default: overflow")  # fmt: skip
    _refill_options(parser)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Brings shed messages back to the tail of their queue, oldest first: `queuectl refill QUEUE --from shed`. Switch
shedding off first, or those past their max age are shed again.
""", """
  queuectl replay-shed forum --rate 200
""")  # fmt: skip
    parser.set_defaults(tier=Tier.SHED.value)
    _refill_options(parser)


def _refill_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("--rate", dest="rate_per_s", metavar="N", type=per_second, help="at most N messages a second")
    parser.add_argument("--limit", metavar="N", type=whole(1, MOST), help="about this many (whole segments)")
    change_options(parser, waits=True)
    parser.set_defaults(run=_refill)


def _refill(context: Context) -> int:
    args = context.args
    return carry_out(context, Refill(args.queue, Tier(args.tier), args.rate_per_s, args.limit))
