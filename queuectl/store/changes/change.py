"""A change as the gate commits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from queuectl.model import Preview
from queuectl.store.client import Steps


@dataclass(frozen=True, slots=True)
class Change:
    """Everything the gate needs for one commit. `fields` may hold the placeholders @by, @reason, @now, @cause, and
    NUL to delete a field."""

    preview: Preview
    key: str
    """The hash that is changed, and whose `version` is checked."""
    scope: str
    verb: str
    before: str
    after: str
    fields: Mapping[str, str]
    expected_version: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    """What undo needs to know."""
    undoes: int = 0
    operation: tuple[str, ...] = ()
    """Field arguments of the operation that this starts."""
    operation_id: str = ""
    follow_up: Steps[str] | None = None
    """Runs after the commit; returns what was done."""

    def refused(self, why: str) -> Change:
        return replace(self, preview=replace(self.preview, refusal=why))

    def typed(self, word: str) -> Change:
        return replace(self, preview=replace(self.preview, confirm_word=word))
