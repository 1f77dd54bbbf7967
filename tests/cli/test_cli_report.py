"""`queuectl report` from a live server and from a recording."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_runs import Cli
from redis import Redis

from queuectl.model import QueueSample, Sample
from queuectl.record.player import Recording
from queuectl.store import lease, series
from queuectl.store.checks import server_time_s
from queuectl.store.connect import open_store


@pytest.fixture
def sampled(redis_url: str) -> float:
    """Two minutes of samples of a queue named forum, as a daemon keeps them; server time at their end."""
    with open_store(redis_url) as store:
        fence = store.run(lease.hold("test:1", "test", "")).fence
        now_s = store.run(server_time_s())
        for ago in range(120, 0, -10):
            one = QueueSample(400 - ago, 400 - ago, 5, 20.0, 10.0, 5.0, 1.0)
            store.run(series.write(Sample(now_s - ago, {"forum": one}), {}, fence=fence, coarse=False))
    return now_s


def test_a_report_of_a_live_server(cli: Cli, fill: object, sampled: float, redis: Redis, tmp_path: Path) -> None:
    fill("forum", 3)  # type: ignore[operator]
    assert cli("shed", "forum", "on", "--yes", "--reason", "told by eve@example.org").code == 0
    before = {key: redis.dump(key) for key in redis.keys("*")}
    done = cli("report", "--since", "10m", "-o", tmp_path / "incident.html")
    assert (done.code, done.out) == (0, f"written {tmp_path / 'incident.html'}\n")
    text = (tmp_path / "incident.html").read_text("utf-8")
    for words in ("shed forum", "e…@example.org", "forum", "<svg"):
        assert words in text
    assert "eve@" not in text
    assert {key: redis.dump(key) for key in redis.keys("*")} == before


def test_a_report_for_a_ticket(cli: Cli, tmp_path: Path) -> None:
    assert cli("report", "-o", tmp_path / "incident.md").code == 0
    text = (tmp_path / "incident.md").read_text("utf-8")
    assert text.startswith("# What happened")
    assert "no daemon was running" in text


def test_a_report_from_a_recording_needs_no_server(cli: Cli, tmp_path: Path) -> None:
    recorded = tmp_path / "a.qrec"
    assert cli("record", recorded, "--for", "1s").code == 0
    done = cli("report", "--from", recorded, "--since", "1h", "-o", tmp_path / "a.html", QUEUECTL_URL="redis://[::1]:1")
    assert done.code == 0
    assert "recording a.qrec" in (tmp_path / "a.html").read_text("utf-8")
    with Recording(recorded) as recording:
        assert recording.frames == 2


def test_an_output_of_an_unknown_kind(cli: Cli, tmp_path: Path) -> None:
    done = cli("report", "-o", tmp_path / "incident.pdf")
    assert done.code == 2
    assert "must end in .html, .htm, .md" in done.err


def test_an_output_that_cannot_be_written_leaves_the_old_one(cli: Cli, tmp_path: Path) -> None:
    done = cli("report", "-o", tmp_path / "no" / "incident.md")
    assert (done.code, "cannot be written: No such file" in done.err) == (1, True)
    assert list(tmp_path.glob("*incident*")) == []
