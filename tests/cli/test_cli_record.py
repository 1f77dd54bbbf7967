"""`queuectl record` on a real server: reads only, ends cleanly, survives the server's absence."""

from __future__ import annotations

import signal
import subprocess
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from command_runs import Cli, Terminal, command_line
from redis import Redis
from rq import Queue
from servers import OwnServer

from queuectl.cli.record import _moment, _within
from queuectl.record.player import Recording


def test_a_live_deployment_is_recorded_without_writing_to_it(cli: Cli, redis: Redis, tmp_path: Path) -> None:
    Queue("legacy", connection=redis).enqueue("os.getpid")
    before = {key: redis.dump(key) for key in redis.keys("*")}
    done = cli("record", tmp_path / "a.qrec", "--for", "1s")
    assert done.code == 0
    assert "recorded 2 pictures" in done.out
    assert {key: redis.dump(key) for key in redis.keys("*")} == before
    with Recording(tmp_path / "a.qrec") as recording:
        assert recording.frames == 2
        assert [queue.depth for queue in recording.frame_at(recording.end_s).queues] == [1]


def test_an_existing_file_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("mine")
    done = cli("record", path)
    assert (done.code, done.err) == (2, f"queuectl: {path}: exists already; a recording never overwrites a file\n")
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    done = cli("record", tmp_path / "no" / "a.qrec")
    assert done.code == 2
    assert "No such file or directory" in done.err


def test_no_server_is_exit_code_4(cli: Cli, tmp_path: Path) -> None:
    done = cli("record", tmp_path / "a.qrec", QUEUECTL_URL="redis://127.0.0.1:1")
    assert done.code == 4
    assert not (tmp_path / "a.qrec").exists()


def test_ctrl_c_keeps_what_was_recorded(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    recording = terminal("record", tmp_path / "a.qrec")
    recording.see("Ctrl+C ends it")
    recording.type("\x03")
    assert recording.end() == 0
    assert "recorded " in recording.shown
    with Recording(tmp_path / "a.qrec") as opened:
        assert opened.frames


def test_a_server_that_goes_away_is_waited_for(
    process_environ: dict[str, str], own_server: Callable[..., OwnServer], tmp_path: Path
) -> None:
    server = own_server()
    environ = process_environ | {"QUEUECTL_URL": server.url}
    line = command_line("record", tmp_path / "a.qrec")
    with subprocess.Popen(line, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr
        assert "Ctrl+C ends it" in child.stderr.readline()
        server.crash()
        assert "waiting for it" in child.stderr.readline()
        server.start()
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate()
    assert child.returncode == 0
    assert "recorded" in out


@pytest.mark.parametrize("command", ["replay", "report"])
def test_what_is_no_recording_is_refused(command: str, on_terminal: Callable[..., tuple[int, str]],
                                         tmp_path: Path) -> None:  # fmt: skip
    path = tmp_path / "a.qrec"
    path.write_text("text, and no recording")
    more = ["-o", str(tmp_path / "x.html"), "--from"] if command == "report" else []
    code, shown = on_terminal(command, *more, path)
    assert code == 2
    assert "not a recording of queuectl" in shown


def test_a_replay_opens_the_console_and_leaves_cleanly(
    cli: Cli, terminal: Callable[..., Terminal], redis: Redis, tmp_path: Path
) -> None:
    Queue("legacy", connection=redis).enqueue("os.getpid")
    assert cli("record", tmp_path / "a.qrec", "--for", "1s").code == 0
    replay = terminal("replay", tmp_path / "a.qrec")
    replay.see("legacy")
    replay.type("q")
    assert replay.end() == 0
    assert "Traceback" not in replay.shown


def test_a_replay_needs_a_terminal(cli: Cli, tmp_path: Path) -> None:
    done = cli("replay", tmp_path / "a.qrec")
    assert done.code == 2
    assert "needs a terminal" in done.err


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-11-30 14:02", datetime(2026, 11, 30, 14, 2)),
        ("14:02", datetime(2026, 11, 30, 14, 2)),
        ("15:30:05", datetime(2026, 11, 29, 15, 30, 5)),
    ],
)
def test_a_time_without_a_date_is_the_last_one_recorded(said: str, expected: datetime) -> None:
    end_s = datetime(2026, 11, 30, 15, 0).timestamp()
    assert _within(_moment(said), end_s) == expected.timestamp()


def test_a_time_that_is_none_is_told() -> None:
    with pytest.raises(ArgumentTypeError, match="use 14:02"):
        _moment("noon")
