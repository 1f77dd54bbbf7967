"""Frames survive the file exactly; what a crash leaves behind is read up to the last whole block."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from fleets import EVENTS, START_S, fleet, without_queues
from hypothesis import given
from hypothesis import strategies as st

from queuectl.console import fixed
from queuectl.model import FleetState, QueueState, Sample
from queuectl.record.codec import CodecError, from_tree, to_tree
from queuectl.record.format import RecordingError
from queuectl.record.player import Recording
from queuectl.record.recorder import FRAMES_A_BLOCK, Archive, Recorder

Opened = Callable[[Path], Recording]


@pytest.fixture
def opened() -> Iterator[Opened]:
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(Recording(path))


def record(path: Path, seconds: int) -> Path:
    recorder = Recorder(path)
    for second in range(seconds):
        recorder.add(fleet(second))
    recorder.close()
    return path


@pytest.mark.parametrize("picture", [fleet(45), without_queues(3), fixed.fleet()])
def test_a_picture_survives_json_exactly(picture: FleetState) -> None:
    tree = json.loads(json.dumps(to_tree(picture), allow_nan=False))
    assert from_tree(FleetState, tree) == picture


@given(st.builds(QueueState))
def test_any_queue_survives_json_exactly(queue: QueueState) -> None:
    back = from_tree(QueueState, json.loads(json.dumps(to_tree(queue), allow_nan=False)))
    assert repr(back) == repr(queue) if _has_nan(queue) else back == queue


def _has_nan(value: object) -> bool:
    return "nan" in repr(value)


def test_older_and_newer_versions_of_the_model_read_each_other() -> None:
    tree = to_tree(fleet(1))
    del tree["queues"][0]["surge"]
    tree["queues"][0]["unheard_of"] = {"x": 1}
    assert from_tree(FleetState, tree) == fleet(1)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(CodecError, match="not a FleetState"):
        from_tree(FleetState, {"server": 3})
    with pytest.raises(CodecError, match="'yes' is not a bool"):
        from_tree(FleetState, to_tree(fleet(1)) | {"managed": "yes"})


def test_a_type_that_cannot_be_told_apart_is_refused_at_once() -> None:
    @dataclass(frozen=True)
    class Vague:
        value: int

    with pytest.raises(TypeError, match="cannot be recorded"):
        to_tree(object())
    assert to_tree(Vague(3)) == {"value": 3}


def test_every_frame_comes_back_from_the_file(tmp_path: Path, opened: Opened) -> None:
    recording = opened(record(tmp_path / "a.qrec", 47))
    assert (recording.start_s, recording.end_s, recording.frames) == (START_S, START_S + 46, 47)
    assert [recording.frame_at(START_S + second) for second in range(47)] == [fleet(second) for second in range(47)]
    assert recording.note == ""


def test_the_file_is_a_plain_zstd_stream_of_json_lines(tmp_path: Path) -> None:
    path = record(tmp_path / "a.qrec", 23)
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(path.read_bytes()), read_across_frames=True)
    lines = io.TextIOWrapper(reader, encoding="utf-8").read().splitlines()
    assert [json.loads(line)["taken_at_s"] for line in lines] == [START_S + second for second in range(23)]


@pytest.mark.parametrize("lost", [1, 30, 400])
def test_a_cut_off_tail_is_dropped_with_a_note(tmp_path: Path, lost: int, opened: Opened) -> None:
    path = record(tmp_path / "a.qrec", 40)
    path.write_bytes(path.read_bytes()[:-lost])
    recording = opened(path)
    assert recording.end_s == START_S + 29
    assert recording.frame_at(START_S + 1e6) == fleet(29)
    assert "cut off or damaged" in recording.note


def test_any_cut_leaves_a_readable_file_or_a_clear_refusal(tmp_path: Path, opened: Opened) -> None:
    path = record(tmp_path / "a.qrec", 25)
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        try:
            recording = opened(path)
        except RecordingError as error:
            assert str(path) in str(error)
        else:
            assert recording.frames in (10, 20)
            assert recording.frame_at(recording.end_s) == fleet(recording.frames - 1)
            recording.close()


def test_a_damaged_block_in_the_middle_is_named(tmp_path: Path, opened: Opened) -> None:
    path = record(tmp_path / "a.qrec", 40)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="damaged at byte"):
        [opened(path).frame_at(START_S + second) for second in range(40)]


@pytest.mark.parametrize("content", [b"", b"hello, world, this is text", b"\x50\x2a\x4d\x18\x02\x00\x00\x00{}"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes, opened: Opened) -> None:
    path = tmp_path / "a.qrec"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match="not a recording"):
        opened(path)


def test_a_recording_of_a_later_version_is_refused(tmp_path: Path, opened: Opened) -> None:
    path = record(tmp_path / "a.qrec", 3)
    path.write_bytes(path.read_bytes().replace(b'"version": 1', b'"version": 9'))
    with pytest.raises(RecordingError, match="version 9; this queuectl reads version 1"):
        opened(path)


def test_a_recording_never_overwrites_a_file(tmp_path: Path) -> None:
    path = record(tmp_path / "a.qrec", 1)
    with pytest.raises(RecordingError, match="exists already"):
        Recorder(path)
    assert path.stat().st_mode & 0o077 == 0


def test_what_was_written_can_be_read_while_the_recorder_goes_on(tmp_path: Path, opened: Opened) -> None:
    recorder = Recorder(tmp_path / "a.qrec")
    for second in range(FRAMES_A_BLOCK + 3):
        recorder.add(fleet(second))
    assert opened(tmp_path / "a.qrec").frames == FRAMES_A_BLOCK
    recorder.add(fleet(1))
    recorder.close()
    assert opened(tmp_path / "a.qrec").frames == FRAMES_A_BLOCK + 3


def test_seeking_and_stepping(tmp_path: Path, opened: Opened) -> None:
    recording = opened(record(tmp_path / "a.qrec", 47))
    assert recording.frame_at(START_S - 1e9).taken_at_s == START_S
    assert recording.frame_at(START_S + 20.9).taken_at_s == START_S + 20
    assert recording.step(START_S + 9, 1) == START_S + 10
    assert recording.step(START_S + 10, -1) == START_S + 9
    assert recording.step(START_S + 5, 30) == START_S + 35
    assert recording.step(START_S + 5, 999) == START_S + 46
    assert recording.step(START_S + 5, -999) == START_S


def test_events_are_found_by_time(tmp_path: Path, opened: Opened) -> None:
    recording = opened(record(tmp_path / "a.qrec", 47))
    assert recording.event_after(START_S) == EVENTS[1].at_s
    assert recording.event_after(EVENTS[1].at_s) == EVENTS[2].at_s
    assert recording.event_after(EVENTS[2].at_s) is None
    assert recording.event_until(START_S + 46) == EVENTS[2].at_s
    assert recording.event_until(EVENTS[2].at_s - 0.01) == EVENTS[1].at_s
    assert recording.event_until(EVENTS[1].at_s - 0.01) is None
    assert recording.shows_from(EVENTS[1].at_s) == START_S + 13
    assert recording.shows_from(START_S + 13) == START_S + 13
    assert recording.events(0, START_S + 20) == EVENTS[:2]


def test_curves_come_without_unpacking_frames(tmp_path: Path, opened: Opened) -> None:
    recording = opened(record(tmp_path / "a.qrec", 47))
    samples: list[Sample] = recording.samples(START_S + 8, START_S + 12)
    assert [sample.at_s - START_S for sample in samples] == [8, 9, 10, 11, 12]
    assert samples[0].queues["forum"].depth == 800
    assert recording._frames.cache_info().misses == 0


def test_an_archive_begins_a_file_each_day_and_each_size_and_drops_old_ones(tmp_path: Path, opened: Opened) -> None:
    folder = tmp_path / "deep" / "records"
    archive = Archive(folder, keep_days=2, clock=lambda: START_S)
    archive.add(fleet(0))
    archive.add(fleet(1))
    archive.add(fleet(86_400))
    archive.close()
    found = sorted(folder.iterdir())
    assert [opened(path).frames for path in found] == [2, 1]
    later_s = time.time() + 3 * 86_400
    small = Archive(folder, keep_days=2, file_bytes=1, clock=lambda: later_s)
    small.add(fleet(200_000))
    small.add(fleet(200_001))
    small.close()
    left = list(folder.iterdir())
    assert [opened(path).start_s for path in left] == [START_S + 200_001]


def test_an_archive_that_cannot_write_says_so_and_tries_again(tmp_path: Path, opened: Opened) -> None:
    blocker = tmp_path / "records"
    blocker.write_text("")
    archive = Archive(blocker, keep_days=1)
    with pytest.raises(RecordingError, match="cannot be made"):
        archive.add(fleet(0))
    blocker.unlink()
    archive.add(fleet(1))
    archive.close()
    assert opened(next(blocker.iterdir())).frames == 1


def test_a_full_disk_leaves_a_file_that_can_be_read() -> None:
    script = (
        "import resource, signal, sys; sys.path.insert(0, 'tests/record')\n"
        "from pathlib import Path; from fleets import fleet; from queuectl.record.recorder import Recorder\n"
        "from queuectl.record.format import RecordingError; from queuectl.record.player import Recording\n"
        "import tempfile; path = Path(tempfile.mkdtemp()) / 'a.qrec'\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "recorder = Recorder(path)\n"
        "try:\n    [recorder.add(fleet(second)) for second in range(500)]\n"
        "except RecordingError as error:\n    print('File too large' in str(error), Recording(path).frames % 10)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True 0\n"


def test_infinity_is_written_as_json_that_anyone_reads() -> None:
    assert to_tree((math.inf, -math.inf)) == ["inf", "-inf"]


def test_a_folder_is_one_recording(tmp_path: Path, opened: Opened) -> None:
    for number, start in enumerate((25, 0)):
        with Recorder(tmp_path / f"queuectl-{number}.qrec") as recorder:
            for second in range(start, start + 25):
                recorder.add(fleet(second))
    (tmp_path / "queuectl-2.qrec").write_bytes(b"no recording")
    whole = opened(tmp_path)
    assert (whole.start_s, whole.end_s, whole.frames) == (START_S, START_S + 49, 50)
    assert [sample.at_s - START_S for sample in whole.samples(START_S, START_S + 60)] == list(range(50))
    assert whole.frame_at(START_S + 24.5) == fleet(24)
    assert whole.step(START_S + 24, 1) == START_S + 25
    assert "queuectl-2.qrec: not a recording" in whole.note


def test_a_folder_without_recordings_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"no recording \(\*.qrec\) in this folder"):
        Recording(tmp_path)
