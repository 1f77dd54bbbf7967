"""Put addresses on the suppression list, and take them off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from queuectl.model import AuditEntry, Preview, Suppress, Undo, Unsuppress
from queuectl.store import keys, suppression
from queuectl.store.changes.change import Change
from queuectl.store.client import Steps, ask, command

SCOPE = "suppression"
MOST_UNDOABLE = 1000
"""Entries that an audit entry remembers for undo; an export is the way back from larger changes."""


def change(action: Suppress | Unsuppress) -> Steps[Change]:
    """Add the new ones among the entries, or remove those that are on the list."""
    if isinstance(action, Suppress):
        return (yield from _add(action))
    return (yield from _remove(action))


def _add(action: Suppress) -> Steps[Change]:
    stand = yield from suppression.reasons_of([digest for digest, _ in action.entries])
    unique = dict(action.entries)
    new = {digest: why for digest, why in unique.items() if stand[digest] is None}
    standing = len(unique) - len(new)
    words = f"{len(new):,} {'address' if len(new) == 1 else 'addresses'}"
    also = f"; {standing:,} stood already" if standing else ""
    effects = ("They get no mail any more: refused at admission, skipped before sending.",)
    preview = _preview(action, f"Suppress {words}{also}", f"Suppress {words}", effects, len(new))
    preview = replace(preview, forecast=(yield from _counted(len(new))))
    added = {digest.hex(): "" for digest in new}
    return _change(preview, "suppress", f"{words} added{_listed(action.shown)}", added, _added(new, also))


def _remove(action: Unsuppress) -> Steps[Change]:
    stand = yield from suppression.reasons_of(action.digests)
    found = {digest: why for digest, why in stand.items() if why is not None}
    missing = len(stand) - len(found)
    words = f"{len(found):,} {'address' if len(found) == 1 else 'addresses'}"
    also = f"; {missing:,} not on the list" if missing else ""
    preview = _preview(action, f"Take {words} off the suppression list{also}", f"Let {words} have mail again",
                       ("They get mail again.",), len(found))  # fmt: skip
    preview = replace(preview, forecast=(yield from _counted(-len(found))))
    removed = {digest.hex(): why for digest, why in found.items()}
    after = f"{words} removed{_listed(action.shown)}"
    return _change(preview, "unsuppress", after, removed, _removed(tuple(found), also))


def undo(action: Undo, entry: AuditEntry, payload: Mapping[str, Any]) -> Steps[Change]:
    """Take off what was put on, or put on again what was taken off, as far as nobody changed it since."""
    digests = {bytes.fromhex(text): why for text, why in payload["entries"].items()}
    stand = yield from suppression.reasons_of(tuple(digests))
    adding = payload["what"] == "remove"
    affected = {digest: why for digest, why in digests.items() if (stand[digest] is None) == adding}
    done = f"{len(affected):,} {'added again' if adding else 'removed again'}"
    refusal = "" if affected else "none of them is as that change left it"
    forecast = yield from _counted(len(affected) if adding else -len(affected))
    preview = Preview(action, f"Undo #{entry.number}: {done}", "Undo", affected=len(affected), undoable=False,
                      refusal=refusal, forecast=forecast)  # fmt: skip
    follow_up = _added(affected, "") if adding else _removed(tuple(affected), "")
    return Change(preview, keys.AUDIT_UNDONE, SCOPE, "undo", entry.after, done, {}, "", undoes=entry.number,
                  follow_up=follow_up)  # fmt: skip


def _counted(more: int) -> Steps[tuple[str, ...]]:
    number: int = yield from ask(command("HLEN", keys.SUPPRESSED))
    return (f"on the suppression list {number:,} → {number + more:,}",)


def _preview(
    action: Suppress | Unsuppress, headline: str, verb: str, effects: tuple[str, ...], affected: int
) -> Preview:
    return Preview(
        action, headline, verb, effects, affected=affected, undoable=affected <= MOST_UNDOABLE, nothing=affected == 0
    )


def _change(preview: Preview, verb: str, after: str, entries: Mapping[str, str], follow_up: Steps[str]) -> Change:
    what = "add" if isinstance(preview.action, Suppress) else "remove"
    payload = {"kind": SCOPE, "what": what, "entries": entries} if preview.undoable else {}
    return Change(preview, keys.AUDIT_UNDONE, SCOPE, verb, "", after, {}, "", payload=payload, follow_up=follow_up)


def _listed(shown: str) -> str:
    return f": {shown}" if shown else ""


def _added(entries: Mapping[bytes, str], also: str) -> Steps[str]:
    number = yield from suppression.add(entries.items())
    return f"{number:,} added{also}"


def _removed(digests: tuple[bytes, ...], also: str) -> Steps[str]:
    number = yield from suppression.remove(digests)
    return f"{number:,} removed{also}"
