"""`queuectl suppression`: the addresses that get no mail any more."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from queuectl.cli.confirm import carry_out
from queuectl.cli.context import Context
from queuectl.cli.parsers import Parser, change_options, describe, global_options, whole
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.model import Suppress, Unsuppress, UsageError
from queuectl.policy.masking import mask_address
from queuectl.store import suppression
from queuectl.store.client import Store
from queuectl.store.suppression import DIGEST_BYTES, Suppressed, digest

MANUAL = "by operator"
SHOWN = 50
MOST_SHOWN = 5
"""Addresses that an audit entry shows, masked."""
ABOUT = """
Addresses on this list are refused at admission and skipped before sending. Workers add those that do not exist
(settings: delivery.suppress_bounces). Only hashes are stored: the list can tell whether an address is on it, not which
addresses are.
"""
EXAMPLES = """
  queuectl suppression list
  queuectl suppression add ana@example.org --why 'asked by phone'
  queuectl suppression remove ana@example.org
  queuectl suppression export > suppressed.csv
  queuectl suppression import suppressed.csv          columns: email or sha256, and reason
"""


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, ABOUT, EXAMPLES)
    what = parser.add_subparsers(title="what", metavar="list|add|remove|import|export", required=True,
                                 parser_class=Parser)  # fmt: skip
    for name, help_text, run in (
        ("list", "how many there are, and some of them", _list),
        ("add", "suppress addresses", _add),
        ("remove", "let addresses have mail again", _remove),
        ("import", "add every row of a CSV file", _import),
        ("export", "print the list as CSV", _export),
    ):
        of_verb = what.add_parser(name, help=help_text, parents=[global_options()])
        describe(of_verb, f"{help_text[0].upper()}{help_text[1:]}.", EXAMPLES)
        of_verb.set_defaults(run=run)
        if name == "list":
            of_verb.add_argument("--limit", metavar="N", type=whole(1, 1_000_000), default=SHOWN,
                                 help=f"entries to show; default: {SHOWN}")  # fmt: skip
            of_verb.add_argument("--json", action="store_true", help="machine-readable")
        elif name in ("add", "remove"):
            of_verb.add_argument("addresses", metavar="ADDRESS", nargs="+")
        elif name == "import":
            of_verb.add_argument("file", metavar="FILE", type=Path)
        if name in ("add", "import"):
            of_verb.add_argument("--why", metavar="TEXT", default=MANUAL,
                                 help=f"kept with the address; default: {MANUAL!r}")  # fmt: skip
        if name in ("add", "remove", "import"):
            change_options(of_verb)


def _list(context: Context) -> int:
    with context.store() as store:
        total = store.run(suppression.count())
        entries = []
        for entry in _entries(store):
            entries.append(entry)
            if len(entries) == context.args.limit:
                break
    if context.args.json:
        rows = [{"sha256": entry.digest.hex(), "reason": entry.reason, "at_s": entry.at_s} for entry in entries]
        print_json({"total": total, "entries": rows})
        return 0
    print(f"{total:,} suppressed")
    if entries:
        print_table([
            Column("sha256", [entry.digest.hex() for entry in entries]),
            Column("since", [_when(entry.at_s) for entry in entries]),
            Column("reason", [entry.reason for entry in entries], keep=80),
        ])  # fmt: skip
    return 0


def _add(context: Context) -> int:
    addresses = _checked(context.args.addresses)
    entries = tuple((digest(address), context.args.why) for address in addresses)
    return carry_out(context, Suppress(entries, _masked(addresses)))


def _remove(context: Context) -> int:
    addresses = _checked(context.args.addresses)
    return carry_out(context, Unsuppress(tuple(digest(address) for address in addresses), _masked(addresses)))


def _masked(addresses: list[str]) -> str:
    """What the audit log shows of them."""
    shown = ", ".join(mask_address(address) for address in addresses[:MOST_SHOWN])
    more = len(addresses) - MOST_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _import(context: Context) -> int:
    try:
        with context.args.file.open(newline="", encoding="utf-8-sig") as file:
            entries = tuple(_rows(file, context.args.file, context.args.why))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{context.args.file}: cannot be read: {error}") from None
    return carry_out(context, Suppress(entries))


def _export(context: Context) -> int:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("sha256", "reason", "at"))
    with context.store() as store:
        for entry in _entries(store):
            writer.writerow((entry.digest.hex(), entry.reason, _when(entry.at_s)))
    return 0


def _rows(file: TextIO, path: Path, why: str) -> Iterator[tuple[bytes, str]]:
    reader = csv.DictReader(file)
    if not {"email", "sha256"} & set(reader.fieldnames or ()):
        raise UsageError(f"{path}: needs a column `email` or `sha256`; it has: {', '.join(reader.fieldnames or ())}")
    for row in reader:
        yield _key(row, f"{path}, line {reader.line_num}"), row.get("reason") or why


def _key(row: dict[str, str], where: str) -> bytes:
    if row.get("email"):
        return digest(_checked([row["email"]])[0])
    try:
        key = bytes.fromhex(row.get("sha256") or "")[:DIGEST_BYTES]
    except ValueError:
        key = b""
    if len(key) < DIGEST_BYTES:
        raise UsageError(f"{where}: neither an address nor {DIGEST_BYTES * 2} or more hexadecimal digits")
    return key


def _entries(store: Store) -> Iterator[Suppressed]:
    cursor = None
    while cursor != 0:
        cursor, page = store.run(suppression.scan(cursor or 0))
        yield from page


def _checked(addresses: list[str]) -> list[str]:
    for address in addresses:
        if "@" not in address.strip("@"):
            raise UsageError(f"{address!r} is not a mail address")
    return addresses


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
