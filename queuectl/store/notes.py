"""What changes no queue and is told in the audit stream all the same."""

from __future__ import annotations

from queuectl.model import AUTOMATION
from queuectl.store import audit, keys
from queuectl.store.client import Steps, ask, script


def note(action: str, scope: str, *, after: str, reason: str, fence: str = "", who: str = AUTOMATION) -> Steps[int]:
    """Write one audit entry; nothing else is changed. Returns its number. Raises LeaseLostError for an old `fence`."""
    entry = {
        "who": who, "action": action, "scope": scope, "before": "", "after": after, "reason": reason,
        "undoable": "0", "payload": "",
    }  # fmt: skip
    fields = [part for pair in entry.items() for part in pair]
    changes_nothing = keys.AUDIT_UNDONE
    reply = yield from ask(
        script(
            audit.COMMIT,
            (changes_nothing, keys.AUDIT, keys.AUDIT_NUMBER, keys.AUDIT_UNDONE, ""),
            (fence, "", 0, 0, 0, *fields),
        )
    )
    return int(reply[1])
