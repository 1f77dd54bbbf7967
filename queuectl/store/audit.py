"""The audit stream: read it, and find one entry by its number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from queuectl.model import AuditEntry, UsageError
from queuectl.store import keys
from queuectl.store.client import Call, Steps, ask, command
from queuectl.store.scripts import load

COMMIT = load("commit_change")
"""The only writer of the stream, with or without a change."""
PAGE = 500


def recent_calls(limit: int) -> tuple[Call, Call]:
    """The calls that `entries` understands, to be put into a larger round trip."""
    return command("XREVRANGE", keys.AUDIT, "+", "-", "COUNT", limit), command("HGETALL", keys.AUDIT_UNDONE)


def entries(stream: Iterable[tuple[bytes, Any]], undone: Mapping[bytes, bytes]) -> tuple[AuditEntry, ...]:
    """Entries out of the stream's reply, in its order."""
    return tuple(_entry(fields, undone) for _, fields in stream)


def recent(limit: int = 100, *, since_s: float | None = None) -> Steps[tuple[AuditEntry, ...]]:
    """The newest entries first; `since_s` is server time."""
    oldest = "-" if since_s is None else str(int(since_s * 1000))
    stream, undone = yield (
        command("XREVRANGE", keys.AUDIT, "+", oldest, "COUNT", limit),
        command("HGETALL", keys.AUDIT_UNDONE),
    )
    return entries(stream, undone)


def find(number: int) -> Steps[AuditEntry]:
    """The entry with this number. Raises UsageError when there is none (any more)."""
    newest = "+"
    undone = yield from ask(command("HGETALL", keys.AUDIT_UNDONE))
    while True:
        stream = yield from ask(command("XREVRANGE", keys.AUDIT, newest, "-", "COUNT", PAGE))
        for entry in entries(stream, undone):
            if entry.number == number:
                return entry
        if len(stream) < PAGE:
            raise UsageError(f"no audit entry has number {number}; `queuectl audit` lists them")
        newest = f"({stream[-1][0].decode()}"


def what_changed(scope: str, *, policy: bool) -> Steps[str]:
    """Tell the second of two operators what the first one did; `policy`: to its policy, else to anything but that."""
    for entry in (yield from recent(50)):
        if entry.scope == scope and (entry.action == "undo" or (entry.action == "policy") is policy):
            did = f"{entry.before} → {entry.after}" if entry.before else entry.after
            because = f' "{entry.reason}"' if entry.reason else ""
            return f"{scope} changed meanwhile: {entry.who} {entry.action} {did}{because} (#{entry.number})"
    return f"{scope} changed meanwhile; look again"


def _entry(fields: Mapping[bytes, bytes] | Sequence[bytes], undone: Mapping[bytes, bytes]) -> AuditEntry:
    if not isinstance(fields, Mapping):
        fields = dict(zip(fields[::2], fields[1::2], strict=True))
    text = {key.decode(): value.decode("utf-8", "replace") for key, value in fields.items()}
    number = int(text["number"])
    undone_by = int(undone.get(str(number).encode(), b"0"))
    return AuditEntry(
        number=number,
        at_s=float(text["at_s"]),
        who=text.get("who", ""),
        action=text.get("action", ""),
        scope=text.get("scope", ""),
        before=text.get("before", ""),
        after=text.get("after", ""),
        reason=text.get("reason", ""),
        undoable=text.get("undoable") == "1" and not undone_by,
        undone_by=undone_by,
        payload=text.get("payload", ""),
    )
