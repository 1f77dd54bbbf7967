"""`queuectl send`: one template to every row of a CSV file, safe to interrupt and to run again."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from queuectl.cli.context import Context
from queuectl.cli.interruption import Interruption
from queuectl.cli.parsers import describe, per_second
from queuectl.cli.progress import meter
from queuectl.cli.recipients import TO, Recipients, Row
from queuectl.cli.sending import SHOWN_BAD, Sender, Tally, bad_rows
from queuectl.mail.outbox import Outbox
from queuectl.mail.templates import Renderer, Template, TemplateError, check, read_template, variables
from queuectl.model import QueuectlError, RefusedError, UsageError

LONGEST_CAMPAIGN = 100
AGAIN = "run the same command again to go on: nobody gets it twice"


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Sends one mail to every row of a CSV file (UTF-8, commas, first line names the columns). The recipient stands in the
column `to` or `email`; every column is a variable of the template, by its name. The template file has a `Subject:`
line, optional `From:` and `Unsubscribe:` (a URL) lines, a blank line and the text; a file of the same name ending in
.html is the HTML part.

A message is known by its campaign and recipient: whoever got it in this campaign does not get it again, however often
the command is interrupted and run again. Without --campaign one is derived from the contents of both files.

Bad rows are reported by line and left out; the exit status is then 1. While the queue refuses (shedding, at its high
watermark) the command waits and tries again.
""", """
  queuectl send --queue forum --template digest.txt --recipients people.csv --campaign nov-digest
  queuectl send --queue forum --template digest.txt --recipients people.csv --rate 500 --strict
  queuectl send --queue welcome --template hi.txt --recipients export.csv \\
                --to-column "E-mail" --column name="First name"
""")  # fmt: skip
    parser.add_argument("--queue", metavar="QUEUE", required=True, help="where the messages wait")
    parser.add_argument("--template", metavar="FILE", type=Path, required=True, help="Subject line, blank line, text")
    parser.add_argument("--recipients", metavar="FILE", type=Path, required=True, help="CSV file of any size")
    parser.add_argument("--campaign", metavar="ID", default="", help="a rerun of a campaign sends nobody twice")
    parser.add_argument("--rate", dest="rate_per_s", metavar="N", type=per_second, help="at most N messages a second")
    parser.add_argument("--strict", action="store_true", help="look at every row first; send nothing if one is bad")
    parser.add_argument("--to-column", metavar="COLUMN", help="the recipient's column; default: `to` or `email`")
    parser.add_argument("--column", dest="columns", metavar="NAME=COLUMN", type=_alias, action="append", default=[],
                        help="call a column NAME in the template; may be given several times")  # fmt: skip
    parser.set_defaults(run=run)


def _alias(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not equals or not name.isidentifier() or not column:
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=COLUMN, e.g. name="First name"')
    return name, column


def run(context: Context) -> int:
    args = context.args
    _check_arguments(context)
    template = read_template(args.template)
    renderer = _renderer(template, args.template)
    aliases = dict(args.columns) | ({TO: args.to_column} if args.to_column else {})
    with _recipients(args.recipients, aliases, template, args.template) as recipients:
        _try_first_row(recipients, renderer, args.template)
    if args.strict and not _all_good(_recipients(args.recipients, aliases, template, args.template), renderer):
        return 1
    campaign = args.campaign or _derived_campaign(args.recipients, template)
    with (
        _recipients(args.recipients, aliases, template, args.template) as recipients,
        Outbox(context.url()) as outbox,
    ):
        _warn_if_unserved(context)
        return _send(context, outbox, recipients, template, campaign)


def _check_arguments(context: Context) -> None:
    args = context.args
    if context.settings.environment.read_only:
        raise RefusedError("this environment is read-only (environment.read_only)")
    if not args.queue or not args.queue.isprintable() or " " in args.queue:
        raise UsageError(f"--queue {args.queue!r}: a queue's name has no spaces or control characters")
    if len(args.campaign) > LONGEST_CAMPAIGN:
        raise UsageError(f"--campaign: at most {LONGEST_CAMPAIGN} characters")


def _renderer(template: Template, path: Path) -> Renderer:
    try:
        return Renderer(template)
    except TemplateError as error:
        raise UsageError(f"{path}: {error}") from None


def _recipients(path: Path, aliases: dict[str, str], template: Template, named: Path) -> Recipients:
    """The open file, giving rows what the template uses. Raises UsageError when it lacks something of that."""
    recipients = Recipients(path, aliases)
    try:
        check(template, recipients.variables, str(named))
    except UsageError:
        recipients.close()
        raise
    recipients.select(variables(template))
    return recipients


def _try_first_row(recipients: Recipients, renderer: Renderer, path: Path) -> None:
    """A template that fails for the first good row fails for all: better said before the first message."""
    row = next((row for row in recipients if isinstance(row, Row)), None)
    if row is None:
        return
    try:
        renderer.render(row.params)
    except TemplateError as error:
        raise UsageError(f"{path}: tried with line {row.line} of {recipients.path}: {error}") from None


def _all_good(recipients: Recipients, renderer: Renderer) -> bool:
    """Look at every row. Prints the first bad ones."""
    bad = 0
    with recipients, meter("checking") as bar:
        for found in bad_rows(recipients, renderer):
            bad += 1
            if bad <= SHOWN_BAD:
                bar.say(f"{found.where}: {found.reason}")
            bar.update(recipients.read_bytes, recipients.size_bytes, f"{bad:,} bad")
    if bad:
        print(f"nothing was sent: {bad:,} bad {'row' if bad == 1 else 'rows'} (--strict)", file=sys.stderr)
    return not bad


def _derived_campaign(path: Path, template: Template) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    campaign = f"{path.stem[:40]}-{content}-{template.template_id}"
    print(f"campaign {campaign}, derived from the recipients' file and the template: a rerun with the same files "
          "sends nobody twice", file=sys.stderr)  # fmt: skip
    return campaign


def _warn_if_unserved(context: Context) -> None:
    from queuectl.store.reader import Reader

    name = context.args.queue
    with context.store() as store:
        queue = store.run(Reader(context.settings).fleet()).queue(name)
    if queue is None:
        print(f"note: {name} is a new queue", file=sys.stderr)
    elif not queue.workers:
        print(f"note: no worker serves {name} now; its messages wait", file=sys.stderr)


def _send(context: Context, outbox: Outbox, recipients: Recipients, template: Template, campaign: str) -> int:
    outbox.store_template(template)
    tally = Tally()
    started_s = time.monotonic()
    try:
        with Interruption().held() as interruption, meter("sending") as bar:
            sender = Sender(outbox, context.args.queue, template.template_id, campaign, bar, interruption.sleep,
                            context.args.rate_per_s, tally)  # fmt: skip
            sender.send(recipients)
    except KeyboardInterrupt:
        print(f"\nqueuectl: interrupted: {tally.words} so far; {AGAIN}", file=sys.stderr)
        return 130
    except QueuectlError as error:
        raise type(error)(f"{error}; {tally.words} so far; {AGAIN}") from error
    rate = (tally.accepted + tally.duplicate) / max(1e-3, time.monotonic() - started_s)
    print(f"{context.args.queue}: {tally.words} (campaign {campaign}, {rate:,.0f}/s)")
    return 1 if tally.bad else 0
