"""The audit as rows."""

from __future__ import annotations

from collections.abc import Iterable

from queuectl.console import words
from queuectl.console.view.events import change
from queuectl.console.view.look import Look
from queuectl.console.widgets.table import Cell, Column, Row
from queuectl.model import AuditEntry
from queuectl.policy.matching import matches

COLUMNS: tuple[Column, ...] = (
    Column("number", "#", 6, "right", 1),
    Column("time", "TIME", 8, "left", 0),
    Column("who", "WHO", 12, "left", 1),
    Column("action", "ACTION", 6, "left", 0),
    Column("scope", "ON", 10, "left", 0),
    Column("change", "CHANGE", 21, "left", 1),
    Column("undo", "UNDO", 8, "left", 3),
    Column("reason", "REASON", 20, "left", 2, True),
)


def rows(entries: Iterable[AuditEntry], filter_words: str, look: Look, *, dim: bool = False) -> list[Row]:
    """Newest first, those that match."""
    return [
        _row(entry, look, dim)
        for entry in entries
        if matches(filter_words, entry.who, entry.action, entry.scope, entry.before, entry.after, entry.reason)
    ]


def _row(entry: AuditEntry, look: Look, dim: bool) -> Row:
    signs = look.signs
    undo = f"by {entry.undone_by}" if entry.undone_by else "possible" if entry.undoable else ""
    cells = {
        "number": Cell(str(entry.number), "muted", False),
        "time": Cell(words.clock(entry.at_s, look.zone), "", False),
        "who": Cell(words.plain(entry.who, signs), "muted" if entry.who == "auto" else "accent", False),
        "action": Cell(words.plain(entry.action, signs), "", True),
        "scope": Cell(words.plain(entry.scope, signs), "", True),
        "change": Cell(change(entry, look), "", False),
        "undo": Cell(undo, "info" if undo == "possible" else "muted", False),
        "reason": Cell(words.plain(entry.reason, signs), "muted", False),
    }
    return Row(str(entry.number), cells, dim)
