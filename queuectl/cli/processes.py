"""Commands that become a process: console, daemon, worker, demo."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe, whole
from queuectl.model import UsageError

if TYPE_CHECKING:
    from queuectl.console.contexts import Place

DEFAULT_CONCURRENCY = 50
OWN = "default"
"""How the switcher calls the server that no context names."""
NOT_DRAWABLE = frozenset({"", "dumb", "unknown"})


def add(verb: str, parser: argparse.ArgumentParser) -> None:
    {"daemon": _add_daemon, "worker": _add_worker, "demo": _add_demo}[verb](parser)


def console(context: Context) -> int:
    """The console; refuses where it could not be drawn or typed into."""
    _check_terminal(context)
    from queuectl.console.contexts import Contexts
    from queuectl.console.run import run
    from queuectl.console.store_link import open_link

    places = _places(context)
    environ = _for_children(context)
    contexts = Contexts(places, context.option("context") or OWN, lambda at: open_link(at.server.url, at, environ))
    settings, inline = contexts.current.settings, bool(context.option("inline"))
    return run(contexts.link, settings, environ=context.environ, contexts=contexts, inline=inline)


def _places(context: Context) -> tuple[Place, ...]:
    """The server that was asked for, and those of the settings' [contexts]."""
    from queuectl.console.contexts import Place

    settings = context.settings
    named = [Place(name, settings.in_context(name)) for name in settings.contexts]
    if context.option("context") is not None:
        return tuple(named)
    server = settings.server.model_copy(update={"url": context.url_started()})
    return (Place(OWN, settings.model_copy(update={"server": server})), *named)


def _check_terminal(context: Context) -> None:
    """`textual serve` draws in a browser and brings its own driver; everything else needs a terminal to draw on."""
    if context.environ.get("TEXTUAL_DRIVER"):
        return
    instead = "for scripts: `queuectl status`, `queuectl status --json`, `queuectl --help`"
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"the console needs a terminal; {instead}")
    if context.environ.get("TERM", "") in NOT_DRAWABLE:
        kind = context.environ.get("TERM", "")
        raise UsageError(f"the console cannot draw on TERM={kind!r}: set the terminal's real type, e.g. "
                         f"TERM=xterm-256color; {instead}")  # fmt: skip


def _add_daemon(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
The daemon: samples every queue each second, keeps this host's workers at each pool's desired number, repairs what
dead workers held, promotes scheduled jobs, carries on drains. Any number may run: one leads, the others stand by.
SIGHUP reads the settings anew, SIGTERM leaves cleanly.
""", """
  queuectl daemon --config /etc/queuectl/queuectl.toml
  QUEUECTL_URL=redis://10.0.0.5/0 queuectl daemon
""")  # fmt: skip
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--observe", action="store_true", help="sample in memory only: take no lease, write nothing")
    parser.set_defaults(run=_daemon)


def _daemon(context: Context) -> int:
    url = context.url_started()
    from queuectl.daemon.main import run

    return run(lambda: context.read_settings().settings, url=url, environ=_for_children(context),
               child=context.args.child, observe=context.args.observe)  # fmt: skip


def _for_children(context: Context) -> dict[str, str]:
    """The environment in which our child processes read the same settings file as we do."""
    config = context.option("config")
    return {**context.environ, **({"QUEUECTL_CONFIG": str(config.absolute())} if config else {})}


def _add_worker(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
A worker: claims from the queues in the order given (the first is the most important) and delivers up to
--concurrency messages at once. It runs any RQ job. SIGTERM or Ctrl+C: stops claiming, finishes what is in flight,
hands the rest back; a second signal ends it at once.
""", """
  queuectl worker security payment
  queuectl worker forum --concurrency 200
  queuectl worker welcome forum --burst           deliver what waits, then leave
""")  # fmt: skip
    parser.add_argument("queues", metavar="QUEUE", nargs="+", help="queues to serve, most important first")
    parser.add_argument("--concurrency", metavar="N", type=whole(1, 5000),
                        help="messages in flight at once; default: the pool's setting, else 50")  # fmt: skip
    parser.add_argument("--burst", action="store_true", help="leave when nothing waits any more")
    parser.add_argument(
        "--allow-pickle",
        action="store_true",
        help="run jobs whose data is a pickle: whoever can write to the server can then run code here",
    )
    parser.add_argument("--pool", metavar="NAME", default="", help="the pool it counts towards")
    parser.add_argument("--name", metavar="NAME", default="", help="its name in RQ's lists; default: made up")
    parser.set_defaults(run=_worker)


def _worker(context: Context) -> int:
    args = context.args
    settings, url = context.settings, context.url()
    pool = settings.pools.get(args.pool)
    concurrency = args.concurrency or (pool.concurrency if pool else DEFAULT_CONCURRENCY)
    from queuectl.worker.main import run

    return run(
        settings,
        url=url,
        queues=tuple(args.queues),
        concurrency=concurrency,
        burst=args.burst,
        pool=args.pool,
        allow_pickle=args.allow_pickle,
        name=args.name or None,
        environ=context.environ,
    )


def _add_demo(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
A whole deployment on this machine: a private server, an SMTP server on loopback, a daemon, workers and a load
generator, with the console on top. Nothing leaves the machine. Ends with the console, and prints that every message
is accounted for.
""", """
  queuectl demo
  queuectl demo --headless --for 60s              no terminal; fails when a message is unaccounted for
""")  # fmt: skip
    parser.add_argument("--headless", action="store_true", help="no console: a progress line, then the account")
    parser.add_argument("--for", dest="for_s", metavar="DURATION", type=duration, help="end by itself after 60s, 5m …")
    parser.add_argument("--scenario", metavar="NAME|FILE", default="spike", help="what the load does; default: spike")
    parser.set_defaults(run=_demo)


def _demo(context: Context) -> int:
    args, settings = context.args, context.settings
    if not args.headless and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the demo's console needs a terminal; `queuectl demo --headless --for 60s` works without")
    from queuectl.demo.run import run

    return run(settings=settings, environ=context.environ, headless=args.headless, for_s=args.for_s,
               scenario=args.scenario)  # fmt: skip
