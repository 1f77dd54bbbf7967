"""`queuectl policy`, `forecast` and `retry --match` as an operator types them; live changes in `config show`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_runs import Cli, Terminal
from redis import Redis

Fill = Callable[[str, int], list[str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "queuectl.toml"
    path.write_text('[queues.forum]\nmax_age_s = 7200\n[queues.payment]\nclass = "protected"\n')
    return path


def fields(cli: Cli, *more: str | Path) -> dict[str, Any]:
    return {row["field"]: row for row in json.loads(cli("policy", "forum", "--json", *more).out)["fields"]}


def test_the_policy_is_shown_with_where_each_field_comes_from(cli: Cli, config: Path, fill: Fill) -> None:
    fill("forum", 1)
    shown = cli("policy", "forum", "--config", config)
    assert shown.code == 0
    lines = [line.split(maxsplit=2) for line in shown.out.splitlines()]
    assert ["max_age_s", "2h", "settings"] in lines
    assert ["cap", "1,000,000", "default"] in lines
    assert lines[-1] == ["version", "0"]


def test_fields_are_changed_live_undone_and_reset(cli: Cli, config: Path, fill: Fill) -> None:
    fill("forum", 1)
    on = ("--config", config)
    done = cli("policy", "forum", "target_wait=30s", "max_age=4h", "--reason", "spike", "class=bulk", "--yes", *on)
    assert done.code == 0
    assert done.out == ("Policy of forum: target_wait_s 1m → 30s, max_age_s 2h → 4h, class normal → bulk (#1)\n"
                        "undo: queuectl undo 1\n")  # fmt: skip
    assert [fields(cli, *on)[name]["value"] for name in ("target_wait_s", "max_age_s", "class")] == [30, 14400, "bulk"]
    shown = cli("policy", "forum", *on).out
    assert 'ago "spike" (#1); settings: 2h' in shown
    assert "version 1" in shown
    assert cli("undo", "1", "--yes", *on).code == 0
    assert fields(cli, *on)["max_age_s"]["origin"] == "settings"
    assert cli("policy", "forum", "cap=500,000", "--reset", "class", "--yes", *on).code == 0
    assert fields(cli, *on)["cap"]["value"] == 500_000
    assert "cap 500,000 → 1,000,000 (settings)" in cli("policy", "forum", "--reset", "--yes", *on).out
    assert cli("policy", "forum", "--reset", "--yes", *on).out.startswith("nothing to do")


def test_a_dry_run_of_a_policy_changes_nothing(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 3)
    before = {key: redis.dump(key) for key in redis.keys("*")}
    shown = cli("policy", "forum", "shed=on", "--dry-run")
    assert shown.code == 0
    assert "shed off → on" in shown.out
    assert "waiting 3 → 3" in shown.out
    assert {key: redis.dump(key) for key in redis.keys("*")} == before


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["cap=0"], "policy of forum: cap = '0': should be greater than or equal to 1"),
        (["max_age=soon"], "max_age_s: 'soon' is not a length of time"),
        (["shed=maybe"], "should be 'auto', or should be 'off' or 'on'"),
        (["colour=red"], "no field 'colour'; those of a policy are: class, "),
        (["cap"], "'cap' is not FIELD=VALUE, e.g. target_wait_s=30s"),
        (["provider=ses"], "provider is not changed live"),
        (["--reset", "cap=5"], "fields to change stand before the options"),
        (["cap=5", "--reset"], "--reset without a field resets all of them"),
        (["cap=5", "--json"], "--json is for looking"),
    ],
)
def test_a_bad_change_is_a_usage_error(cli: Cli, fill: Fill, argv: list[str], said: str) -> None:
    fill("forum", 1)
    result = cli("policy", "forum", *argv, "--yes")
    assert (result.code, said in result.err) == (2, True)


def test_another_version_than_expected_is_refused_with_what_changed(cli: Cli, fill: Fill) -> None:
    fill("forum", 1)
    cli("policy", "forum", "cap=6", "--yes", "--reason", "less", QUEUECTL_OPERATOR="ben")
    result = cli("policy", "forum", "cap=5", "--expect-version", "0", "--yes")
    assert result.code == 3
    assert "ben@" in result.err
    assert 'policy cap 1,000,000 → cap 6 "less" (#1)' in result.err
    assert cli("policy", "forum", "cap=5", "--expect-version", "1", "--yes").code == 0


def test_the_second_of_two_operators_at_the_question_is_told_what_the_first_did(
    terminal: Callable[..., Terminal], cli: Cli, fill: Fill
) -> None:
    fill("forum", 1)
    asking = terminal("policy", "forum", "cap=5")
    asking.see("[y/N]")
    assert cli("policy", "forum", "cap=6", "--yes", QUEUECTL_OPERATOR="ben").code == 0
    asking.type("y\n")
    assert asking.end() == 3
    assert "forum changed meanwhile: ben@" in asking.shown
    assert fields(cli)["cap"]["value"] == 6


def test_config_show_knows_what_was_changed_live(cli: Cli, config: Path, fill: Fill) -> None:
    fill("forum", 1)
    cli("policy", "forum", "max_age=1h", "--yes", "--config", config, QUEUECTL_OPERATOR="ben")
    shown = json.loads(cli("config", "show", "--json", "--config", config).out)
    assert shown["queues.forum.max_age_s"]["value"] == "3600"
    assert shown["queues.forum.max_age_s"]["origin"].startswith("live, by ben@")
    assert shown["queues.forum.cap"]["origin"] == "default"
    away = cli("config", "show", "--config", config, QUEUECTL_URL="unix:///nowhere/at/all")
    assert (away.code, "live changes are not shown" in away.err) == (0, True)


def test_config_check_as_json(cli: Cli, config: Path) -> None:
    good = cli("config", "check", config, "--json")
    assert (good.code, json.loads(good.out)) == (0, {"ok": True, "from": [str(config)], "settings": 2})
    config.write_text("[queues.forum]\ncap = 0\n")
    bad = cli("config", "check", config, "--json")
    assert (bad.code, bad.err) == (2, "")
    assert "queues.forum.cap = 0" in json.loads(bad.out)["problems"][0]


def test_junk_in_redis_is_shown_and_mended(cli: Cli, fill: Fill, redis: Redis) -> None:
    fill("forum", 1)
    redis.hset("queuectl:policy:forum", "cap", "many")
    assert "cap is 'many' in Redis, 1000000 holds" in cli("policy", "forum").out
    assert "policy: cap is 'many' in Redis" in cli("status", "forum").out
    assert cli("policy", "forum", "cap=9", "--yes").code == 0
    assert "in Redis" not in cli("policy", "forum").out


def test_a_slip_of_the_finger_is_guessed(cli: Cli) -> None:
    for argv, said in (
        (["polcy", "forum"], "did you mean 'policy'?"),
        (["shed", "forum", "onn"], "did you mean 'on'?"),
    ):
        result = cli(*argv)
        assert (result.code, said in result.err) == (2, True)


# Forecasts.


def test_a_forecast_says_what_if(cli: Cli, fill: Fill) -> None:
    fill("forum", 1000)
    asked = cli("forecast", "forum", "--arrivals", "100", "--service", "200")
    assert asked.code == 0
    lines = [line.split() for line in asked.out.splitlines()]
    assert lines[0] == ["forum", "now", "then"]
    assert ["clears", "in", "–", "10s"] in lines
    found = json.loads(cli("forecast", "forum", "--arrivals", "100", "--service", "50", "--json").out)
    assert (found["known"], found["before"]["clear_s"], found["after"]["clear_never"]) == (False, None, True)
    drained = json.loads(
        cli("forecast", "forum", "--arrivals", "100", "--service", "200", "--drain", "600", "--json").out
    )
    assert (drained["after"]["waiting"], drained["after"]["clear_s"]) == (400, 4)
    assert "give --arrivals and --service" in cli("forecast", "forum", "--workers", "4").out


def test_a_forecast_of_what_does_not_exist(cli: Cli, fill: Fill) -> None:
    fill("forum", 1)
    assert cli("forecast", "form").err == "queuectl: no queue 'form'; known queues: forum\n"
    assert cli("forecast", "forum", "--workers", "-1").code == 2


# Failed jobs.


def test_failed_jobs_are_searched_retried_and_deleted_by_a_search(
    cli: Cli, redis: Redis, failed_jobs: Callable[[str, int], Sequence[str]]
) -> None:
    failed_jobs("reports", 12)
    found = json.loads(cli("jobs", "reports", "--state", "failed", "--match", "FileNotFound /1", "--json").out)
    assert (found["total"], found["estimated"], len(found["jobs"])) == (3, False, 3)
    assert "2 to 3 of 3 failed that match in reports" in cli(
        "jobs", "reports", "--state", "failed", "--match", "nowhere/1", "--offset", "1").err  # fmt: skip
    assert cli("jobs", "reports", "--match", "x").code == 2
    looked = cli("retry", "reports", "--state", "failed", "--match", "/1", "--dry-run")
    assert 'Retry 3 failed messages of reports that match "/1"' in looked.out
    assert "failed 12 → 9" in looked.out
    retried = cli("retry", "reports", "--state", "failed", "--match", "/1", "--yes")
    assert (retried.code, "3 messages queued again" in retried.out) == (0, True)
    assert redis.llen("rq:queue:reports") == 3
    deleted = cli("delete", "reports", "--state", "failed", "--match", "!/2", "--yes")
    assert "8 messages deleted" in deleted.out
    assert redis.zcard("rq:failed:reports") == 1


def test_ctrl_c_stops_a_retry_at_a_rate_and_says_how_far_it_came(
    terminal: Callable[..., Terminal], cli: Cli, redis: Redis, failed_jobs: Callable[[str, int], Sequence[str]]
) -> None:
    failed_jobs("reports", 6)
    running = terminal("retry", "reports", "--state", "failed", "--rate", "2", "--yes")
    running.see("messages at 2/s")
    running.type("\x03")
    assert running.end() == 130
    assert "no daemon leads, so it was stopped" in running.shown
    left = redis.zcard("rq:failed:reports")
    assert 0 < left <= 4
    assert f"{6 - left} messages were done" in running.shown
    assert json.loads(cli("audit", "--json").out)["entries"][0]["action"] == "stop"
