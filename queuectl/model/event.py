"""What happened in an application, to be fanned out to mail, and what became of each message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from queuectl.model.message import Verdict

KIND = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"


class Event(BaseModel):
    """One event. The settings' routes of its kind say which mail it becomes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = Field(pattern=KIND)
    event_id: str = Field(min_length=1, max_length=200, description="The same for a rerun, which mails nobody twice.")
    data: dict[str, Any] = Field(default_factory=dict, description="Recipients, ordering keys, templates' variables.")


@dataclass(frozen=True, slots=True)
class Published:
    """One message that an event became."""

    queue: str
    to: str
    verdict: Verdict
