"""`queuectl simulate`: what the automation would do against a load, under a virtual clock."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from queuectl.cli.context import Context
from queuectl.cli.parsers import describe
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.glyphs import Glyphs
from queuectl.console.words import age, count, duration, size
from queuectl.model import UsageError
from queuectl.simulate.files import load_scenario, scenario_names
from queuectl.simulate.result import QueueResult, Result, simulate

PLOT_HEIGHT = 18
ON_TIME = 0.999
"""A kind of mail kept its target wait when this share of what arrived was delivered within it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A scenario's name, what it came to, and how long this took (s)."""

    name: str
    result: Result
    took_s: float


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, f"""
Run a load scenario through the same policies that steer a real deployment, second by second under a virtual clock:
arrivals, service, provider limits, worker starts. Needs no server. Prints for each queue what was on time, shed and
refused, how long the rest waited, what it took at most, and when which control moved, and why. Waits are in whole
seconds; <1s is the second of arrival. Scenarios that come with queuectl: {", ".join(scenario_names())}.
""", """
  queuectl simulate mission
  queuectl simulate mission --compare mission-plain-fifo mission-plain-lifo mission-no-isolation
  queuectl simulate --compare before.toml after.toml
  queuectl simulate ours.toml --plot
  queuectl simulate ours.toml --json | jq '.scenarios[0].queues'
""")  # fmt: skip
    parser.add_argument(
        "scenario", metavar="SCENARIO.toml", nargs="?", help="a scenario file, or the name of one that ships"
    )
    parser.add_argument(
        "--compare",
        metavar="OTHER.toml",
        nargs="+",
        default=[],
        help="others, side by side with it; or all of them, without a first one",
    )
    parser.add_argument("--plot", action="store_true", help="draw the backlog by tier over time")
    parser.add_argument("--json", action="store_true", help="everything, with transitions and history")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    args = context.args
    names = [name for name in (args.scenario, *args.compare) if name]
    if not names:
        raise UsageError(f"name a scenario: a file, or one of {', '.join(scenario_names())}")
    scenarios = [(name, load_scenario(name)) for name in names]
    runs = []
    for name, scenario in scenarios:
        started_s = time.perf_counter()
        result = simulate(scenario)
        runs.append(Run(name, result, time.perf_counter() - started_s))
    if args.json:
        print_json({"scenarios": [_json(each) for each in runs]})
        return 0
    _print(runs, context.glyphs)
    if args.plot:
        for each in runs:
            print(f"\n{_plot(each, context.glyphs)}")
    return 0


def _print(runs: list[Run], signs: Glyphs) -> None:
    for each in runs:
        arrived = sum(queue.arrived for queue in each.result.queues)
        print(f"{each.name}: {each.result.summary}")
        print(f"  {duration(each.result.for_s)} simulated in {each.took_s:.1f} s, {count(arrived, signs)} messages, "
              f"at most {size(each.result.peak_bytes, signs)} in the server")  # fmt: skip
    print()
    names = [queue.name for queue in runs[0].result.queues]
    names += [queue.name for each in runs[1:] for queue in each.result.queues if queue.name not in names]
    rows = [(each.name, queue) for name in names for each in runs for queue in each.result.queues if queue.name == name]
    print_table(_columns(rows, signs, several=len(runs) > 1))
    print()
    for each in runs:
        for line in _verdict(each, signs):
            print(line)
    if len(runs) == 1:
        _print_transitions(runs[0].result)
    else:
        print("transitions: " + ", ".join(f"{each.name} {len(each.result.transitions)}" for each in runs))


def _verdict(each: Run, signs: Glyphs) -> Iterator[str]:
    """Which kinds of mail were on time all through, and what the others paid for it."""
    on_time = [queue.name for queue in each.result.queues if queue.on_time >= ON_TIME]
    yield f"{each.name}: target wait kept by {', '.join(on_time) or 'none'}"
    for queue in each.result.queues:
        if queue.name not in on_time:
            fates = (("shed", queue.shed), ("refused", queue.refused), ("left", queue.waiting))
            lost = "".join(f", {count(number, signs)} {what}" for what, number in fates if number)
            yield f"  {queue.name}: {_percent(queue.on_time)} on time, p99 {_wait(queue.wait_p99_s, signs)}{lost}"


def _columns(rows: list[tuple[str, QueueResult]], signs: Glyphs, *, several: bool) -> list[Column]:
    queues = [queue for _, queue in rows]

    def numbers(heading: str, cells: list[str], keep: int) -> Column:
        return Column(heading, cells, right=True, keep=keep)

    scenario = [Column("scenario", [name for name, _ in rows], keep=99)] if several else []
    return [
        Column("queue", [queue.name for queue in queues]),
        *scenario,
        numbers("target", [age(queue.target_wait_s, signs) for queue in queues], 60),
        numbers("arrived", [count(queue.arrived, signs) for queue in queues], 50),
        numbers("on time", [_percent(queue.on_time) for queue in queues], 98),
        numbers("in age", [_percent(queue.in_age) for queue in queues], 55),
        numbers("shed", [count(queue.shed, signs) for queue in queues], 95),
        numbers("refused", [count(queue.refused, signs) for queue in queues], 80),
        numbers("left", [count(queue.waiting, signs) for queue in queues], 45),
        numbers("p50", [_wait(queue.wait_p50_s, signs) for queue in queues], 70),
        numbers("p95", [_wait(queue.wait_p95_s, signs) for queue in queues], 75),
        numbers("p99", [_wait(queue.wait_p99_s, signs) for queue in queues], 97),
        numbers("peak depth", [count(queue.peak_depth, signs) for queue in queues], 65),
        numbers("memory", [size(queue.peak_bytes, signs) for queue in queues], 62),
        numbers("clear after", [age(queue.clear_s, signs) for queue in queues], 68),
    ]


def _print_transitions(result: Result) -> None:
    for each in result.transitions:
        decision = each.decision
        print(f"{age(each.at_s):>8}  {decision.scope:10} {decision.action} {decision.value}: {decision.reason}")
    if not result.transitions:
        print("no control moved")


def _percent(share: float) -> str:
    """Rounded down: 100 % is all of them."""
    return f"{math.floor(share * 1000 + 1e-9) / 10:.1f}%"


def _wait(seconds: int | None, signs: Glyphs) -> str:
    return "<1s" if seconds == 0 else age(seconds, signs)


def _plot(each: Run, signs: Glyphs) -> str:
    from queuectl.simulate.plot import draw

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = min(shutil.get_terminal_size().columns, 160)
    title = f"{each.name}: messages by tier"
    return draw(each.result.history, title, width=width, height=PLOT_HEIGHT, colour=colour, ascii_only=signs.ascii)


def _json(each: Run) -> dict[str, Any]:
    tree = {"name": each.name, "took_s": round(each.took_s, 3), **asdict(each.result)}
    for queue in tree["queues"]:
        queue["clear_never"] = queue["clear_s"] == math.inf
        queue["clear_s"] = None if queue["clear_never"] else queue["clear_s"]
    return tree
