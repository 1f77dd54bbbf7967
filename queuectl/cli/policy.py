"""`queuectl policy`: a queue's standing policy, field by field with its origin; changed live, and given back."""

from __future__ import annotations

import argparse
import re
import textwrap
from dataclasses import asdict
from typing import Any

from queuectl.cli.confirm import carry_out
from queuectl.cli.context import Context
from queuectl.cli.durations import parse_s
from queuectl.cli.parsers import Parser, change_options, describe, whole
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.words import coarse, duration, plain
from queuectl.model import SetPolicy, UsageError
from queuectl.store import policy_hash
from queuectl.store.changes.facts import of_queue
from queuectl.store.checks import server_time_s
from queuectl.store.policy_hash import FieldView

_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+")


def add(_verb: str, parser: Parser) -> None:
    describe(parser, f"""
What a queue stands for while nobody overrides it: how old mail may get, which wait it should keep, what automation may
do. Without FIELD=VALUE the policy is shown, each field with where it comes from: default, settings, or live (by whom,
when, why). With it, fields change at once, for all daemons and workers, and stay changed over restarts and when the
settings are read again, until they are changed or reset. Times are written 90s, 15m, 4h, 2d.

Fields, as in [queues.QUEUE] of the settings:
{_fields()}

A policy has a version. Who changes it while you look at it is named, and your change refused; --expect-version does
the same between two commands.
""", """
  queuectl policy forum
  queuectl policy forum --json | jq '.fields[] | select(.origin == "live")'
  queuectl policy forum target_wait=30s max_age=2h class=bulk --reason "digest spike"
  queuectl policy forum shed=auto direction=auto objective=freshness --dry-run
  queuectl policy forum cap=500,000 --expect-version 7 --yes
  queuectl policy forum --reset cap shed
  queuectl policy forum --reset
""")  # fmt: skip
    parser.add_argument("queue", metavar="QUEUE")
    parser.add_argument("changes", metavar="FIELD=VALUE", nargs="*", type=_assignment, help="change this field live")
    parser.add_argument("--reset", metavar="FIELD", nargs="*",
                        help="go back to the settings: these fields, or every one that was changed live")  # fmt: skip
    parser.add_argument("--expect-version", metavar="N", type=whole(0, 10**12),
                        help="refuse when the policy's version is not N")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="machine-readable (without FIELD=VALUE)")
    change_options(parser)
    parser.intermixed = True
    parser.set_defaults(run=run)


def _fields() -> str:
    lines = []
    for field in policy_hash.CHANGEABLE:
        lines += textwrap.wrap(f"{field:16}{policy_hash.described(field)}", 110, initial_indent="  ",
                               subsequent_indent=" " * 18)  # fmt: skip
    return "\n".join(lines)


def run(context: Context) -> int:
    args = context.args
    if not args.changes and args.reset is None:
        return _show(context)
    if args.json:
        raise UsageError("--json is for looking; a change prints what it did")
    return carry_out(context, _action(args))


def _action(args: argparse.Namespace) -> SetPolicy:
    reset = args.reset or []
    stray = next((field for field in reset if "=" in field), None)
    if stray:
        raise UsageError(f"{stray}: fields to change stand before the options: queuectl policy {args.queue} {stray} …")
    changes: list[tuple[str, str | None]] = [(field, _canonical(field, text)) for field, text in args.changes]
    if args.changes and args.reset == []:
        raise UsageError("--reset without a field resets all of them: give it alone, or with the fields to reset")
    if args.reset is not None:
        changes += [(policy_hash.field_named(field), None) for field in reset or policy_hash.CHANGEABLE]
    return SetPolicy(args.queue, tuple(changes), args.expect_version)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=VALUE, e.g. target_wait_s=30s")
    try:
        return policy_hash.field_named(name), value
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _canonical(field: str, text: str) -> str:
    """As the settings spell it: 2h is 7200, 500,000 is 500000."""
    if field.endswith("_s"):
        try:
            return f"{parse_s(text):.15g}"
        except ValueError as error:
            raise UsageError(f"{field}: {error}") from None
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def _show(context: Context) -> int:
    args, settings = context.args, context.settings
    with context.store() as store:
        policy = store.run(of_queue(args.queue, settings)).queue.policy
        version, rows = store.run(policy_hash.view(args.queue, settings.queues.get(args.queue)))
        now_s = store.run(server_time_s())
    if args.json:
        print_json({"queue": args.queue, "version": version, "fields": [asdict(row) for row in rows],
                    "problems": list(policy.problems)})  # fmt: skip
        return 0
    signs = context.glyphs
    print_table([
        Column("field", [row.field for row in rows]),
        Column("value", [_value(row.field, row.value) for row in rows]),
        Column("from", [plain(_origin(row, now_s), signs) for row in rows], keep=90),
    ])  # fmt: skip
    for problem in policy.problems:
        print(plain(f"{signs.bad} {problem}", signs))
    print(f"version {version}")
    return 0


def _origin(row: FieldView, now_s: float) -> str:
    if row.live is None:
        return row.origin
    why = f' "{row.live.reason}"' if row.live.reason else ""
    when = coarse(now_s - row.live.since_s)
    return f"live, by {row.live.by} {when} ago{why} (#{row.live.cause}); settings: {_value(row.field, row.standing)}"


def _value(field: str, value: Any) -> str:
    if isinstance(value, int | float):
        return duration(float(value)) if field.endswith("_s") else f"{value:,}"
    return str(value)
