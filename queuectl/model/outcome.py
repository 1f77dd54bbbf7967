"""What an action would do, did, or is still doing."""

from __future__ import annotations

from dataclasses import dataclass

from queuectl.model.action import Action


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would do, counted now. `token` binds a commit to what was shown."""

    action: Action
    headline: str
    """One line: "Shed messages older than 4h from forum"."""
    verb: str
    """The confirm button's label: "Drain 312,000 from forum"."""
    effects: tuple[str, ...] = ()
    """What will happen, one sentence each."""
    forecast: tuple[str, ...] = ()
    """before → after, one line each."""
    affected: int = 0
    approximate: bool = False
    undoable: bool = True
    confirm_word: str = ""
    """The word (queue name) the operator has to type; empty: none."""
    refusal: str = ""
    """Why it cannot be done; empty: it can."""
    nothing: bool = False
    """It is already so; committing would change nothing."""
    token: str = ""
    server: str = ""
    """Identity of the server it was counted on; empty where nobody asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a committed action did. `operation` names a running drain or refill, empty when it is all done."""

    number: int
    done: str
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """A drain, a refill, or failed jobs retried or deleted in bulk; carried on by whichever process drives it."""

    op_id: str
    kind: str
    """drain, refill, retry or delete."""
    queue: str
    target: str
    """overflow, shed, a queue's name, or `failed`."""
    done: int = 0
    limit: int | None = None
    older_than_s: float | None = None
    cutoff_s: float | None = None
    """Server time: only messages enqueued before this (fixed when the operation began)."""
    rate_per_s: float | None = None
    cause: int = 0
    only_cause: int = 0
    packed_after_s: float | None = None
    """Server time: a refill of only what was packed since."""
    reason: str = ""
    """A refill of only what was packed for this reason."""
    match: str = ""
    """Which failed jobs; empty: all."""
    started_s: float = 0.0
    finished: bool = False
    stopped: bool = False
    failed: bool = False
    """It had to be stopped: the overflow server is away."""
    skipped: int = 0
    """Not brought back: a job with their id exists again."""
    damaged: int = 0
    """Segments that could not be read and were set aside."""
    note: str = ""
    version: int = 0
    """Changes when it is stopped, ends, or is continued."""
    idle: bool = False
    """The step just made had nothing to do yet: it is held to a rate, or waits for another operation."""
