"""Mail into a Maildir folder instead of onto the network: for development, to be read with any mail reader."""

from __future__ import annotations

import asyncio
import mailbox
import os
from pathlib import Path

from queuectl.mail.compose import Composed
from queuectl.mail.replies import DELIVERED, Disposition, Outcome, Scope
from queuectl.mail.transport import CommitPoint


class MaildirTransport:
    """A Transport. Each message is one file, written and synced in `tmp` and then linked into `new`."""

    connections = 0
    ready = True
    doubtful = False

    def __init__(self, path: str) -> None:
        """The folder is made with the first message."""
        self._path = Path(path)
        self._writing = asyncio.Lock()

    async def send(self, composed: Composed, commit_point: CommitPoint | None = None) -> Disposition:
        if commit_point is not None:
            await commit_point()
        try:
            async with self._writing:
                await asyncio.to_thread(self._write, composed)
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else "cannot be written"
            return Disposition(Outcome.RETRY, Scope.PROVIDER, False, f"maildir: {why}")
        return DELIVERED

    def _write(self, composed: Composed) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        envelope = f"Return-Path: <{composed.envelope_from}>\nDelivered-To: {composed.recipient}\n".encode()
        mailbox.Maildir(self._path).add(envelope + composed.payload.replace(b"\r\n", b"\n"))

    async def close(self) -> None:
        return None
