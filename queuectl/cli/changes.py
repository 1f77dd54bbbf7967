"""Verbs that switch a control, resize a pool, act on failed jobs, or undo: each builds one action for the gate."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from queuectl.cli.confirm import carry_out
from queuectl.cli.context import Context
from queuectl.cli.parsers import change_options, describe, per_second, whole
from queuectl.model import (
    Action,
    DeleteFailed,
    Direction,
    RetryFailed,
    Scale,
    SetDirection,
    SetPause,
    SetShed,
    Switch,
    Undo,
)

Setting = TypeVar("Setting", Switch, Direction)
AUTO = "auto"
_MATCH = """A search is for words that all occur in a job's id, error,
reply text, subject or masked recipient; !word: without it; "two words" in quotes are one."""
MOST_WORKERS = 1000


def add(verb: str, parser: argparse.ArgumentParser) -> None:
    {"shed": _add_shed, "mode": _add_mode, "pause": _add_pause, "resume": _add_resume, "retry": _add_retry,
     "delete": _add_delete, "scale": _add_scale, "undo": _add_undo}[verb](parser)  # fmt: skip


def _gated(parser: argparse.ArgumentParser, action: Callable[[argparse.Namespace], Action]) -> None:
    """Running the command takes the action that its arguments describe through the gate."""

    def run(context: Context) -> int:
        return carry_out(context, action(context.args))

    parser.set_defaults(run=run)


def _add_shed(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Shedding takes messages older than the queue's max age out of the queue, into the shed store, and refuses new ones
while the queue stands at its high watermark. Shed mail is kept and can be replayed (`queuectl replay-shed`), and undo
brings back what was shed. `auto` goes back to the policy in the settings. A protected queue asks for its name.
""", """
  queuectl shed forum on --for 30m --reason "digest spike"
  queuectl shed forum auto
  queuectl shed forum on --dry-run
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("value", choices=[*Switch, AUTO], metavar="on|off|auto")
    change_options(parser, expires=True)
    _gated(parser, lambda args: SetShed(args.queue, _or_auto(Switch, args.value), args.for_s))


def _add_mode(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
FIFO claims the oldest message first, LIFO the newest. Under LIFO fresh mail is on time and old mail waits longer. The
switch acts at once and moves nothing. `auto` goes back to the policy in the settings.
""", """
  queuectl mode forum lifo --for 1h --reason "codes must be fresh"
  queuectl mode forum auto
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("value", choices=[*Direction, AUTO], metavar="fifo|lifo|auto")
    change_options(parser, expires=True)
    _gated(parser, lambda args: SetDirection(args.queue, _or_auto(Direction, args.value), args.for_s))


def _add_pause(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
No worker claims from a paused queue; what is in flight is finished, what arrives waits.
""", """
  queuectl pause forum --for 15m --reason "provider maintenance"
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    change_options(parser, expires=True)
    _gated(parser, lambda args: SetPause(args.queue, Switch.ON, args.for_s))


def _add_resume(parser: argparse.ArgumentParser) -> None:
    describe(parser, "Workers claim from the queue again.", "  queuectl resume forum\n")
    parser.add_argument("queue", metavar="QUEUE")
    change_options(parser)
    _gated(parser, lambda args: SetPause(args.queue, None))


def _add_retry(parser: argparse.ArgumentParser) -> None:
    describe(parser, f"""
Puts failed jobs back at the tail of their queue: all of them, those named with --id, or those that --match. Attempts
are counted anew. {_MATCH}
With --match or --rate it goes on in steps, with progress: Ctrl+C leaves it to the daemon, or stops it where none leads.
Jobs that fail again meanwhile are not retried a second time.
""", """
  queuectl retry forum --state failed --match "4.7.0 @example.org" --dry-run
  queuectl jobs forum --state failed --match "4.7.0 @example.org"
  queuectl retry forum --state failed --match timeout --rate 50 --reason "provider is back"
  queuectl retry forum --state failed --id m-9kQ2nW0ZsY1bT7uXc4Lr --yes
""")  # fmt: skip
    _failed_jobs(parser)
    parser.add_argument("--rate", dest="rate_per_s", metavar="N", type=per_second, help="at most N messages a second")
    _gated(parser, lambda args: RetryFailed(args.queue, tuple(args.ids), args.match, args.rate_per_s))


def _add_delete(parser: argparse.ArgumentParser) -> None:
    describe(parser, f"""
Deletes failed jobs for good: all of the queue's, those named with --id, or those that --match. There is no undo; above
10,000 the queue's name has to be typed. {_MATCH}
""", """
  queuectl delete forum --state failed --dry-run
  queuectl delete forum --state failed --match '5.1.1 !"mailbox full"'
  queuectl delete forum --state failed --yes --confirm forum
""")  # fmt: skip
    _failed_jobs(parser)
    _gated(parser, lambda args: DeleteFailed(args.queue, tuple(args.ids), args.match))


def _failed_jobs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("--state", choices=["failed"], required=True, help="which jobs: failed")
    parser.add_argument("--id", dest="ids", metavar="ID", action="append", default=[],
                        help="this job only; may be given several times")  # fmt: skip
    parser.add_argument("--match", metavar="WORDS", default="",
                        help="those with all these words; !WORD: without it")  # fmt: skip
    change_options(parser, waits=True)


def _add_scale(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Asks for N worker processes in a pool, over all hosts; the daemons start them, or let surplus ones finish and leave.
`auto` goes back to the number in the settings.
""", """
  queuectl scale bulk 6 --for 2h --reason "digest spike"
  queuectl scale bulk auto
""")  # fmt: skip
    parser.add_argument("pool", metavar="POOL")
    parser.add_argument("workers", type=_workers, metavar="N|auto")
    change_options(parser, expires=True)
    _gated(parser, lambda args: Scale(args.pool, None if args.workers == AUTO else args.workers, args.for_s))


def _workers(text: str) -> int | str:
    if text == AUTO:
        return AUTO
    try:
        return whole(0, MOST_WORKERS)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or `auto`") from None


def _add_undo(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Reverses the action with this number: a switch goes back to what it was, a drain's messages come back from where they
still are. Refused when the same thing was changed again later. `queuectl audit` lists the numbers.
""", """
  queuectl undo 12
""")  # fmt: skip
    parser.add_argument("number", metavar="NUMBER", type=whole(1, 10**12))
    change_options(parser, waits=True)
    _gated(parser, lambda args: Undo(args.number))


def _or_auto(kind: type[Setting], text: str) -> Setting | None:
    return None if text == AUTO else kind(text)
