"""jobs, job, audit, config: reading."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from command_runs import Cli
from redis import Redis
from rq import Queue

from queuectl import MailMessage, Outbox

Fill = Callable[[str, int], list[str]]


def test_waiting_jobs_stand_in_claim_order(cli: Cli, fill: Fill) -> None:
    ids = fill("forum", 5)
    rows = json.loads(cli("jobs", "forum", "--json", "--limit", "2").out)
    assert [row["job_id"] for row in rows["jobs"]] == ids[:2]
    assert rows["total"] == 5
    cli("mode", "forum", "lifo", "--yes")
    rows = json.loads(cli("jobs", "forum", "--json", "--limit", "2", "--offset", "1").out)
    assert [row["job_id"] for row in rows["jobs"]] == [ids[3], ids[2]]


def test_jobs_as_a_table_mask_addresses(cli: Cli, fill: Fill) -> None:
    ids = fill("forum", 5)
    shown = cli("jobs", "forum")
    assert ids[0] in shown.out
    assert "u…@example.org  Hello 0" in shown.out
    assert "user0@" not in shown.out
    assert shown.err == "1 to 5 of 5 queued in forum\n"


def test_failed_jobs_show_why(cli: Cli, failed_jobs: Callable[[str, int], Sequence[str]]) -> None:
    ids = failed_jobs("reports", 2)
    shown = json.loads(cli("jobs", "reports", "--state", "failed", "--json").out)
    assert sorted(row["job_id"] for row in shown["jobs"]) == sorted(ids)
    assert "FileNotFoundError" in cli("job", ids[0]).out


@pytest.mark.parametrize("tier", ["overflow", "shed"])
def test_packed_jobs_are_listed_like_others(cli: Cli, fill: Fill, tier: str) -> None:
    ids = fill("forum", 5)
    cli("drain", "forum", "--to", tier, "--yes")
    shown = cli("jobs", "forum", "--state", tier, "--limit", "2", "--offset", "1")
    assert [job_id for job_id in ids if job_id in shown.out] == ids[1:3]
    assert shown.err == f"2 to 3 of 5 {tier} in forum\n"


def test_an_empty_list_says_so(cli: Cli, fill: Fill) -> None:
    fill("forum", 1)
    shown = cli("jobs", "forum", "--state", "failed")
    assert (shown.code, shown.out, shown.err) == (0, "", "none of 0 failed in forum\n")


def test_one_job(cli: Cli, fill: Fill) -> None:
    (job_id,) = fill("forum", 1)
    shown = cli("job", job_id)
    assert "u…@example.org" in shown.out
    assert "user0@" not in shown.out
    assert json.loads(cli("job", job_id, "--json").out)["view"]["job_id"] == job_id


def test_an_address_is_revealed_on_record(cli: Cli, fill: Fill) -> None:
    (job_id,) = fill("forum", 1)
    assert cli("job", job_id, "--reveal", "--reason", "case 4711").out == "user0@example.org\n"
    told = cli("audit").out
    assert "case 4711" in told
    assert "user0@" not in told


def test_a_pickle_is_shown_without_being_executed(cli: Cli, redis: Redis, tmp_path: Path) -> None:
    trap = tmp_path / "executed"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(trap),)

    job = Queue("legacy", connection=redis).enqueue("os.getpid")
    redis.hset(f"rq:job:{job.id}", "data", pickle.dumps(Trap()))
    shown = cli("job", job.id)
    assert "pickle:" in shown.out
    assert "REDUCE" in shown.out
    assert not trap.exists()


def test_control_characters_of_others_do_not_reach_the_terminal(cli: Cli, redis_url: str) -> None:
    with Outbox(redis_url) as outbox:
        verdict = outbox.enqueue("forum", MailMessage(to="a@example.org", subject="\x1b[2Jgone", text="x"))
    assert "\x1b" not in cli("jobs", "forum").out
    assert "\x1b" not in cli("job", verdict.job_id).out


def test_a_job_or_queue_that_does_not_exist(cli: Cli) -> None:
    assert cli("jobs", "nowhere").code == 2
    missing = cli("job", "nothing")
    assert missing.code == 2
    assert missing.err.startswith("queuectl: no job 'nothing'")


def test_audit_tells_who_did_what_and_why(cli: Cli, fill: Fill) -> None:
    fill("forum", 3)
    assert cli("audit").out == "nothing was changed yet\n"
    cli("shed", "forum", "on", "--yes", "--reason", "digest spike")
    cli("mode", "forum", "lifo", "--yes")
    cli("undo", "2", "--yes")
    entries = json.loads(cli("audit", "--json").out)["entries"]
    assert [(entry["action"], entry["scope"], entry["reason"]) for entry in entries] == [
        ("undo", "forum", ""), ("mode", "forum", ""), ("shed", "forum", "digest spike")]  # fmt: skip
    shown = cli("audit").out
    assert "off → on" in shown
    assert "undone by #3" in shown
    assert "queuectl undo 1" in shown
    assert len(json.loads(cli("audit", "--json", "--limit", "1").out)["entries"]) == 1
    assert len(json.loads(cli("audit", "--json", "--since", "1h").out)["entries"]) == 3


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('[server]\nurl = "redis://:secret@10.0.0.5/0"\n[queues.forum]\nmax_age_s = 60\n')
    return path


def test_config_show_says_where_each_value_comes_from(cli: Cli, settings_file: Path) -> None:
    environ = {"QUEUECTL_CONFIG": str(settings_file), "QUEUECTL_DELIVERY__ATTEMPTS": "3"}
    shown = json.loads(cli("config", "show", "--json", **environ).out)
    assert shown["queues.forum.max_age_s"] == {"value": "60.0", "origin": str(settings_file)}
    assert shown["delivery.attempts"] == {"value": "3", "origin": "QUEUECTL_DELIVERY__ATTEMPTS"}
    assert shown["worker.lease_s"]["origin"] == "default"
    table = cli("config", "show", "--theme", "winter-harbour", **environ).out
    assert next(line for line in table.splitlines() if line.startswith("console.theme ")).endswith("--theme")


def test_config_never_shows_a_password(cli: Cli, settings_file: Path) -> None:
    shown = cli("config", "show", QUEUECTL_CONFIG=str(settings_file), QUEUECTL_URL="redis://u:hunter2@127.0.0.1:1/0")
    assert "redis://u:***@127.0.0.1:1/0" in shown.out
    assert "hunter2" not in shown.out + shown.err


def test_config_check_of_a_good_file(cli: Cli, settings_file: Path) -> None:
    checked = cli("config", "check", settings_file, QUEUECTL_NONSENSE="1")
    assert (checked.code, checked.out) == (0, f"ok: {settings_file}: 2 settings\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[queues.forum]\nmax_age = 60\n", "unknown key 'queues.forum.max_age'; allowed here: burst, cap, class"),
        ("[worker]\ngrace_s = -1\n", "worker.grace_s = -1: Input should be greater than or equal to 0"),
        ("[worker\n", "not valid TOML"),
        ("[queues.forum]\nprovider = 'x'\n", "no such provider; known: default"),
    ],
)
def test_malformed_settings(cli: Cli, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    for argv in (["config", "check", path], ["status", "--config", path]):
        result = cli(*argv)
        assert result.code == 2
        assert result.err.startswith(f"queuectl: {path}")
        assert said in result.err


def test_a_settings_file_or_variable_that_does_not_exist(cli: Cli) -> None:
    assert cli("status", "--config", "nowhere.toml").err == "queuectl: settings file nowhere.toml does not exist\n"
    result = cli("status", QUEUECTL_NONSENSE="1")
    assert (result.code, "QUEUECTL_NONSENSE: unknown key" in result.err) == (2, True)
