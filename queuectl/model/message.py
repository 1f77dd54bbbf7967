"""The mail a producer hands in, and what admission answered."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Line = Annotated[str, StringConstraints(max_length=998, pattern=r"^[^\r\n]*$")]
"""One header line: RFC 5322 limits it to 998 characters; CR and LF would inject headers."""

ADDRESS = r"^[^\s@<>,;:\"\\]+@([^\s@<>,;:\"\\.]+(\.[^\s@<>,;:\"\\.]+)+|localhost)$"
Address = Annotated[str, StringConstraints(max_length=254, pattern=ADDRESS)]

MEDIA_TYPE = r"^$|^(application|audio|font|image|model|text|video)/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$"

RESERVED_HEADERS = frozenset({"from", "to", "cc", "bcc", "subject", "date", "message-id", "mime-version"})


class Attachment(BaseModel):
    """A file that every worker finds below `delivery.attachment_dir`; its contents never pass through Redis."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(min_length=1, max_length=500, description="Below the folder for attachments.")
    name: str = Field(default="", max_length=200, description="What the recipient sees; empty: the file's name.")
    type: str = Field(default="", max_length=100, pattern=MEDIA_TYPE, description="Media type; empty: by the name.")


class MailMessage(BaseModel):
    """One message to one recipient: literal text and HTML, or the name of a stored template with its parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Address
    sender: Line = Field(default="", description="From header; empty: the template's, else the settings' `sender`.")
    subject: Line = ""
    text: str = ""
    html: str = ""
    template: str = Field(default="", description="Id of a template stored with `store_template`.")
    params: dict[str, Any] = Field(default_factory=dict)
    headers: dict[str, Line] = Field(default_factory=dict)
    attachments: tuple[Attachment, ...] = Field(default=(), max_length=50)
    ordering_key: str = Field(default="", max_length=100, description="Messages with one key leave one at a time.")
    max_age_s: float | None = Field(default=None, gt=0, description="Seconds; None: the queue's policy.")
    priority: int | None = Field(
        default=None, ge=0, le=100, description="0 is shed first, 100 never; None: the queue's."
    )
    campaign: str = Field(default="", max_length=100, description="A rerun of a campaign sends nobody twice.")

    @field_validator("headers")
    @classmethod
    def _own_headers_only(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in RESERVED_HEADERS or name.lower().startswith("content-"):
                raise ValueError(f"header {name!r} is set by queuectl; use the message's own field")
            if not name.isascii() or not name.replace("-", "").isalnum():
                raise ValueError(f"header name {name!r} may hold letters, digits and '-' only")
        return headers

    @model_validator(mode="after")
    def _has_content(self) -> MailMessage:
        if not self.template and not (self.text or self.html):
            raise ValueError("a message needs text, html or a template")
        if self.template and (self.text or self.html):
            raise ValueError("a message takes a template or text/html, not both")
        return self


class Admission(StrEnum):
    """What became of a message at admission."""

    ACCEPTED = "accepted"
    HELD = "held"
    """Accepted; waits behind another message with the same ordering key."""
    DUPLICATE = "duplicate"
    """This campaign already has this recipient, or a job with this id exists."""
    REFUSED = "refused"
    """The queue sheds and stands at its high watermark, or memory is short; try again later."""
    SHED = "shed"
    """Kept in the shed store, not waiting for delivery: the queue is under pressure. `replay-shed` brings it back."""
    SUPPRESSED = "suppressed"
    """The recipient is on the suppression list; `detail` says why."""
    INVALID = "invalid"
    """The message itself is wrong; `detail` says how."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Admission's answer for one message."""

    admission: Admission
    job_id: str = ""
    detail: str = ""
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        return self.admission in (Admission.ACCEPTED, Admission.HELD)
