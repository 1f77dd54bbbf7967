"""The command line: finds the verb, imports its module alone, turns failures into one line and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from queuectl import __version__
from queuectl.cli.parsers import GLOBAL_EPILOG, Command, Parser, describe, global_options

INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + SIGPIPE: what any Unix tool ends with when its reader leaves."""

_CLI = "queuectl.cli"
COMMANDS = (
    Command("status", f"{_CLI}.status", "queues, rates, workers, server: one picture"),
    Command("jobs", f"{_CLI}.jobs", "list the jobs of a queue in claim order, or of one state"),
    Command("job", f"{_CLI}.jobs", "everything about one job, executing nothing"),
    Command("forecast", f"{_CLI}.forecast", "what the next hour brings a queue, and what if"),
    Command("provider", f"{_CLI}.provider", "how a provider stands and what it answers; what a reply would mean"),
    Command("audit", f"{_CLI}.audit", "who changed what, when and why"),
    Command("shed", f"{_CLI}.changes", "turn shedding of stale mail on or off"),
    Command("mode", f"{_CLI}.changes", "claim oldest first (FIFO) or newest first (LIFO)"),
    Command("pause", f"{_CLI}.changes", "stop claims from a queue"),
    Command("resume", f"{_CLI}.changes", "let a paused queue be claimed again"),
    Command("drain", f"{_CLI}.transfers", "move waiting messages to overflow, the shed store or another queue"),
    Command("refill", f"{_CLI}.transfers", "bring packed messages back, oldest first"),
    Command("replay-shed", f"{_CLI}.transfers", "bring shed messages back, no faster than the workers can spare"),
    Command("stop", f"{_CLI}.transfers", "stop a drain or refill under way"),
    Command("continue", f"{_CLI}.transfers", "let a stopped drain or refill go on"),
    Command("retry", f"{_CLI}.changes", "put failed jobs back into their queue"),
    Command("delete", f"{_CLI}.changes", "delete failed jobs for good"),
    Command("policy", f"{_CLI}.policy", "a queue's standing policy: show it, change it live, reset it"),
    Command("scale", f"{_CLI}.changes", "ask for a number of worker processes in a pool"),
    Command("undo", f"{_CLI}.changes", "reverse an action by its audit number"),
    Command("send", f"{_CLI}.send", "send a campaign: a template to every row of a CSV file"),
    Command("suppression", f"{_CLI}.suppression", "addresses that get no mail: list, add, remove, import, export"),
    Command("worker", f"{_CLI}.processes", "deliver mail from queues"),
    Command("daemon", f"{_CLI}.processes", "sample, supervise workers, repair; no terminal"),
    Command("demo", f"{_CLI}.processes", "a whole deployment on this machine, with a spike to steer"),
    Command("record", f"{_CLI}.record", "record a live deployment into a file, a picture a second"),
    Command("replay", f"{_CLI}.record", "the console on a recording, with a time line"),
    Command("simulate", f"{_CLI}.simulate", "try the automation against a load, under a virtual clock"),
    Command("report", f"{_CLI}.report", "what happened, who did what and why: one HTML or Markdown file"),
    Command("doctor", f"{_CLI}.doctor", "check server, workers, settings and terminal, with advice"),
    Command("alerts", f"{_CLI}.alerts", "tell a test message to everyone whom alerts go to"),
    Command("export", f"{_CLI}.export", "print a Grafana dashboard, alert rules, or the list of metrics"),
    Command("completion", f"{_CLI}.completion", "print a shell's completion script"),
    Command("config", f"{_CLI}.config", "show or check the settings"),
)

DESCRIPTION = """\
Steer large e-mail sends on Redis and RQ queues. Without a command: the console.
`queuectl COMMAND --help` explains a command, with examples.
"""


def main() -> None:
    """The console script: runs the command line and exits with its code."""
    sys.exit(run(sys.argv[1:], os.environ))


def run(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Carry out one command line. Returns the exit code of DESIGN.md §9; prints expected failures in one line."""
    _tolerate_any_encoding()
    try:
        code = _dispatch(argv, environ)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("\nqueuectl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return BROKEN_PIPE


def _dispatch(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    try:
        args = _parser(argv).parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
    from queuectl.cli.context import Context
    from queuectl.model import QueuectlError

    try:
        return int(args.run(Context(args, environ)))
    except QueuectlError as error:
        print(f"queuectl: {error}", file=sys.stderr)
        return error.exit_code


def _parser(argv: Sequence[str]) -> Parser:
    shared = global_options()
    parser = Parser(prog="queuectl", parents=[shared], epilog=GLOBAL_EPILOG, description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"queuectl {__version__}")
    parser.set_defaults(run=_console)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        of_verb = commands.add_parser(command.verb, help=command.summary, parents=[shared])
        if command.verb in argv:
            describe(of_verb, f"{command.summary[0].upper()}{command.summary[1:]}.")
            import_module(command.module).add(command.verb, of_verb)
    return parser


def all_commands() -> Iterator[tuple[str, str, Parser]]:
    """Verb, summary and finished parser of every command; imports all their modules."""
    for command in COMMANDS:
        parser = Parser(prog=f"queuectl {command.verb}", parents=[global_options()])
        import_module(command.module).add(command.verb, parser)
        yield command.verb, command.summary, parser


def _console(context: object) -> int:
    from queuectl.cli.processes import console

    return console(context)  # type: ignore[arg-type]


def _tolerate_any_encoding() -> None:
    """A terminal that is not UTF-8 shows `?` for a sign it lacks, instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _drop_stdout() -> None:
    """Nobody reads any more: keep the interpreter from complaining when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
