"""Read recipients out of a CSV file of any size: constant memory, every row good or bad with its line and reason."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from queuectl.model import UsageError

TO = "to"
TO_NAMES = (TO, "email")


@dataclass(frozen=True, slots=True)
class Row:
    """One recipient. `params` holds the variables that were selected."""

    line: int
    to: str
    params: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be sent. `last_line` is larger where a quoted field runs over several lines."""

    line: int
    last_line: int
    reason: str

    @property
    def where(self) -> str:
        return f"line {self.line}" if self.line == self.last_line else f"lines {self.line}-{self.last_line}"


@dataclass
class Recipients:
    """An open file; iterate once. `variables` is what a template can use: name -> position in a row."""

    path: Path
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Further variables: name -> the column it is taken from. `to` is the recipient."""

    def __post_init__(self) -> None:
        """Raises UsageError for a file that cannot be read, or whose first line is not a usable heading."""
        self._binary = _open(self.path)
        self.size_bytes = self.path.stat().st_size
        # Bytes that are not UTF-8 come through as surrogates: only their row is bad, with its line, not the file.
        self._text = io.TextIOWrapper(self._binary, "utf-8-sig", "surrogateescape", newline="")
        self._reader = csv.reader(self._text, strict=True)
        try:
            names = self._heading()
            self._fields = len(names)
            self.variables = self._variables(names)
        except UsageError:
            self.close()
            raise
        self._selected: Mapping[str, int] = self.variables

    def select(self, variables: Collection[str]) -> None:
        """Give rows these variables only: what the template does not use is not stored with every message."""
        self._selected = {name: self.variables[name] for name in variables}

    @property
    def read_bytes(self) -> int:
        return self._binary.tell()

    def close(self) -> None:
        self._text.close()

    def __enter__(self) -> Recipients:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Row | BadRow]:
        while True:
            line = self._reader.line_num + 1
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield BadRow(line, self._reader.line_num, _csv_reason(error))
                continue
            if fields:
                yield self._row(line, fields)

    def _row(self, line: int, fields: list[str]) -> Row | BadRow:
        if len(fields) != self._fields:
            return BadRow(line, self._reader.line_num, f"{len(fields)} fields where the heading has {self._fields}")
        foreign = next((byte for text in fields if (byte := _foreign_byte(text))), "")
        if foreign:
            return BadRow(line, self._reader.line_num, f"not UTF-8 (byte {foreign})")
        params = {name: fields[position] for name, position in self._selected.items()}
        return Row(line, fields[self.variables[TO]].strip(), params)

    def _heading(self) -> list[str]:
        try:
            names = [name.strip() for name in next(self._reader)]
        except StopIteration:
            raise UsageError(f"{self.path}: the file is empty; its first line has to name the columns") from None
        except csv.Error as error:
            raise UsageError(f"{self.path}:1: {_csv_reason(error)}") from None
        if any(_foreign_byte(name) or "\0" in name for name in names):
            raise UsageError(f"{self.path}:1: not UTF-8; save the file as CSV UTF-8")
        if not any(names):
            raise UsageError(f"{self.path}:1: the first line has to name the columns, and is blank")
        if "" in names:
            raise UsageError(f"{self.path}:1: column {names.index('') + 1} has no name")
        doubled = [name for name, times in Counter(names).items() if times > 1]
        if doubled:
            raise UsageError(f"{self.path}:1: column {doubled[0]!r} stands there twice; {_listed(names)}")
        return names

    def _variables(self, names: list[str]) -> dict[str, int]:
        """Every column under its own name, and the aliases; without one for `to` the recipient's column is found."""
        found = {name: position for position, name in enumerate(names)}
        for variable, column in self.aliases.items():
            if column not in names:
                raise UsageError(f"{self.path}:1: no column {column!r} for {variable!r}; {_listed(names)}")
            found[variable] = names.index(column)
        if TO not in found:
            recipient = next((name for name in names if name.lower() in TO_NAMES), None)
            if recipient is None:
                raise UsageError(f"{self.path}:1: no column `to` or `email`; {_listed(names)}; "
                                 "--to-column names another")  # fmt: skip
            found[TO] = found[recipient]
        return found


def _open(path: Path) -> io.BufferedReader:
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: not a file")
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def _listed(names: list[str]) -> str:
    hint = (
        "" if len(names) > 1 or not set(names[0]) & set(";\t|") else " (is it divided by something else than commas?)"
    )
    return f"columns are: {', '.join(names)}{hint}"


def _foreign_byte(text: str) -> str:
    """The first byte that was not UTF-8, as 0xNN; empty when there is none."""
    if text.isascii():
        return ""
    return next((f"0x{ord(char) - 0xDC00:02x}" for char in text if 0xDC80 <= ord(char) <= 0xDCFF), "")


def _csv_reason(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text or "unexpected end" in text:
        return "a quote is opened and not closed"
    if "expected after" in text:
        return "text after a closing quote; a quote inside a field has to be doubled"
    return text
