"""suppression: the list, in and out."""

from __future__ import annotations

import json
from pathlib import Path

from command_runs import Cli
from redis import Redis

from queuectl import MailMessage, Outbox


def test_add_list_remove(cli: Cli, redis_url: str) -> None:
    added = cli("suppression", "add", "ana@example.org", "bob@example.org", "--why", "asked us", "--yes")
    assert added.out == "2 added (#1)\nundo: queuectl undo 1\n"
    assert cli("suppression", "add", "ANA@example.org", "--yes").out == (
        "nothing to do: Suppress 0 addresses; 1 stood already\n"
    )
    shown = cli("suppression", "list")
    assert shown.out.startswith("2 suppressed")
    assert "asked us" in shown.out
    assert "ana@" not in shown.out
    with Outbox(redis_url) as outbox:
        assert outbox.enqueue("mail", MailMessage(to="ana@example.org", text="x")).admission == "suppressed"
    removed = cli("suppression", "remove", "ana@example.org", "eve@example.org", "--yes")
    assert removed.out.startswith("1 removed; 1 not on the list (#2)")
    assert "nothing to do" in cli("suppression", "remove", "ana@example.org", "--yes").out
    assert json.loads(cli("suppression", "list", "--json").out)["total"] == 1


def test_who_changed_it_stands_in_the_log_without_addresses(cli: Cli) -> None:
    addresses = [f"u{number}@example.org" for number in range(7)]
    cli("suppression", "add", *addresses, "--yes", "--reason", "complaints")
    (entry,) = json.loads(cli("audit", "--json").out)["entries"]
    assert (entry["action"], entry["scope"], entry["reason"]) == ("suppress", "suppression", "complaints")
    assert entry["after"] == f"7 addresses added: {', '.join(['u…@example.org'] * 5)} and 2 more"


def test_undo_goes_both_ways(cli: Cli, redis: Redis) -> None:
    cli("suppression", "add", "ana@example.org", "bob@example.org", "--why", "asked us", "--yes")
    before = {key: value.split(b"|")[0] for key, value in redis.hgetall("queuectl:suppressed").items()}
    cli("suppression", "remove", "ana@example.org", "bob@example.org", "--yes")
    assert cli("undo", "2", "--yes").out == "2 added (#3)\n"
    assert {key: value.split(b"|")[0] for key, value in redis.hgetall("queuectl:suppressed").items()} == before
    assert cli("undo", "2", "--yes").code == 3
    assert "removed" in cli("undo", "1", "--yes").out
    assert not redis.exists("queuectl:suppressed")


def test_an_undo_leaves_what_others_changed(cli: Cli, redis: Redis) -> None:
    cli("suppression", "add", "ana@example.org", "bob@example.org", "--yes")
    cli("suppression", "remove", "ana@example.org", "--yes")
    assert cli("undo", "1", "--yes").out == "1 removed (#3)\n"
    assert not redis.exists("queuectl:suppressed")
    cli("suppression", "add", "ana@example.org", "--yes")
    cli("suppression", "remove", "ana@example.org", "--yes")
    assert "none of them is as that change left it" in cli("undo", "4", "--yes").err


def test_nobody_asked_nothing_done(cli: Cli, redis: Redis) -> None:
    assert cli("suppression", "add", "ana@example.org").code == 3
    dry = cli("suppression", "add", "ana@example.org", "--dry-run").out
    assert "Suppress 1 address\n" in dry
    assert not redis.exists("queuectl:suppressed", "queuectl:audit")


def test_export_comes_back_by_import(cli: Cli, redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,reason\n" + "".join(f"u{number}@example.org,bounced\n" for number in range(1500)))
    assert cli("suppression", "import", path, "--yes").out == "1,500 added (#1)\n", "too many for an undo"
    before = redis.hgetall("queuectl:suppressed")
    exported = cli("suppression", "export").out
    assert exported.splitlines()[0] == "sha256,reason,at"
    redis.delete("queuectl:suppressed")
    path.write_text(exported)
    assert cli("suppression", "import", path, "--yes").code == 0
    assert set(redis.hkeys("queuectl:suppressed")) == set(before)
    assert redis.hlen("queuectl:suppressed") == 1500


def test_what_cannot_be_taken(cli: Cli, redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    assert cli("suppression", "add", "nobody", "--yes").code == 2
    assert cli("suppression", "import", path, "--yes").code == 2
    path.write_text("name\nAna\n")
    assert "needs a column" in cli("suppression", "import", path, "--yes").err
    path.write_text("sha256\nzz\n")
    assert "line 2" in cli("suppression", "import", path, "--yes").err
    read_only = {"QUEUECTL_ENVIRONMENT__READ_ONLY": "1"}
    assert cli("suppression", "add", "ana@example.org", "--yes", **read_only).code == 3
    assert not redis.exists("queuectl:suppressed")
