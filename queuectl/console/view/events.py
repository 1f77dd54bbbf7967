"""The event tail: what was changed, by whom and why, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.console import words
from queuectl.console.view.look import Line, Look, Span
from queuectl.model import AuditEntry


def event_line(entry: AuditEntry, look: Look) -> Line:
    """`14:01:02 auto forum mode fifo → lifo  "why"  undo: 118`."""
    signs = look.signs
    who, scope = words.plain(entry.who, signs), words.plain(entry.scope, signs)
    spans = [
        Span(f" {words.clock(entry.at_s, look.zone)} ", "muted"),
        Span(f"{words.fit(who, 14, signs):<14} ", "muted" if entry.who == "auto" else "accent"),
        Span(f"{words.fit(scope, 12, signs):<12} ", "", bold=True),
        Span(f"{entry.action:<6} {change(entry, look)}"),
    ]
    if entry.reason:
        spans.append(Span(f'  "{words.plain(entry.reason, signs)}"', "muted"))
    spans += _undo(entry)
    return tuple(spans)


def change(entry: AuditEntry, look: Look) -> str:
    """`off → on`, or only what it became where there was nothing before."""
    before, after = (words.plain(text, look.signs) for text in (entry.before, entry.after))
    return f"{before} {look.signs.arrow} {after}" if before and after else after or before


def _undo(entry: AuditEntry) -> list[Span]:
    if entry.undone_by:
        return [Span(f"  undone by {entry.undone_by}", "muted")]
    return [Span(f"  undo: {entry.number}", "info")] if entry.undoable else []


def event_lines(
    entries: Sequence[AuditEntry], look: Look, rows: int, empty: str = "nothing was changed yet"
) -> list[Line]:
    """The newest `rows` entries, newest first; the last line says when there are more."""
    if not entries:
        return [(Span(f" {empty}", "muted"),)] if rows else []
    if len(entries) <= rows:
        return [event_line(entry, look) for entry in entries]
    shown = [event_line(entry, look) for entry in entries[: max(rows - 1, 0)]]
    return [*shown, (Span(f" {look.signs.down} {len(entries) - len(shown)} more in the log", "muted"),)] if rows else []
