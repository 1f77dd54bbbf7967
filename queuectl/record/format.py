"""The file: blocks of a few frames each, every one readable alone, the whole a valid zstd stream.

    file   = header block*
    header = skippable zstd frame holding {"queuectl": "recording", "version": 1, …} as JSON
    block  = skippable zstd frame holding a mark and the packed Summary, then one zstd frame: a FleetState a line

`zstd -dc FILE` prints the frames as JSON lines. The summaries are the time index: times, curves and events of a whole
day are read without unpacking one frame. A tail that was cut off (crash, full disk) does not pass its checksum, and
everything before it does.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import zstandard

from queuectl.model import AuditEntry, FleetState, QueuectlError, Sample
from queuectl.record.codec import CodecError, from_tree, to_tree

VERSION = 1
SUFFIX = ".qrec"
LEVEL = 3
MAX_UNPACKED_BYTES = 1 << 30
_SKIPPABLE = struct.Struct("<II")
_SKIPPABLE_MAGIC = 0x184D2A50
_MARK = struct.Struct("<4sIIIdd")
"""Tag, CRC-32 of summary and frames, bytes of the packed frames, number of frames, first and last time."""
_TAG = b"qblk"


class RecordingError(QueuectlError):
    """A file that is no recording, or not one this version reads."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Summary:
    """What is known of a block without unpacking its frames."""

    times_s: tuple[float, ...]
    samples: tuple[Sample, ...]
    events: tuple[AuditEntry, ...]
    """Those that this block's frames show for the first time, oldest first."""


@dataclass(frozen=True, slots=True)
class BlockMark:
    """Where a block lies. Offsets and sizes in bytes, times in epoch seconds of the recorded server."""

    start: int
    summary_bytes: int
    frames_bytes: int
    frames: int
    first_s: float
    last_s: float
    crc: int

    @property
    def summary_at(self) -> int:
        return self.start + _SKIPPABLE.size + _MARK.size

    @property
    def frames_at(self) -> int:
        return self.summary_at + self.summary_bytes

    @property
    def end(self) -> int:
        return self.frames_at + self.frames_bytes


def header(fields: dict[str, Any]) -> bytes:
    """The start of a file; `fields` say what was recorded."""
    return _skippable(json.dumps({"queuectl": "recording", "version": VERSION, **fields}).encode())


def block(summary: Summary, frames: list[bytes]) -> bytes:
    """One block, to be appended in a single write."""
    about = _pack(json.dumps(to_tree(summary), separators=(",", ":")).encode())
    packed = _pack(b"".join(frames))
    first_s, last_s = summary.times_s[0], summary.times_s[-1]
    mark = _MARK.pack(_TAG, zlib.crc32(packed, zlib.crc32(about)), len(packed), len(frames), first_s, last_s)
    return _skippable(mark + about) + packed


def frame_line(fleet: FleetState) -> bytes:
    """One frame as a line of JSON."""
    return json.dumps(to_tree(fleet), separators=(",", ":"), allow_nan=False).encode() + b"\n"


def read_header(file: BinaryIO) -> dict[str, Any]:
    """The header's fields; the file then stands at the first block. Raises RecordingError."""
    content = _read_skippable(file)
    try:
        found = json.loads(content or b"")
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("queuectl") != "recording":
        raise RecordingError("not a recording of queuectl")
    if found.get("version") != VERSION:
        raise RecordingError(f"a recording of version {found.get('version')}; this queuectl reads version {VERSION}")
    return found


def read_mark(file: BinaryIO) -> BlockMark | None:
    """The next block's mark; the file then stands behind the block. None at the end, or where the tail is cut off."""
    start = file.tell()
    head = file.read(_SKIPPABLE.size)
    if len(head) < _SKIPPABLE.size:
        return None
    magic, length = _SKIPPABLE.unpack(head)
    raw = file.read(_MARK.size)
    if magic != _SKIPPABLE_MAGIC or length < _MARK.size or len(raw) < _MARK.size:
        return None
    tag, crc, frames_bytes, frames, first_s, last_s = _MARK.unpack(raw)
    if tag != _TAG:
        return None
    mark = BlockMark(start, length - _MARK.size, frames_bytes, frames, first_s, last_s, crc)
    file.seek(mark.end)
    return mark


def read_summary(file: BinaryIO, mark: BlockMark) -> Summary:
    """Raises RecordingError where the block is damaged."""
    file.seek(mark.summary_at)
    try:
        return from_tree(Summary, json.loads(_unpack(file.read(mark.summary_bytes))))
    except (CodecError, ValueError, zstandard.ZstdError) as error:
        raise RecordingError(f"damaged at byte {mark.start:,}: {error}") from error


def read_frames(file: BinaryIO, mark: BlockMark) -> list[FleetState]:
    """The block's frames, oldest first. Raises RecordingError where the block is damaged."""
    file.seek(mark.frames_at)
    try:
        lines = _unpack(file.read(mark.frames_bytes)).splitlines()
        return [from_tree(FleetState, json.loads(line)) for line in lines]
    except (CodecError, ValueError, zstandard.ZstdError) as error:
        raise RecordingError(f"damaged at byte {mark.start:,}: {error}") from error


def intact(file: BinaryIO, mark: BlockMark) -> bool:
    """Whether the whole block is there, as it was written."""
    file.seek(mark.summary_at)
    content = file.read(mark.summary_bytes + mark.frames_bytes)
    return len(content) == mark.summary_bytes + mark.frames_bytes and zlib.crc32(content) == mark.crc


def _skippable(content: bytes) -> bytes:
    return _SKIPPABLE.pack(_SKIPPABLE_MAGIC, len(content)) + content


def _read_skippable(file: BinaryIO) -> bytes | None:
    head = file.read(_SKIPPABLE.size)
    if len(head) < _SKIPPABLE.size:
        return None
    magic, length = _SKIPPABLE.unpack(head)
    return file.read(length) if magic == _SKIPPABLE_MAGIC and length < 1 << 20 else None


def _pack(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL, write_content_size=True).compress(data)


def _unpack(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompress(data, max_output_size=MAX_UNPACKED_BYTES)
