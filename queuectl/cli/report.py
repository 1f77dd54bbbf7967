"""`queuectl report`: what happened, who did what and why, as one HTML or Markdown file."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe
from queuectl.model import QueuectlError, UsageError
from queuectl.record.incident import Evidence
from queuectl.record.player import Recording
from queuectl.record.report import html_report, markdown_report
from queuectl.settings import mask_url
from queuectl.store import audit, series
from queuectl.store.reader import Reader

DEFAULT_SINCE_S = 3600.0
MOST_EVENTS = 10_000
WRITERS: dict[str, Callable[[Evidence], str]] = {".html": html_report, ".htm": html_report, ".md": markdown_report}


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
What happened lately: summary, timeline of what operators and automation did and why, curves, numbers by queue,
ledger. One file that opens anywhere without network; .html has the curves, .md is for a ticket. From the series that
the daemon keeps (a day), or from a recording. Nothing is written to the server.
""", """
  queuectl report --since 2h -o incident.html
  queuectl report --since 30m -o incident.md
  queuectl report --from incident.qrec -o incident.html
""")  # fmt: skip
    parser.add_argument("--since", metavar="DURATION", type=duration,
                        help="the last 30m, 2h …; default: 1h, or a recording from its start")  # fmt: skip
    parser.add_argument("--from", dest="recording", metavar="FILE", type=Path, help="a recording, instead of a server")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="incident.html or incident.md")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    args = context.args
    write = WRITERS.get(args.output.suffix.lower())
    if write is None:
        raise UsageError(f"-o {args.output}: the name must end in {', '.join(WRITERS)}")
    evidence = _recorded(args.recording, args.since) if args.recording else _live(context, args.since)
    _replace(args.output, write(evidence))
    print(f"written {args.output}")
    return 0


def _recorded(path: Path, since_s: float | None) -> Evidence:
    with Recording(path) as recording:
        to_s = recording.end_s
        from_s = recording.start_s if since_s is None else max(recording.start_s, to_s - since_s)
        return Evidence(
            f"recording {path.name}",
            from_s,
            to_s,
            tuple(recording.samples(from_s, to_s)),
            recording.events(from_s, to_s),
            last=recording.frame_at(to_s),
            first=recording.frame_at(from_s),
            notes=(recording.note,) if recording.note else (),
        )


def _live(context: Context, since_s: float | None) -> Evidence:
    span_s = since_s or DEFAULT_SINCE_S
    address = mask_url(context.url())
    with context.store() as store:
        fleet = store.run(Reader(context.settings, address=address).fleet())
        kept = store.run(series.stored(span_s))
        from_s = fleet.taken_at_s - span_s
        events = store.run(audit.recent(MOST_EVENTS, since_s=from_s))
    kept = tuple(sample for sample in kept if sample.at_s >= from_s)
    return Evidence(address, from_s, fleet.taken_at_s, kept, tuple(reversed(events)), last=fleet,
                    notes=_gaps(kept[0].at_s if kept else None, from_s))  # fmt: skip


def _gaps(first_s: float | None, from_s: float) -> tuple[str, ...]:
    if first_s is None:
        return ("No samples are stored for this time: no daemon was running.",)
    if first_s - from_s > 60:
        return ("Samples begin later than the time asked for: no daemon was running before, or they are kept a day.",)
    return ()


def _replace(path: Path, text: str) -> None:
    """All of the new file, or the old one."""
    try:
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError as error:
        raise QueuectlError(f"{path}: cannot be written: {error.strerror}") from error
