"""The one gate: every change of queue state by console, command line or API passes here.

Read, decide, commit: `preview` counts and says what would happen, `commit` re-checks what the preview relied on and
changes everything with its audit entry in one script, or refuses and says what changed.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from queuectl.model import (
    Action,
    ContinueOperation,
    DeleteFailed,
    Drain,
    Outcome,
    Preview,
    Refill,
    RefusedError,
    RetryFailed,
    Scale,
    SetDirection,
    SetPause,
    SetPolicy,
    SetShed,
    StopOperation,
    Suppress,
    Tier,
    Undo,
    Unsuppress,
    UsageError,
)
from queuectl.policy.masking import mask_address
from queuectl.settings import Settings
from queuectl.store import audit, jobs, keys, notes, policy_hash
from queuectl.store.changes import Change, failed_jobs, policies, running, suppressing, switches, transfers, undoing
from queuectl.store.client import Argument, Steps, ask, script

READ_ONLY = "this session is read-only (environment.read_only)"


def operator_name(environ: Mapping[str, str]) -> str:
    """user@host of whoever runs this; behind sudo, the user who called it."""
    user = environ.get("SUDO_USER") or environ.get("QUEUECTL_OPERATOR")
    if not user:
        try:
            user = getpass.getuser()
        except (KeyError, OSError):
            user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@dataclass(frozen=True, slots=True)
class Gate:
    """Holds who acts, and under which restrictions."""

    settings: Settings
    operator: str

    def preview(self, action: Action) -> Steps[Preview]:
        """What `action` would do, counted now. Raises UsageError for an unknown queue, pool or number."""
        change = yield from self._change(action)
        return self._restricted(change).preview

    def commit(self, preview: Preview, *, reason: str = "", typed: str = "") -> Steps[Outcome]:
        """Do what `preview` said.

        Raises RefusedError when the environment is read-only, the word was not typed, or the state that the preview
        relied on has changed (another operator acted); nothing is changed then.
        """
        change = self._restricted((yield from self._change(preview.action)))
        if change.preview.refusal:
            raise RefusedError(change.preview.refusal)
        if change.preview.confirm_word and typed != change.preview.confirm_word:
            raise RefusedError(f"type {change.preview.confirm_word!r} to confirm: {change.preview.headline}")
        if preview.token and preview.token != change.preview.token:
            raise RefusedError((yield from self._what_changed(change)))
        if change.preview.nothing:
            return Outcome(0, f"nothing to do: {change.preview.headline}")
        if change.key in (keys.control(change.scope), keys.policy(change.scope)):
            yield from policy_hash.publish_first(change.scope, self.settings.queues.get(change.scope))
        number = yield from self._write(change, reason)
        if change.follow_up:
            return Outcome(number, (yield from change.follow_up))
        return Outcome(number, change.preview.headline, change.operation_id)

    def stop_operation(self, op_id: str) -> Steps[Outcome]:
        """Stop a drain or refill under way, at once. Raises RefusedError when the environment is read-only."""
        preview = yield from self.preview(StopOperation(op_id))
        return (yield from self.commit(preview, typed=preview.confirm_word))

    def reveal(self, job_id: str, *, queue: str = "", tier: Tier | None = None, reason: str = "") -> Steps[str]:
        """The recipient's address of a mail job, unmasked; the audit log says first who looked at whose.

        Raises RefusedError when the environment is read-only, UsageError for a job that is no mail of ours.
        """
        if self.settings.environment.read_only:
            raise RefusedError(f"{READ_ONLY}: revealing an address is written into the audit log")
        found = yield from jobs.message(job_id, queue=queue, tier=tier)
        if not found or not found.get("to"):
            raise UsageError(f"job {job_id} is no mail of queuectl: there is no address to reveal")
        address = str(found["to"])
        yield from notes.note("reveal", job_id, after=mask_address(address), reason=reason, who=self.operator)
        return address

    def _change(self, action: Action) -> Steps[Change]:
        match action:
            case SetShed() | SetDirection() | SetPause():
                return (yield from switches.of_control(action, self.settings))
            case SetPolicy():
                return (yield from policies.change(action, self.settings))
            case Scale():
                return (yield from switches.of_pool(action, self.settings))
            case Drain():
                return (yield from transfers.drain(action, self.settings))
            case Refill():
                return (yield from transfers.refill(action, self.settings))
            case StopOperation() | ContinueOperation():
                return (yield from running.change(action, self.settings))
            case Suppress() | Unsuppress():
                return (yield from suppressing.change(action))
            case RetryFailed() | DeleteFailed():
                return (yield from failed_jobs.change(action, self.settings))
            case Undo():
                return (yield from undoing.change(action, self.settings))
            case _:
                assert_never(action)

    def _restricted(self, change: Change) -> Change:
        """Read-only refuses everything; production asks for the scope to be typed."""
        environment = self.settings.environment
        if environment.read_only:
            return change.refused(READ_ONLY)
        if environment.production and not change.preview.confirm_word and not change.preview.nothing:
            return change.typed(change.scope)
        return change

    def _write(self, change: Change, reason: str) -> Steps[int]:
        fields = [part for pair in change.fields.items() for part in pair]
        fields = [self._filled(part, reason) for part in fields]
        entry = {
            "who": self.operator,
            "action": change.verb,
            "scope": change.scope,
            "before": change.before,
            "after": change.after,
            "reason": reason,
            "undoable": "1" if change.preview.undoable else "0",
            "payload": json.dumps(change.payload, separators=(",", ":")),
        }
        arguments: list[Argument] = ["", change.expected_version, change.undoes, len(fields), len(change.operation)]
        arguments += [*fields, *change.operation]
        arguments += [part for pair in entry.items() for part in pair]
        second = keys.operation(change.operation_id) if change.operation_id else ""
        reply = yield from ask(
            script(audit.COMMIT, (change.key, keys.AUDIT, keys.AUDIT_NUMBER, keys.AUDIT_UNDONE, second), arguments)
        )
        if reply[0] == 2:
            raise RefusedError(f"already undone by #{int(reply[1])}")
        if reply[0] == 0:
            raise RefusedError((yield from self._what_changed(change)))
        return int(reply[1])

    def _what_changed(self, change: Change) -> Steps[str]:
        return (yield from audit.what_changed(change.scope, policy=change.key == keys.policy(change.scope)))

    def _filled(self, part: str, reason: str) -> str:
        return {"@by": self.operator, "@reason": reason}.get(part, part)
