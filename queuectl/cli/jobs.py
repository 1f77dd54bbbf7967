"""`queuectl jobs QUEUE` and `queuectl job ID`: looking at jobs without executing or changing anything."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from queuectl.cli.context import Context
from queuectl.cli.parsers import describe, whole
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.glyphs import Glyphs
from queuectl.console.words import age, plain
from queuectl.model import Direction, JobView, QueueState, UsageError
from queuectl.store import dead_letters, jobs
from queuectl.store.changes.facts import of_queue

DEFAULT_LIMIT = 20
MOST_ROWS = 100_000


def add(verb: str, parser: argparse.ArgumentParser) -> None:
    {"jobs": _add_jobs, "job": _add_job}[verb](parser)


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    describe(parser, f"""
The jobs of a queue, waiting ones in the order they will be claimed (newest first under LIFO). Addresses are masked.
States: {", ".join(jobs.STATES)}.
""", """
  queuectl jobs forum
  queuectl jobs forum --state failed --limit 100
  queuectl jobs forum --state failed --match '5.1.1 @example.org !"mailbox full"'
  queuectl jobs forum --state failed --json | jq -r '.jobs[].job_id'
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("--state", choices=jobs.STATES, default="queued", metavar="STATE", help="default: queued")
    parser.add_argument("--match", metavar="WORDS", default="",
                        help="failed jobs with all these words in id, error, reply, subject or masked recipient; "
                             "!WORD: without it")  # fmt: skip
    parser.add_argument("--limit", metavar="N", type=whole(1, MOST_ROWS), default=DEFAULT_LIMIT,
                        help=f"rows to show; default: {DEFAULT_LIMIT}")  # fmt: skip
    parser.add_argument("--offset", metavar="N", type=whole(0, 10**12), default=0, help="rows to skip")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.set_defaults(run=_jobs)


def _jobs(context: Context) -> int:
    args = context.args
    if args.match and args.state != "failed":
        raise UsageError("--match searches failed jobs: give --state failed")
    with context.store() as store:
        queue = store.run(of_queue(args.queue, context.settings)).queue
        if args.match:
            rows = store.run(dead_letters.find(args.queue, args.match, args.offset, args.limit))
            total, estimated = store.run(dead_letters.count(args.queue, args.match))
        else:
            lifo = queue.direction.value == Direction.LIFO
            rows = store.run(jobs.page(args.queue, args.state, args.offset, args.limit, newest_first=lifo))
            total, estimated = _total(queue, args.state), False
    if args.json:
        print_json({"queue": args.queue, "state": args.state, "match": args.match, "total": total,
                    "estimated": estimated, "offset": args.offset, "jobs": [asdict(row) for row in rows]})  # fmt: skip
        return 0
    if rows:
        print_table(_columns(rows, context.glyphs))
    shown = f"{args.offset + 1:,} to {args.offset + len(rows):,} of " if rows else "none of "
    about, matching = "about " if estimated else "", " that match" if args.match else ""
    print(f"{shown}{about}{total:,} {args.state}{matching} in {args.queue}", file=sys.stderr)
    return 0


def _total(queue: QueueState, state: str) -> int:
    return {"queued": queue.depth + queue.surge, "started": queue.in_flight, "scheduled": queue.scheduled,
            "deferred": queue.deferred, "held": queue.deferred, "failed": queue.failed, "finished": queue.finished,
            "overflow": queue.overflow, "shed": queue.shed_stored}[state]  # fmt: skip


def _columns(rows: list[JobView], signs: Glyphs) -> list[Column]:
    columns = [
        Column("job", [plain(row.job_id, signs) for row in rows]),
        Column("age", [age(row.age_s, signs) for row in rows], right=True, keep=80),
        Column("attempts", [str(row.attempts) for row in rows], right=True, keep=50),
        Column("what", [plain(row.summary, signs) for row in rows], keep=90),
    ]
    if any(row.error for row in rows):
        columns.append(Column("error", [plain(row.error, signs) for row in rows], keep=85))
    return columns


def _add_job(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Everything Redis holds of one job. Its data is shown as JSON with addresses masked, or, when it is a pickle, as a
disassembly: nothing is unpickled or executed.
""", """
  queuectl job m-9kQ2nW0ZsY1bT7uXc4Lr
  queuectl job m-9kQ2nW0ZsY1bT7uXc4Lr --reveal --reason "asked by their support, case 4711"
""")  # fmt: skip
    parser.add_argument("job_id", metavar="ID")
    parser.add_argument("--reveal", action="store_true",
                        help="print the address alone, unmasked; the audit log says who looked")  # fmt: skip
    parser.add_argument("--reason", metavar="TEXT", default="", help="with --reveal: why; stands in the audit log")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.set_defaults(run=_job)


def _job(context: Context) -> int:
    with context.store() as store:
        if context.args.reveal:
            print(store.run(context.gate().reveal(context.args.job_id, reason=context.args.reason)))
            return 0
        found = store.run(jobs.detail(context.args.job_id))
    if context.args.json:
        print_json(asdict(found))
        return 0
    signs, view = context.glyphs, found.view
    known = {"job": view.job_id, "queue": view.queue, "state": view.state, "age": age(view.age_s, signs),
             "attempts": str(view.attempts), "what": view.summary, "error": view.error}  # fmt: skip
    fields = {f"  {name}": value for name, value in sorted(found.fields.items())}
    width = max(map(len, (*known, *fields)))
    for name, value in {**known, **fields}.items():
        print(f"{name:<{width}}  {plain(value, signs)}".rstrip())
    for result in found.results:
        print(f"\nresult: {result.rstrip()}")
    print(f"\n{found.encoding}:\n{found.body}")
    return 0
