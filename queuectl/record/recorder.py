"""Writes recordings: one file until it is closed, or a folder of files by day and size, the oldest removed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from queuectl.model import AuditEntry, FleetState, Sample
from queuectl.policy.history import sample_of
from queuectl.record.format import SUFFIX, RecordingError, Summary, block, frame_line, header

FRAMES_A_BLOCK = 10
"""At most this many frames are lost in a crash; larger blocks pack better."""
FILE_BYTES = 64_000_000
DAY_S = 86_400


class Recorder:
    """One file. A frame reaches the file with its block; `close` writes the last one."""

    def __init__(self, path: Path, *, by: str = "") -> None:
        """Raises RecordingError where the file cannot be made, or exists already."""
        self.path = path
        self.frames = 0
        self.bytes = 0
        self._lines: list[bytes] = []
        self._times_s: list[float] = []
        self._samples: list[Sample] = []
        self._events: list[AuditEntry] = []
        self._last_event = -1
        self._file = _create(path)
        self._write(header({"by": by}))

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, fleet: FleetState) -> None:
        """Record a picture; one that is not newer than the last is left out. Raises RecordingError (disk full)."""
        if self._times_s and fleet.taken_at_s <= self._times_s[-1]:
            return
        if len(self._lines) >= FRAMES_A_BLOCK:
            self.flush()
        self._lines.append(frame_line(fleet))
        self._times_s.append(fleet.taken_at_s)
        self._samples.append(sample_of(fleet))
        self._note_events(fleet)
        self.frames += 1
        if len(self._lines) >= FRAMES_A_BLOCK:
            self.flush()

    def flush(self) -> None:
        """Write what is held as a block. Raises RecordingError; what was held is then lost."""
        if not self._lines:
            return
        summary = Summary(tuple(self._times_s), tuple(self._samples), tuple(self._events))
        data = block(summary, self._lines)
        for held in (self._lines, self._times_s, self._samples, self._events):
            held.clear()
        self._write(data)

    def close(self) -> None:
        """Write the last block and let go of the file."""
        try:
            self.flush()
        finally:
            self._file.close()

    def _note_events(self, fleet: FleetState) -> None:
        fresh = [event for event in fleet.events if event.number > self._last_event]
        self._events += sorted(fresh, key=lambda event: event.number)
        self._last_event = max([self._last_event, *(event.number for event in fresh)])

    def _write(self, data: bytes) -> None:
        start = self.bytes
        try:
            self._file.write(data)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(start)
                self._file.seek(start)
            raise RecordingError(f"{self.path}: cannot be written: {error.strerror}") from error
        self.bytes += len(data)


def _create(path: Path) -> BinaryIO:
    """Readable by its owner alone: it holds what operators wrote, and names of hosts."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
    except FileExistsError:
        raise RecordingError(f"{path}: exists already; a recording never overwrites a file") from None
    except OSError as error:
        raise RecordingError(f"{path}: cannot be made: {error.strerror}") from error


class Archive:
    """A folder of recordings: a new file each day (UTC) and each `file_bytes`; those older than `keep_days` go."""

    def __init__(self, folder: Path, keep_days: int, *, by: str = "", file_bytes: int = FILE_BYTES,
                 clock: Callable[[], float] = time.time) -> None:  # fmt: skip
        self.folder = folder
        self.keep_days = keep_days
        self._by = by
        self._file_bytes = file_bytes
        self._clock = clock
        self._day = -1
        self._recorder: Recorder | None = None

    def add(self, fleet: FleetState) -> None:
        """Record a picture. Raises RecordingError; the next call tries anew, in a new file."""
        day = int(fleet.taken_at_s // DAY_S)
        if self._recorder and (day != self._day or self._recorder.bytes >= self._file_bytes):
            self.close()
        if self._recorder is None:
            self._recorder = self._open(fleet.taken_at_s)
            self._day = day
        try:
            self._recorder.add(fleet)
        except RecordingError:
            with contextlib.suppress(RecordingError):
                self.close()
            raise

    def close(self) -> None:
        """Write what is held; the next `add` opens a new file."""
        recorder, self._recorder = self._recorder, None
        if recorder:
            recorder.close()

    def _open(self, at_s: float) -> Recorder:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise RecordingError(f"{self.folder}: cannot be made: {error.strerror}") from error
        self._remove_old()
        name = datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%d-%H%M%S")
        return Recorder(self.folder / f"queuectl-{name}-{os.getpid()}{SUFFIX}", by=self._by)

    def _remove_old(self) -> None:
        oldest_s = self._clock() - self.keep_days * DAY_S
        for path in self.folder.glob(f"queuectl-*{SUFFIX}"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest_s:
                    path.unlink()
