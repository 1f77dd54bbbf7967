"""`queuectl audit`: who changed what, newest first."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from datetime import datetime

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe, whole
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.glyphs import Glyphs
from queuectl.console.words import plain
from queuectl.model import AuditEntry
from queuectl.store import audit
from queuectl.store.checks import server_time_s

DEFAULT_LIMIT = 50


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Every change of every operator and of automation, newest first: what it was, what it became, why, and whether it can
still be undone.
""", """
  queuectl audit --since 4h
  queuectl audit --limit 1000 --json | jq '.entries[] | select(.scope == "forum")'
""")  # fmt: skip
    parser.add_argument("--since", metavar="DURATION", type=duration, help="only the last 30m, 4h, 2d …")
    parser.add_argument("--limit", metavar="N", type=whole(1, 1_000_000), default=DEFAULT_LIMIT,
                        help=f"entries to show; default: {DEFAULT_LIMIT}")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    args = context.args
    with context.store() as store:
        since_s = None
        if args.since is not None:
            since_s = store.run(server_time_s()) - args.since
        entries = store.run(audit.recent(args.limit, since_s=since_s))
    if args.json:
        print_json({"entries": [asdict(entry) for entry in entries]})
    elif entries:
        print_table(_columns(entries, context.glyphs))
    else:
        print("nothing was changed yet" if args.since is None else "nothing was changed in that time")
    return 0


def _columns(entries: tuple[AuditEntry, ...], signs: Glyphs) -> list[Column]:
    return [
        Column("#", [str(entry.number) for entry in entries], right=True),
        Column("when", [_when(entry.at_s) for entry in entries], keep=90),
        Column("who", [plain(entry.who, signs) for entry in entries], keep=85),
        Column("what", [plain(f"{entry.action} {entry.scope}", signs) for entry in entries], keep=95),
        Column("change", [_change(entry, signs) for entry in entries], keep=93),
        Column("reason", [plain(entry.reason, signs) for entry in entries], keep=70),
        Column("undo", [_undo(entry) for entry in entries], keep=60),
    ]


def _when(at_s: float) -> str:
    """Local time; the date only where it is not today's."""
    moment = datetime.fromtimestamp(at_s)
    same_day = moment.date() == datetime.fromtimestamp(time.time()).date()
    return moment.strftime("%H:%M:%S" if same_day else "%Y-%m-%d %H:%M:%S")


def _change(entry: AuditEntry, signs: Glyphs) -> str:
    return plain(f"{entry.before} {signs.arrow} {entry.after}" if entry.before else entry.after, signs)


def _undo(entry: AuditEntry) -> str:
    if entry.undone_by:
        return f"undone by #{entry.undone_by}"
    return f"queuectl undo {entry.number}" if entry.undoable else ""
