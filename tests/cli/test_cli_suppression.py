"""suppression: the list, in and out."""

from __future__ import annotations

import json
from pathlib import Path

from command_runs import Cli
from redis import Redis

from queuectl import MailMessage, Outbox


def test_add_list_remove(cli: Cli, redis_url: str) -> None:
    assert cli("suppression", "add", "ana@example.org", "bob@example.org", "--why", "asked us").out.startswith(
        "2 added"
    )
    assert cli("suppression", "add", "ANA@example.org").out == "0 added, 1 stood already\n"
    shown = cli("suppression", "list")
    assert shown.out.startswith("2 suppressed")
    assert "asked us" in shown.out
    assert "ana@" not in shown.out
    with Outbox(redis_url) as outbox:
        assert outbox.enqueue("mail", MailMessage(to="ana@example.org", text="x")).admission == "suppressed"
    assert cli("suppression", "remove", "ana@example.org", "eve@example.org").out == "1 removed, 1 not on the list\n"
    assert cli("suppression", "remove", "ana@example.org").code == 1
    assert json.loads(cli("suppression", "list", "--json").out)["total"] == 1


def test_export_comes_back_by_import(cli: Cli, redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("email,reason\n" + "".join(f"u{number}@example.org,bounced\n" for number in range(1500)))
    assert cli("suppression", "import", path).out == "1,500 added\n"
    before = redis.hgetall("queuectl:suppressed")
    exported = cli("suppression", "export").out
    assert exported.splitlines()[0] == "sha256,reason,at"
    redis.delete("queuectl:suppressed")
    path.write_text(exported)
    assert cli("suppression", "import", path).code == 0
    assert set(redis.hkeys("queuectl:suppressed")) == set(before)
    assert redis.hlen("queuectl:suppressed") == 1500


def test_what_cannot_be_taken(cli: Cli, redis: Redis, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    assert cli("suppression", "add", "nobody").code == 2
    assert cli("suppression", "import", path).code == 2
    path.write_text("name\nAna\n")
    assert "needs a column" in cli("suppression", "import", path).err
    path.write_text("sha256\nzz\n")
    assert "line 2" in cli("suppression", "import", path).err
    assert cli("suppression", "add", "ana@example.org", QUEUECTL_ENVIRONMENT__READ_ONLY="1").code == 3
    assert not redis.exists("queuectl:suppressed")
