"""`queuectl export grafana|alerts`: files for other tools, made from our own tables."""

from __future__ import annotations

import argparse

from queuectl.cli.context import Context
from queuectl.cli.parsers import describe
from queuectl.cli.plain import print_json

KINDS = ("grafana", "alerts", "metrics")


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
Print a file for another tool on standard output. `grafana`: a dashboard to import (asks for the Prometheus source).
`alerts`: a Prometheus rule file; JSON is YAML, so it is loaded as it is. `metrics`: every metric with its meaning.
The daemon serves the metrics when daemon.metrics is set, for example to "127.0.0.1:9469".
""", """
  queuectl export grafana > queuectl-dashboard.json
  queuectl export alerts > /etc/prometheus/rules/queuectl.yml
  queuectl export metrics
""")  # fmt: skip
    parser.add_argument("kind", choices=KINDS, help="what to print")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    from queuectl.cli.dashboards import alert_rules, dashboard
    from queuectl.daemon.metrics import METRICS

    match context.args.kind:
        case "grafana":
            print_json(dashboard())
        case "alerts":
            print_json(alert_rules())
        case _:
            for metric in METRICS:
                label = f"{{{metric.scope}}}" if metric.scope else ""
                print(f"{metric.name}{label}\n    {metric.kind}. {metric.help}")
    return 0
