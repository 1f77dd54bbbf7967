"""`queuectl record`: record a live deployment, reading only; `queuectl replay`: the console on a recording."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from types import FrameType

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe
from queuectl.console import words
from queuectl.model import ServerError, UsageError
from queuectl.record.recorder import Recorder
from queuectl.settings import EnvironmentSettings, mask_url
from queuectl.store.client import Store
from queuectl.store.gate import operator_name
from queuectl.store.reader import Reader

PICTURE_S = 1.0


def add(verb: str, parser: argparse.ArgumentParser) -> None:
    {"record": _add_record, "replay": _add_replay}[verb](parser)


def _add_record(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Record a live deployment into FILE, one picture a second, until Ctrl+C. Nothing is written to the server. The file is
a zstd stream of JSON lines; what was written before a crash can be read. While the server is away nothing is
recorded, and recording goes on when it is back. A daemon records by itself when daemon.record_dir is set.
""", """
  queuectl record incident.qrec
  queuectl record --for 10m spike.qrec
  queuectl replay incident.qrec
  queuectl report --from incident.qrec -o incident.html
""")  # fmt: skip
    parser.add_argument("file", metavar="FILE", type=Path, help="a new file; an existing one is never overwritten")
    parser.add_argument("--for", dest="for_s", metavar="DURATION", type=duration, help="end by itself after 10m, 2h …")
    parser.set_defaults(run=_record)


def _record(context: Context) -> int:
    args = context.args
    with context.store() as store, _stop_signals() as stop:
        reader = Reader(context.settings, address=mask_url(context.url()))
        with Recorder(args.file, by=operator_name(context.environ)) as recorder:
            if args.for_s is None:
                print(f"recording into {args.file}; Ctrl+C ends it", file=sys.stderr)
            _take_pictures(store, reader, recorder, stop, args.for_s)
        noun = "picture" if recorder.frames == 1 else "pictures"
        print(f"recorded {recorder.frames:,} {noun} in {args.file} ({words.size(recorder.bytes)})")
    return 0


def _take_pictures(
    store: Store, reader: Reader, recorder: Recorder, stop: threading.Event, for_s: float | None
) -> None:
    """One a second without drift; a server that is away is told once, and waited for."""
    due_s = began_s = time.monotonic()
    away = False
    while for_s is None or due_s - began_s <= for_s:
        try:
            recorder.add(store.run(reader.fleet()))
        except ServerError as error:
            if not away:
                print(f"queuectl: {error}; waiting for it", file=sys.stderr)
            away = True
        else:
            away = False
        missed = max(0.0, time.monotonic() - due_s) // PICTURE_S
        due_s += (missed + 1) * PICTURE_S
        if stop.wait(max(0.0, due_s - time.monotonic())):
            return


@contextlib.contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """Set by Ctrl+C or SIGTERM, so that the last pictures reach the file; a second one ends at once."""
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _add_replay(parser: argparse.ArgumentParser) -> None:
    describe(parser, """
The console on a recording: the same screens, with a time line. Nothing can be changed, no server is asked.
space holds or plays, [ and ] jump from event to event, comma and full stop step, - and + change the speed,
< and > go a minute; a click on the time line goes there. A folder that the daemon records into is one recording.
""", """
  queuectl replay incident.qrec
  queuectl replay /var/lib/queuectl/recordings --at "2026-11-30 14:02"
""")  # fmt: skip
    parser.add_argument("file", metavar="FILE", type=Path,
                        help="a recording of `queuectl record`, or the folder of a daemon's recordings")  # fmt: skip
    parser.add_argument("--at", metavar="TIME", type=_moment, default=None,
                        help="begin at this local time: 14:02, 14:02:31 or \"2026-11-30 14:02\"; a time without a date "
                             "is the last one in the recording")  # fmt: skip
    parser.set_defaults(run=_replay)


def _moment(text: str) -> datetime | clock_time:
    """A local time, with its date or without. Raises ArgumentTypeError."""
    for parse in (clock_time.fromisoformat, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            return parse(text)
    raise argparse.ArgumentTypeError(f'{text!r} is no time; use 14:02, 14:02:31 or "2026-11-30 14:02"')


def _within(at: datetime | clock_time, end_s: float) -> float:
    """Epoch seconds. A time without a date is the last such time not after the recording's end."""
    if isinstance(at, datetime):
        return at.timestamp()
    end = datetime.fromtimestamp(end_s)
    found = datetime.combine(end.date(), at)
    return (found if found <= end else found - timedelta(days=1)).timestamp()


def _replay(context: Context) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the replay needs a terminal; for a document: `queuectl report --from FILE -o report.html`")
    from queuectl.console.replay_app import ReplayApp
    from queuectl.console.replay_link import ReplayLink
    from queuectl.console.run import run
    from queuectl.record.player import Recording

    environment = EnvironmentSettings(name="REPLAY", read_only=True)
    settings = context.settings.model_copy(update={"environment": environment})
    link = ReplayLink(Recording(context.args.file), time.monotonic)
    if context.args.at is not None:
        link.seek(_within(context.args.at, link.recording.end_s))
    return run(link, settings, environ=context.environ, app_type=ReplayApp)
