"""`queuectl alerts`: does an alert reach those whom it should?"""

from __future__ import annotations

import argparse
import asyncio

from queuectl.cli.context import Context
from queuectl.cli.parsers import describe
from queuectl.model import UsageError


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Send a test message to every receiver of alerts and say who they are. Alerts are told by the leading daemon when a queue
stands in trouble for alerts.after_s, and again when that is over. Receivers are Apprise URLs (Slack, e-mail, PagerDuty,
a web hook as json://host/path, …) in the environment variable that alerts.urls_env names.
""", """
  queuectl alerts
  ALERT_URLS="slack://… json://hooks.example.org/queuectl" queuectl alerts
""")  # fmt: skip
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    settings = context.settings
    if not settings.alerts.urls_env:
        raise UsageError("alerts.urls_env is not set: name the environment variable that holds the receivers' URLs")
    from queuectl.daemon.alerts import Notice, Receivers

    receivers = Receivers(settings.alerts, context.environ)
    print("\n".join(f"to {target}" for target in receivers.targets))
    where = settings.environment.name or "queuectl"
    problem = asyncio.run(receivers.send(Notice(f"[{where}] a test", "Alerts of queuectl arrive here.", good=True)))
    print(problem or "taken by all")
    return 1 if problem else 0
