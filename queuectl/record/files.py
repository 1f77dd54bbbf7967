"""Where a recording's blocks lie: in one file, or in the folder of files that a daemon rotates."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from queuectl.record.format import SUFFIX, BlockMark, RecordingError, intact, read_header, read_mark


@dataclass(frozen=True, slots=True)
class Block:
    """One block, and the open file it lies in."""

    path: Path
    file: BinaryIO
    mark: BlockMark


def open_file(path: Path, stack: ExitStack) -> tuple[list[Block], str]:
    """A file's blocks, and what was left out, in words. The file is closed with `stack`. Raises RecordingError."""
    try:
        file = stack.enter_context(path.open("rb"))
        size = path.stat().st_size
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}") from error
    try:
        marks, good_end = _marks(file, size)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error
    note = f"the last {size - good_end:,} bytes are cut off or damaged and were left out" if good_end < size else ""
    return [Block(path, file, mark) for mark in marks], note


def open_folder(path: Path, stack: ExitStack) -> tuple[list[Block], str]:
    """The blocks of all recordings in a folder by their time. Raises RecordingError where there is none."""
    blocks: list[Block] = []
    notes = []
    for one in sorted(path.glob(f"*{SUFFIX}")):
        try:
            found, note = open_file(one, stack)
        except RecordingError as error:
            notes.append(str(error))
            continue
        blocks += found
        notes += [f"{one.name}: {note}"] if note else []
    if not blocks:
        raise RecordingError(
            f"{path}: no recording (*{SUFFIX}) in this folder" + "".join(f"; {note}" for note in notes)
        )
    return sorted(blocks, key=lambda block: block.mark.first_s), "; ".join(notes)


def _marks(file: BinaryIO, size: int) -> tuple[list[BlockMark], int]:
    """The whole blocks, and where the last one ends."""
    read_header(file)
    marks, good_end = [], file.tell()
    while mark := read_mark(file):
        if mark.end > size:
            break
        marks.append(mark)
        good_end = file.tell()
    if marks and not intact(file, marks[-1]):
        good_end = marks.pop().start
    if not marks:
        raise RecordingError("the recording holds nothing yet")
    return marks, good_end
