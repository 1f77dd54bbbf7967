"""Packed segments: ~1,000 jobs in one zstd blob, restored byte for byte, ours and stock RQ's alike.

A segment is a JSON header line, then one JSON line a field: columns compress better than rows, because neighbours are
alike. Values are bytes in Redis; latin-1 carries any byte through JSON. `data` is zlib already, so it is inflated
before and deflated after, with the level that gives the same bytes; where none does, it is kept as it is.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import zstandard

from queuectl.store.ids import PREFIX

VERSION = 1
LEVEL = 3
"""zstd level: 500,000 messages a second and about as small as level 9 on mail."""
_ZLIB_LEVELS = (6, 1, 9)
MAX_BYTES = 1 << 30
"""Inflated size we are willing to read back: a thousand messages of a megabyte each."""

Record = Mapping[bytes, bytes]
Job = tuple[str, dict[bytes, bytes]]
"""Id and record."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Jobs in queue order, with the reason they were packed for and the audit number behind it."""

    jobs: tuple[Job, ...]
    reason: str
    cause: int
    end: str
    """head or tail: where they were taken from."""
    packed_at_s: float


@dataclass(frozen=True, slots=True)
class Columns:
    """A segment as it is stored: a list of values a field, still encoded. A part costs no decoding of the rest."""

    header: Mapping[str, Any]
    values: Sequence[Sequence[object]]

    def __len__(self) -> int:
        return len(self.header["ids"])

    def part(self, first: int, last: int) -> Columns:
        """Jobs `first` to before `last`."""
        header = {**self.header, "ids": self.header["ids"][first:last]}
        return Columns(header, [column[first:last] for column in self.values])

    def jobs(self) -> tuple[Job, ...]:
        """Raises ValueError when the values are none of ours."""
        try:
            return tuple(self._jobs())
        except (LookupError, TypeError, AttributeError, UnicodeError, zlib.error) as error:
            raise ValueError(f"not a packed segment: {error!r}") from error

    def _jobs(self) -> Iterator[Job]:
        records: list[dict[bytes, bytes]] = [{} for _ in self.header["ids"]]
        for name, column in zip(self.header["fields"], self.values, strict=True):
            field = name.encode("latin-1")
            for record, value in zip(records, column, strict=True):
                if value is not None:
                    record[field] = _decode(value)
        return zip(self.header["ids"], records, strict=True)

    def blob(self) -> bytes:
        lines = [json.dumps(self.header, separators=(",", ":"))]
        lines += [json.dumps(column, separators=(",", ":"), ensure_ascii=False) for column in self.values]
        return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress("\n".join(lines).encode())


def pack(segment: Segment) -> bytes:
    """The blob to store."""
    jobs = segment.jobs
    names = sorted({field for _, record in jobs for field in record})
    header = {
        "v": VERSION,
        "reason": segment.reason,
        "cause": segment.cause,
        "end": segment.end,
        "at": segment.packed_at_s,
        "ids": [job_id for job_id, _ in jobs],
        "fields": [name.decode("latin-1") for name in names],
    }
    return Columns(header, [[_encode(name, record.get(name)) for _, record in jobs] for name in names]).blob()


def unpack(blob: bytes) -> Segment:
    """Read a blob back. Raises ValueError when it is not one of ours or damaged."""
    columns = columns_of(blob)
    header = columns.header
    try:
        return Segment(columns.jobs(), header["reason"], header["cause"], header["end"], header["at"])
    except LookupError as error:
        raise ValueError(f"not a packed segment: {error!r}") from error


def columns_of(blob: bytes) -> Columns:
    """Read a blob without decoding its values. Raises ValueError when it is not one of ours or damaged."""
    try:
        header, *values = (json.loads(line) for line in _inflated(blob).split("\n"))
        if header.get("v") != VERSION:
            raise ValueError(f"packed by another version of queuectl (format {header.get('v')!r})")
        if len(header["fields"]) != len(values) or any(len(column) != len(header["ids"]) for column in values):
            raise ValueError("not a packed segment: its columns differ in length")
    except (zstandard.ZstdError, LookupError, TypeError, AttributeError, UnicodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not a packed segment: {error!r}") from error
    return Columns(header, values)


def _inflated(blob: bytes) -> str:
    if zstandard.frame_content_size(blob) > MAX_BYTES:
        raise ValueError(f"not a packed segment: more than {MAX_BYTES:,} bytes")
    return zstandard.ZstdDecompressor().decompress(blob, max_output_size=MAX_BYTES).decode()


def _encode(name: bytes, value: bytes | None) -> object:
    if value is None:
        return None
    if name == b"data":
        inflated = _inflate(value)
        if inflated is not None:
            return inflated
    return value.decode("latin-1")


def _inflate(value: bytes) -> list[object] | None:
    """[zlib level, inflated text] when deflating that again gives `value`, else None."""
    try:
        plain = zlib.decompress(value)
    except zlib.error:
        return None
    for level in _ZLIB_LEVELS:
        if zlib.compress(plain, level) == value:
            return [level, plain.decode("latin-1")]
    return None


def _decode(value: object) -> bytes:
    if isinstance(value, list):
        level, plain = value
        return zlib.compress(str(plain).encode("latin-1"), int(level))
    return str(value).encode("latin-1")


def first_enqueued_s(jobs: Sequence[tuple[str, Record]]) -> float:
    """Enqueue time (epoch s) of the first job that has one; 0 when none has."""
    for _, record in jobs:
        stamp = record.get(b"enqueued_at") or record.get(b"created_at")
        if stamp:
            try:
                return datetime.fromisoformat(stamp.decode()).astimezone(UTC).timestamp()
            except (ValueError, UnicodeDecodeError):
                continue
    return 0.0


def uncounted(jobs: Sequence[tuple[str, Record]]) -> int:
    """How many are stock producers' jobs that no worker of ours has met: the ledger does not know them."""
    return sum(not job_id.startswith(PREFIX) and b"adopted" not in record for job_id, record in jobs)
