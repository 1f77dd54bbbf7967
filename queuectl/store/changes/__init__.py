"""What each action reads, would do and writes: one module a family of actions, all returning a `Change`."""

from queuectl.store.changes.change import Change

__all__ = ["Change"]
