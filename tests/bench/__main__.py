"""Run benches: `python -m tests.bench [NAME…] [--rounds N] [--json FILE]`.

Every bench measures queuectl beside its peers on one server, in turns, and prints medians with the least and the most,
and how many times a peer's figure ours is (median over rounds). Figures of a busy machine drift: trust the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.bench import console_cost, control, delivery, isolation, linear, queues, scale, spike, transfers
from tests.bench.sides import Bench, Table, run_bench
from tests.bench.world import SideError, open_world

BENCHES: dict[str, Callable[[float], Bench]] = {
    "admission": queues.admission,
    "noop": queues.noop,
    "bytes": queues.memory,
    "smtp": delivery.smtp_sink,
    "slow": delivery.slow,
    "flood": isolation.flood,
    "tick": control.tick,
    "tiers": control.tiers,
    "drain": transfers.drain,
    "console": console_cost.console,
    "linear": linear.linear,
    "scale": scale.scale,
    "surge": spike.surge,
}


def main() -> int:
    args = _arguments()
    unknown = sorted(set(args.names) - set(BENCHES))
    if unknown:
        print(f"no bench is named {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    tables = []
    for name in args.names or BENCHES:
        try:
            tables.append(_run(BENCHES[name](args.scale), args))
        except SideError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"\n{tables[-1]}\n", flush=True)
    if args.json:
        args.json.write_text(json.dumps(_report(tables), indent=2) + "\n")
    broken = [row for table in tables for row in table.rows if row.trouble.startswith("failed")]
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each side; default: 3")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="so many times the usual number of jobs")
    parser.add_argument("--aof", action="store_true", help="with the append-only file on, fsync every second")
    parser.add_argument("--redis-server", action="store_true", help="redis-server from PATH, not the bundled Valkey")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser.parse_args()


def _run(bench: Bench, args: argparse.Namespace) -> Table:
    with open_world(redis_server=args.redis_server, aof=args.aof and not bench.needs_aof_off) as world:
        return run_bench(bench, world, args.rounds, lambda line: print(line, file=sys.stderr, flush=True))


def _report(tables: list[Table]) -> dict[str, object]:
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "benches": [table.as_json() for table in tables],
    }


if __name__ == "__main__":
    sys.exit(main())
