"""The leader's recording follows the settings and never disturbs the daemon."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from queuectl.daemon.recording import LeaderRecording
from queuectl.daemon.trouble import Trouble
from queuectl.record.player import Recording
from queuectl.settings import DaemonSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "record"))

from fleets import fleet


def frames_in(folder: Path) -> list[int]:
    found = []
    for path in sorted(folder.glob("*.qrec")):
        with Recording(path) as recording:
            found.append(recording.frames)
    return found


def test_nothing_is_recorded_unless_a_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recording = LeaderRecording("test:1", Trouble())
    recording.add(fleet(0), DaemonSettings())
    recording.close()
    assert list(tmp_path.iterdir()) == []


def test_another_folder_takes_over_when_the_settings_change(tmp_path: Path) -> None:
    recording = LeaderRecording("test:1", Trouble())
    for second, name in enumerate(["a", "a", "b", ""]):
        recording.add(fleet(second), DaemonSettings(record_dir=str(tmp_path / name) if name else ""))
    assert (frames_in(tmp_path / "a"), frames_in(tmp_path / "b")) == ([2], [1])
    recording.close()


def test_a_leader_that_returns_begins_a_new_file(tmp_path: Path) -> None:
    recording = LeaderRecording("test:1", Trouble())
    settings = DaemonSettings(record_dir=str(tmp_path))
    for second in (0, 5):
        recording.add(fleet(second), settings)
        recording.close()
    assert frames_in(tmp_path) == [1, 1]


def test_a_folder_that_cannot_be_made_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording = LeaderRecording("test:1", Trouble())
    settings = DaemonSettings(record_dir=str(tmp_path / "blocked"))
    (tmp_path / "blocked").write_text("")
    caplog.set_level("INFO")
    recording.add(fleet(0), settings)
    recording.add(fleet(1), settings)
    (tmp_path / "blocked").unlink()
    recording.add(fleet(2), settings)
    recording.close()
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "cannot be made" in told[0]
    assert told[1] == "recording: well again"
    assert frames_in(tmp_path / "blocked") == [1]
