"""Reads a recording: the picture at a time, the curves before it, the events around it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from queuectl.model import AuditEntry, FleetState, Sample
from queuectl.record.files import Block, open_file, open_folder
from queuectl.record.format import BlockMark, RecordingError, Summary, intact, read_frames, read_summary

CACHED_FRAME_BLOCKS = 8
CACHED_SUMMARIES = 200
"""Enough for the curves of half an hour, which the console asks for again and again."""


class Recording:
    """A file, or a folder of them read as one recording. Times are epoch seconds of the recorded server.

    Only marks are read at the start; summaries and frames when they are asked for. Not for several threads at once.
    """

    def __init__(self, path: Path) -> None:
        """Raises RecordingError where the file is missing, no recording, or holds not one whole block; in a folder,
        such files are left out and named in `note`."""
        self.path = path
        self.note = ""
        """What was dropped, in words; empty: everything is whole."""
        self._files = ExitStack()
        try:
            self._blocks = self._open_folder() if path.is_dir() else self._open_file()
        except RecordingError:
            self._files.close()
            raise
        self._starts_s = [one.mark.first_s for one in self._blocks]
        self._frames = lru_cache(CACHED_FRAME_BLOCKS)(self._read_frames)
        self._summary = lru_cache(CACHED_SUMMARIES)(self._read_summary)
        self._known_events: tuple[AuditEntry, ...] | None = None

    def _open_file(self) -> list[Block]:
        blocks, self.note = open_file(self.path, self._files)
        return blocks

    def _open_folder(self) -> list[Block]:
        blocks, self.note = open_folder(self.path, self._files)
        return blocks

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._files.close()

    @property
    def start_s(self) -> float:
        return self._blocks[0].mark.first_s

    @property
    def end_s(self) -> float:
        return max(one.mark.last_s for one in self._blocks[-2:])

    @property
    def frames(self) -> int:
        return sum(one.mark.frames for one in self._blocks)

    def frame_at(self, at_s: float) -> FleetState:
        """The newest picture not after `at_s`; before the first one, the first."""
        block = self._block_at(at_s)
        times_s = self._summary(block).times_s
        return self._frames(block)[max(0, bisect_right(times_s, at_s) - 1)]

    def samples(self, from_s: float, to_s: float) -> list[Sample]:
        """The curves in a span, both ends included, oldest first."""
        return [
            sample for summary in self._summaries(from_s, to_s) for sample in summary.samples
            if from_s <= sample.at_s <= to_s
        ]  # fmt: skip

    def events(self, from_s: float, to_s: float) -> tuple[AuditEntry, ...]:
        """Actions and transitions that happened in a span, oldest first."""
        return tuple(event for event in self._all_events() if from_s <= event.at_s <= to_s)

    def event_after(self, at_s: float) -> float | None:
        """When the next event happened; None: there is none any more."""
        times_s = self._event_times()
        place = bisect_right(times_s, at_s)
        return times_s[place] if place < len(times_s) else None

    def event_until(self, at_s: float) -> float | None:
        """When the last event not after `at_s` happened; None: there was none yet."""
        times_s = self._event_times()
        place = bisect_right(times_s, at_s)
        return times_s[place - 1] if place else None

    def shows_from(self, event_s: float) -> float:
        """The time of the first picture not before an event: the one that shows it."""
        shown_s = self.step(event_s, 0)
        return shown_s if shown_s >= event_s else self.step(event_s, 1)

    def step(self, at_s: float, frames: int) -> float:
        """The time of the frame that many frames on (or back, when negative); the ends of the recording bound it."""
        block = self._block_at(at_s)
        place = max(0, bisect_right(self._summary(block).times_s, at_s) - 1) + frames
        while place < 0 and block > 0:
            block -= 1
            place += self._blocks[block].mark.frames
        while place >= self._blocks[block].mark.frames and block < len(self._blocks) - 1:
            place -= self._blocks[block].mark.frames
            block += 1
        times_s = self._summary(block).times_s
        return times_s[min(max(place, 0), len(times_s) - 1)]

    def _block_at(self, at_s: float) -> int:
        return max(0, bisect_right(self._starts_s, at_s) - 1)

    def _summaries(self, from_s: float, to_s: float) -> Iterator[Summary]:
        for block in range(self._block_at(from_s), self._block_at(to_s) + 1):
            yield self._summary(block)

    def _all_events(self) -> tuple[AuditEntry, ...]:
        if self._known_events is None:
            blocks = range(len(self._blocks))
            found = [event for block in blocks for event in self._read_summary(block).events]
            self._known_events = tuple(sorted(found, key=lambda event: (event.at_s, event.number)))
        return self._known_events

    def _event_times(self) -> list[float]:
        """The first block also shows what had happened before the recording began."""
        return [event.at_s for event in self._all_events() if self.start_s <= event.at_s <= self.end_s]

    def _read_summary(self, block: int) -> Summary:
        return read_summary(*self._sound(block))

    def _read_frames(self, block: int) -> list[FleetState]:
        return read_frames(*self._sound(block))

    def _sound(self, block: int) -> tuple[BinaryIO, BlockMark]:
        one = self._blocks[block]
        if not intact(one.file, one.mark):
            raise RecordingError(f"{one.path}: damaged at byte {one.mark.start:,}")
        return one.file, one.mark
