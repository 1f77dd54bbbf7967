"""`queuectl config show|check`: the settings in force, and where each came from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from queuectl.cli.context import Context
from queuectl.cli.parsers import Parser, describe, global_options
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.words import plain
from queuectl.model import ServerError, UsageError
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
    describe(shown, """
Prints each setting, its value and its origin. Passwords are masked. Of queues whose policy was changed live
(`queuectl policy`), those values are shown, where the server can be reached.
""", EXAMPLES)  # fmt: skip
    shown.add_argument("--json", action="store_true", help="machine-readable")
    shown.set_defaults(run=_show)
    checked = what.add_parser("check", help="say whether a settings file is right", parents=[global_options()])
    describe(checked, "Exits 0 when the file (default: the one in force) is right, 2 with what is wrong.", EXAMPLES)
    checked.add_argument("file", metavar="FILE", type=Path, nargs="?")
    checked.add_argument("--json", action="store_true", help="machine-readable")
    checked.set_defaults(run=_check)


def _show(context: Context) -> int:
    rows = {key: (value, origin) for key, value, origin in values(context.loaded)} | _live(context)
    if context.args.json:
        print_json({key: {"value": value, "origin": origin} for key, (value, origin) in rows.items()})
        return 0
    print_table([
        Column("setting", list(rows)),
        Column("value", [value for value, _ in rows.values()], keep=90),
        Column("from", [plain(origin, context.glyphs) for _, origin in rows.values()], keep=80),
    ])  # fmt: skip
    return 0


def _live(context: Context) -> dict[str, tuple[str, str]]:
    """What operators changed live (`queuectl policy`): it holds, whatever the file says. Unknown without a server."""
    from queuectl.store.policy_hash import spelled
    from queuectl.store.reader import Reader

    try:
        with context.store() as store:
            fleet = store.run(Reader(context.settings).fleet())
    except ServerError as error:
        if context.settings.server.url:
            print(f"live changes are not shown: {error}", file=sys.stderr)
        return {}
    return {
        f"queues.{queue.name}.{live.field}": (spelled(queue.policy)[live.field], f"live, by {live.by} (#{live.cause})")
        for queue in fleet.queues
        for live in queue.policy.live
    }


def _check(context: Context) -> int:
    named = context.args.file
    try:
        loaded = load(config=named, environ=_without_settings(context.environ)) if named else context.loaded
    except UsageError as error:
        if not context.args.json:
            raise
        print_json({"ok": False, "problems": str(error).splitlines()})
        return error.exit_code
    origins = sorted(set(loaded.origins.values()))
    if context.args.json:
        print_json({"ok": True, "from": origins, "settings": len(loaded.origins)})
    else:
        where = named or ", ".join(origins) or "defaults only, no settings file"
        print(f"ok: {where}: {_number(loaded.origins)}")
    return 0


def _number(origins: Mapping[str, Any]) -> str:
    return f"{len(origins)} {'setting' if len(origins) == 1 else 'settings'}"


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """A named file is checked alone: what this shell's environment adds must not hide or add an error."""
    return {name: value for name, value in environ.items() if not name.startswith("QUEUECTL_") and name != "REDIS_URL"}
