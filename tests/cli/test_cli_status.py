from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from command_runs import Cli, Terminal, command_line
from redis import Redis
from rq import Queue

from queuectl.cli.plain import status_json
from queuectl.cli.table import Column, fitting
from queuectl.model import FleetState, QueueState, ServerState

Fill = Callable[[str, int], list[str]]


def test_an_empty_server_is_a_picture_too(cli: Cli) -> None:
    shown = cli("status")
    assert shown.code == 0
    assert "nothing counted yet" in shown.out
    assert "none leads" in shown.out


def test_the_table_shows_each_queue_and_what_is_wrong(cli: Cli, fill: Fill) -> None:
    fill("forum", 1234)
    fill("security", 5)
    out = cli("status").out
    row = next(line for line in out.splitlines() if line.startswith("forum"))
    assert row.split()[:6] == ["forum", "normal", "unserved", "fifo", "off", "1,234"]
    assert "accepted 1,239" in out
    assert "✓ adds up" in out
    assert "■ bad     forum: 1,234 waiting and no worker listens" in out


def test_rates_nobody_measured_are_unknown_not_zero(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    row = next(line for line in cli("status").out.splitlines() if line.startswith("forum"))
    assert row.split()[6:8] == ["–", "–"]
    queue = json.loads(cli("status", "--json").out)["queues"][0]
    assert queue["in_per_s"] is None
    assert queue["eta_s"] is None


def test_ascii_on_request(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    assert cli("status", "--ascii").out.isascii()
    assert cli("status", QUEUECTL_ASCII="1").out.isascii()


def test_one_queue_only(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    fill("security", 5)
    assert [queue["name"] for queue in json.loads(cli("status", "forum", "--json").out)["queues"]] == ["forum"]
    assert "security" not in cli("status", "forum").out


def test_a_queue_that_does_not_exist(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    result = cli("status", "form")
    assert (result.code, result.err) == (2, "queuectl: no queue 'form'; known queues: forum\n")


def test_overrides_are_listed_for_the_next_shift(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    cli("shed", "forum", "on", "--for", "1h", "--reason", "spike", "--yes")
    out = cli("status").out
    assert " on* " in out
    line = next(line for line in out.splitlines() if line.startswith("override"))
    assert "forum: shed on by " in line
    assert line.endswith('"spike"')
    assert " until " in line


def test_a_never_clearing_backlog_is_valid_json() -> None:
    server = ServerState("redis://here")
    tree = status_json(FleetState(1.0, server, (QueueState("forum", depth=5, eta_s=float("inf")),)))
    queue = json.loads(json.dumps(tree, allow_nan=False))["queues"][0]
    assert (queue["eta_s"], queue["eta_never"]) == (None, True)


def test_stock_queues_are_marked_as_estimated_and_not_written_to(cli: Cli, redis: Redis) -> None:
    Queue("legacy", connection=redis).enqueue("os.getpid")
    before = {key: redis.dump(key) for key in redis.keys("*")}
    shown = json.loads(cli("status", "--json").out)
    assert shown["managed"] is False
    assert shown["queues"][0]["assisted"] is True
    assert shown["queues"][0]["ledger"]["state"] == "unknown"
    assert {key: redis.dump(key) for key in redis.keys("*")} == before


def test_watch_gives_a_line_of_json_a_picture_until_its_reader_leaves(process_environ: dict[str, str]) -> None:
    with subprocess.Popen(command_line("status", "--json", "--watch", "0.01s"), env=process_environ,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:  # fmt: skip
        assert child.stdout and child.stderr
        pictures = [json.loads(child.stdout.readline()) for _ in range(3)]
        child.stdout.close()
        assert child.stderr.read() == b""
    assert pictures[0]["taken_at_s"] < pictures[2]["taken_at_s"]


def test_watch_on_a_terminal_ends_with_ctrl_c_cleanly(terminal: Callable[..., Terminal]) -> None:
    watching = terminal("status", "--watch", "0.05s")
    watching.see("ledger")
    watching.see("\x1b[2J")
    watching.type("\x03")
    assert watching.end() == 0
    assert "Traceback" not in watching.shown


def test_a_narrow_terminal_loses_the_dispensable_columns_first() -> None:
    columns = [Column("queue", ["security"]), Column("class", ["protected"], keep=10), Column("depth", ["1"], keep=90)]
    assert [column.heading for column in fitting(columns, 26)] == ["queue", "class", "depth"]
    assert [column.heading for column in fitting(columns, 25)] == ["queue", "depth"]
    assert [column.heading for column in fitting(columns, 3)] == ["queue"]
