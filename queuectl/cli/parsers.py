"""What the parsers of all commands share: the global options, the options of every change, man-page help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from queuectl.cli.durations import duration

GLOBAL_EPILOG = """\
exit status:
  0 done    1 failed    2 usage    3 refused (read-only, protected, state changed, not confirmed)
  4 no server    130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, no abbreviations, examples kept as written."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        print(f"queuectl: {message}\ntry: {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


@dataclass(frozen=True, slots=True)
class Command:
    """A verb of the command line. `module` has `add(verb, parser)`, imported only when the verb is used."""

    verb: str
    module: str
    summary: str


def global_options() -> Parser:
    """Options that stand before or after the verb; absent unless given, so that the two places do not fight."""
    parser = Parser(add_help=False)
    group = parser.add_argument_group("global options (before or after the command)")
    absent = argparse.SUPPRESS
    group.add_argument(
        "--url", metavar="URL", default=absent,
        help="server: redis://, rediss://, unix:// or redis+sentinel://h1:26379,h2:26379/master/0; "
             "default: $QUEUECTL_URL, $REDIS_URL, the settings file, the embedded server",
    )  # fmt: skip
    group.add_argument("--config", metavar="FILE", type=Path, default=absent,
                       help="settings file; default: $QUEUECTL_CONFIG, ./queuectl.toml, "
                            "~/.config/queuectl/queuectl.toml, /etc/queuectl/queuectl.toml")  # fmt: skip
    group.add_argument("--ascii", action="store_true", default=absent, help="plain ASCII signs only")
    group.add_argument("--no-mouse", action="store_true", default=absent, help="console: leave the mouse alone")
    group.add_argument("--theme", metavar="NAME", default=absent, help="console: colour theme")
    return parser


def describe(parser: argparse.ArgumentParser, description: str, examples: str = "") -> None:
    """Give a command its manual text."""
    parser.description = description.strip()
    parser.epilog = (f"examples:\n{examples.strip(chr(10))}\n\n" if examples else "") + GLOBAL_EPILOG


def change_options(parser: argparse.ArgumentParser, *, expires: bool = False, waits: bool = False) -> None:
    """Options of every change."""
    group = parser.add_argument_group("change options")
    group.add_argument("--reason", metavar="TEXT", default="", help="why; stands in the audit log")
    group.add_argument("--dry-run", action="store_true", help="show what would happen, change nothing")
    group.add_argument("--yes", "-y", action="store_true", help="do not ask; needed when there is no terminal")
    group.add_argument(
        "--confirm",
        metavar="WORD",
        default="",
        help="with --yes: the word that a protected queue or a production environment asks for",
    )
    if expires:
        group.add_argument("--for", dest="for_s", metavar="DURATION", type=duration,
                           help="end by itself after 15m, 4h, 2d …; default: stays until changed")  # fmt: skip
    if waits:
        group.add_argument("--no-wait", action="store_true", help="return at once; a daemon carries it on")


def whole(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: a whole number in a range; thousands may be divided by `_` or `,`."""

    def parse(text: str) -> int:
        try:
            number = int(text.replace(",", ""))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{number:,} is not allowed; {least:,} to {most:,}")
        return number

    return parse


def per_second(text: str) -> float:
    """An argparse type: messages a second, more than 0."""
    try:
        rate = float(text.removesuffix("/s").replace(",", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate; a number of messages a second") from None
    if not 0 < rate < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; more than 0 messages a second")
    return rate
