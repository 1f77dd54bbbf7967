"""One job as the console and `queuectl job` show it, read without executing anything."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class JobView:
    """A row of a job list. Addresses are masked."""

    job_id: str
    queue: str
    state: str
    """queued, started, scheduled, deferred, failed, finished, held, overflow, shed."""
    age_s: float | None
    attempts: int
    summary: str
    """Recipient (masked) and subject, or the function's name."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class JobDetail:
    """Everything about one job; `body` is JSON, or a disassembly of a pickle that was never executed."""

    view: JobView
    fields: dict[str, str] = field(default_factory=dict)
    body: str = ""
    encoding: str = "json"
    results: tuple[str, ...] = ()
    text: str = ""
    """The mail's text part, addresses masked; empty: no mail of ours, no text, or its template is gone."""
