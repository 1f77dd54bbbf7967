"""What the parsers of all commands share: the global options, the options of every change, man-page help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from queuectl.cli.durations import duration

GLOBAL_EPILOG = """\
exit status:
  0 done    1 failed    2 usage    3 refused (read-only, protected, state changed, not confirmed)
  4 no server    130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, no abbreviations, examples kept as written."""

    intermixed = False
    """Its last argument takes any number of words, which may stand behind options too."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if not self.intermixed:
            return super().parse_known_args(args, namespace)
        self.intermixed = False
        try:
            return super().parse_known_intermixed_args(args, namespace)
        finally:
            self.intermixed = True

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        near = get_close_matches(str(value), [str(choice) for choice in action.choices or ()], 1)
        if action.choices is not None and value not in action.choices and near:
            raise argparse.ArgumentError(action, f"no {value!r}; did you mean {near[0]!r}?")
        super()._check_value(action, value)

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
    group.add_argument("--context", metavar="NAME", default=absent,
                       help="a server of the settings' [contexts], with its name, colour and rules")  # fmt: skip
    group.add_argument("--config", metavar="FILE", type=Path, default=absent,
                       help="settings file; default: $QUEUECTL_CONFIG, ./queuectl.toml, "
                            "~/.config/queuectl/queuectl.toml, /etc/queuectl/queuectl.toml")  # fmt: skip
    group.add_argument("--read-only", action="store_true", default=absent,
                       help="look only: whatever would change something is refused")  # fmt: skip
    group.add_argument("--ascii", action="store_true", default=absent, help="plain ASCII signs only")
    group.add_argument("--no-mouse", action="store_true", default=absent, help="console: leave the mouse alone")
    group.add_argument("--inline", action="store_true", default=absent,
                       help="console: only the table of queues, under the prompt; its last picture stays")  # fmt: skip
    group.add_argument("--theme", metavar="NAME", default=absent, help="console: colour theme")
    return parser


def describe(parser: argparse.ArgumentParser, description: str, examples: str = "") -> None:
    """Give a command its manual text."""
    parser.description = description.strip()
    parser.epilog = (f"examples:\n{examples.strip(chr(10))}\n\n" if examples else "") + GLOBAL_EPILOG


def change_options(
    parser: argparse.ArgumentParser, *, expires: bool = False, waits: bool = False, why: str = "--reason"
) -> None:
    """Options of every change. `why`: the name of the one for the audit log, where `--reason` means something else."""
    group = parser.add_argument_group("change options")
    group.add_argument(why, dest="reason", metavar="TEXT", default="", help="why; stands in the audit log")
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
