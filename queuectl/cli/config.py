"""`queuectl config show|check`: the settings in force, and where each came from."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from queuectl.cli.context import Context
from queuectl.cli.parsers import Parser, describe, global_options
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.settings import load, values

EXAMPLES = """
  queuectl config show
  queuectl config check /etc/queuectl/queuectl.toml
"""


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Settings: flag > environment (QUEUECTL_SECTION__KEY) > settings file > default. An unknown key or a bad value is an
error that names file, key, value and what is allowed.
""", EXAMPLES)  # fmt: skip
    what = parser.add_subparsers(title="what", metavar="show|check", required=True, parser_class=Parser)
    shown = what.add_parser("show", help="every value with where it came from", parents=[global_options()])
    describe(shown, "Prints each setting, its value and its origin. Passwords are masked.", EXAMPLES)
    shown.add_argument("--json", action="store_true", help="machine-readable")
    shown.set_defaults(run=_show)
    checked = what.add_parser("check", help="say whether a settings file is right", parents=[global_options()])
    describe(checked, "Exits 0 when the file (default: the one in force) is right, 2 with what is wrong.", EXAMPLES)
    checked.add_argument("file", metavar="FILE", type=Path, nargs="?")
    checked.set_defaults(run=_check)


def _show(context: Context) -> int:
    rows = list(values(context.loaded))
    if context.args.json:
        print_json({key: {"value": value, "origin": origin} for key, value, origin in rows})
        return 0
    keys, shown, origins = zip(*rows, strict=True)
    print_table([Column("setting", keys), Column("value", shown, keep=90), Column("from", origins, keep=80)])
    return 0


def _check(context: Context) -> int:
    named = context.args.file
    loaded = load(config=named, environ=_without_settings(context.environ)) if named else context.loaded
    origins = sorted(set(loaded.origins.values()))
    print(f"ok: {named or ', '.join(origins) or 'defaults only, no settings file'}: "
          f"{_number(loaded.origins)}")  # fmt: skip
    return 0


def _number(origins: Mapping[str, Any]) -> str:
    return f"{len(origins)} {'setting' if len(origins) == 1 else 'settings'}"


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """A named file is checked alone: what this shell's environment adds must not hide or add an error."""
    return {name: value for name, value in environ.items() if not name.startswith("QUEUECTL_") and name != "REDIS_URL"}
