"""queuectl: steer large e-mail sends on Redis and RQ queues from a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["AsyncOutbox", "Attachment", "Event", "MailMessage", "Outbox", "Verdict"]

if TYPE_CHECKING:
    from queuectl.mail.outbox import AsyncOutbox, Outbox
    from queuectl.model import Attachment, Event, MailMessage, Verdict

_HOME = {
    "AsyncOutbox": "queuectl.mail.outbox",
    "Attachment": "queuectl.model",
    "Event": "queuectl.model",
    "MailMessage": "queuectl.model",
    "Outbox": "queuectl.mail.outbox",
    "Verdict": "queuectl.model",
}


def __getattr__(name: str) -> Any:
    """Import the producer API on first use: command-line verbs start faster without it."""
    if name not in _HOME:
        raise AttributeError(f"module 'queuectl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
