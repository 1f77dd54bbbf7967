"""The record of who changed what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action or transition. `number` is what `queuectl undo` takes."""

    number: int
    at_s: float
    who: str
    """Operator as user@host, or `auto` for automation."""
    action: str
    """The verb: shed, mode, pause, drain, refill, scale, retry, delete, policy, undo."""
    scope: str
    """The queue or pool it acted on."""
    before: str
    after: str
    reason: str
    undoable: bool = False
    undone_by: int = 0
    payload: str = ""
    """The action as JSON, for undo."""
