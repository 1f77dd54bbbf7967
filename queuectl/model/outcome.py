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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a committed action did. `operation` names a running drain or refill, empty when it is all done."""

    number: int
    done: str
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """A drain or refill under way, carried on by whichever process drives it."""

    op_id: str
    kind: str
    """drain or refill."""
    queue: str
    target: str
    """overflow, shed or a queue's name."""
    done: int = 0
    limit: int | None = None
    older_than_s: float | None = None
    cutoff_s: float | None = None
    """Server time: only messages enqueued before this (fixed when the operation began)."""
    rate_per_s: float | None = None
    cause: int = 0
    only_cause: int = 0
    started_s: float = 0.0
    finished: bool = False
    stopped: bool = False
    note: str = ""
