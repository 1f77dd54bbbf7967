"""How this worker's tries ended, counted up for the server about once a second."""

from __future__ import annotations

from collections import Counter

from queuectl.mail.replies import Disposition, Outcome, Scope
from queuectl.policy.shaping import Signal
from queuectl.store import reply_counts
from queuectl.store.claims import Claim
from queuectl.store.client import AsyncStore
from queuectl.store.reply_counts import Entry


class ReplyCounts:
    """Keeps what could not be written yet."""

    def __init__(self, store: AsyncStore) -> None:
        self._store = store
        self._ended: Counter[tuple[str, str, str, str]] = Counter()

    def note(self, claim: Claim, disposition: Disposition) -> None:
        """Count one try; what was not tried is left out."""
        kind = kind_of(disposition)
        if kind:
            self._ended[claim.queue, claim.provider, kind, disposition.reason] += 1

    async def commit(self) -> None:
        """Write what has come together. Raises ServerError; what was not written stays."""
        if not self._ended:
            return
        ended, self._ended = self._ended, Counter()
        entries: Counter[Entry] = Counter()
        for (queue, provider, kind, text), number in ended.items():
            entries[f"queue:{queue}", kind, text] += number
            entries[f"provider:{provider}", kind, text] += number
        try:
            await self._store.run(reply_counts.count(entries))
        except BaseException:
            self._ended.update(ended)
            raise


def kind_of(disposition: Disposition) -> str:
    """The class a try is counted in, as `ReplyHistory` names them; empty: it was no try."""
    if disposition.outcome is Outcome.DELIVERED:
        return "delivered"
    tried = disposition.offered or disposition.counted or disposition.scope is Scope.CONNECTION
    if disposition.outcome is Outcome.RELEASE or not tried:
        return ""
    if disposition.signal in (Signal.THROTTLED, Signal.HOLD):
        return "throttled"
    if disposition.signal is Signal.REPUTATION:
        return "reputation"
    ended = "deferred" if disposition.outcome is Outcome.RETRY else "failed"
    return f"{ended} {disposition.scope or Scope.MESSAGE}"
