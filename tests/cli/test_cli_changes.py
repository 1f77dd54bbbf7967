"""Every change: previewed, confirmed, committed through the gate, undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_runs import Cli, Terminal
from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from queuectl.settings import load
from queuectl.store import pools
from queuectl.store.connect import open_store

Fill = Callable[[str, int], list[str]]


def queue_of(cli: Cli, name: str) -> dict[str, Any]:
    return json.loads(cli("status", name, "--json").out)["queues"][0]


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "queuectl.toml"
    path.write_text('[queues.payment]\nclass = "protected"\n[pools.bulk]\nqueues = ["forum"]\nworkers = 2\n')
    return path


@pytest.mark.parametrize(
    ("argv", "control", "value"),
    [
        (["shed", "forum", "on"], "shed", "on"),
        (["shed", "forum", "off"], "shed", "off"),
        (["mode", "forum", "lifo"], "direction", "lifo"),
        (["pause", "forum"], "pause", "on"),
    ],
)
def test_a_switch_is_set_and_undone(cli: Cli, fill: Fill, argv: list[str], control: str, value: str) -> None:
    fill("forum", 3)
    before = queue_of(cli, "forum")[control]
    done = cli(*argv, "--yes", "--reason", "spike")
    assert done.code == 0
    assert "(#1)" in done.out
    assert done.out.endswith("undo: queuectl undo 1\n")
    set_to = queue_of(cli, "forum")[control]
    assert (set_to["value"], set_to["overridden"], set_to["reason"]) == (value, True, "spike")
    assert cli("undo", "1", "--yes").code == 0
    assert queue_of(cli, "forum")[control]["value"] == before["value"]


def test_auto_gives_the_control_back_to_the_policy(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    cli("mode", "forum", "lifo", "--yes")
    assert cli("mode", "forum", "auto", "--yes").code == 0
    assert queue_of(cli, "forum")["direction"]["overridden"] is False
    cli("pause", "forum", "--yes")
    assert cli("resume", "forum", "--yes").code == 0
    assert queue_of(cli, "forum")["pause"]["value"] == "off"


def test_for_sets_an_expiry(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    assert "for 15m" in cli("shed", "forum", "on", "--for", "15m", "--yes").out
    picture = json.loads(cli("status", "forum", "--json").out)
    left_s = picture["queues"][0]["shed"]["until_s"] - picture["taken_at_s"]
    assert 800 < left_s <= 900


def test_what_is_already_so_is_not_done_again(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    cli("mode", "forum", "lifo", "--yes")
    again = cli("mode", "forum", "lifo", "--yes")
    assert (again.code, again.out[:13]) == (0, "nothing to do")
    assert "undo" not in again.out


def test_dry_run_shows_everything_and_changes_nothing(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 30)
    before = {key: redis.dump(key) for key in redis.keys("*")}
    shown = cli("drain", "forum", "--to", "overflow", "--dry-run")
    assert shown.code == 0
    assert "Drain 30 messages from forum to overflow" in shown.out
    assert "waiting 30 → 0" in shown.out
    assert shown.out.endswith("dry run: nothing was changed\n")
    assert {key: redis.dump(key) for key in redis.keys("*")} == before


def test_a_refused_dry_run_exits_3(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    shown = cli("shed", "forum", "on", "--dry-run", QUEUECTL_ENVIRONMENT__READ_ONLY="true")
    assert shown.code == 3
    assert "read-only" in shown.out


def test_without_a_terminal_nothing_is_changed_unless_told_so(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    result = cli("shed", "forum", "on")
    assert result.code == 3
    assert "--yes" in result.err
    assert queue_of(cli, "forum")["shed"]["value"] == "off"


def test_a_read_only_environment_refuses(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    result = cli("pause", "forum", "--yes", QUEUECTL_ENVIRONMENT__READ_ONLY="true")
    assert (result.code, "read-only" in result.err) == (3, True)


def test_a_protected_queue_wants_its_name(cli: Cli, settings_file: Path) -> None:
    plain = cli("shed", "payment", "on", "--yes", "--config", settings_file)
    assert plain.code == 3
    assert "--confirm payment" in plain.err
    assert cli("shed", "payment", "on", "--yes", "--confirm", "paymnt", "--config", settings_file).code == 3
    assert cli("shed", "payment", "on", "--yes", "--confirm", "payment", "--config", settings_file).code == 0


def test_production_wants_the_scope_typed(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    production = {"QUEUECTL_ENVIRONMENT__PRODUCTION": "true"}
    assert cli("mode", "forum", "lifo", "--yes", **production).code == 3
    assert "--confirm forum" in cli("mode", "forum", "lifo", "--dry-run", **production).out
    assert cli("mode", "forum", "lifo", "--yes", "--confirm", "forum", **production).code == 0


def test_a_queue_that_does_not_exist(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    for argv in (["shed", "form", "on"], ["drain", "form", "--to", "shed"], ["retry", "form", "--state", "failed"]):
        result = cli(*argv, "--yes")
        assert (result.code, result.err) == (2, "queuectl: no queue 'form'; known queues: forum\n")


def test_scale_sets_what_a_pool_should_have(cli: Cli, settings_file: Path, redis_url: str) -> None:
    with open_store(redis_url) as store:
        store.run(pools.publish(load(config=settings_file, environ={}).settings))

    def desired() -> int:
        return json.loads(cli("status", "--json").out)["pools"][0]["desired"]

    assert cli("scale", "bulk", "5", "--yes").code == 0
    assert desired() == 5
    assert cli("scale", "bulk", "auto", "--yes").code == 0
    assert desired() == 2


def test_a_pool_that_does_not_exist(cli: Cli) -> None:
    result = cli("scale", "bulky", "5", "--yes")
    assert result.code == 2
    assert "bulky" in result.err


def test_undo_of_what_was_never_done_or_is_undone(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    assert cli("undo", "99", "--yes").code == 2
    cli("mode", "forum", "lifo", "--yes")
    cli("undo", "1", "--yes")
    again = cli("undo", "1", "--yes")
    assert (again.code, "was undone by #2" in again.err) == (3, True)


def test_failed_jobs_are_retried_and_deleted(
    cli: Cli, redis: Redis, failed_jobs: Callable[[str, int], Sequence[str]]
) -> None:
    ids = failed_jobs("reports", 4)
    assert cli("retry", "reports", "--state", "failed", "--id", ids[0], "--yes").code == 0
    queue = Queue("reports", connection=redis, serializer=JSONSerializer)
    assert queue.job_ids == [ids[0]]
    deleted = cli("delete", "reports", "--state", "failed", "--yes")
    assert "3 failed messages of reports are deleted" in deleted.out
    assert "undo:" not in deleted.out
    assert FailedJobRegistry(queue=queue).count == 0


def test_on_a_terminal_it_asks_first(on_terminal: Callable[..., tuple[int, str]], cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    code, shown = on_terminal("shed", "forum", "on", typed="\n")
    assert code == 3
    assert "Shedding of forum: off → on\n" in shown
    assert "[y/N]" in shown
    assert "not confirmed, nothing was changed" in shown
    assert queue_of(cli, "forum")["shed"]["value"] == "off"
    code, shown = on_terminal("shed", "forum", "on", typed="y\n")
    assert code == 0
    assert "undo: queuectl undo 1" in shown


def test_on_a_terminal_a_protected_queue_is_typed(
    on_terminal: Callable[..., tuple[int, str]], cli: Cli, settings_file: Path
) -> None:
    code, shown = on_terminal("--config", settings_file, "shed", "payment", "on", typed="y\n")
    assert code == 3
    assert "Type payment to confirm" in shown
    assert on_terminal("--config", settings_file, "shed", "payment", "on", typed="payment\n")[0] == 0


def test_ctrl_c_at_the_question_changes_nothing(terminal: Callable[..., Terminal], cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    asking = terminal("shed", "forum", "on")
    asking.see("[y/N]")
    asking.type("\x03")
    assert asking.end() == 130
    assert asking.shown.endswith("queuectl: interrupted\n")
    assert queue_of(cli, "forum")["shed"]["value"] == "off"
