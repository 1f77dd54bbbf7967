"""One rule on SMTP replies, as the settings and the shipped rules write it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from queuectl.settings.section import Section

RuleSet = Literal["auto", "gmail", "microsoft", "yahoo", "ses", "sendgrid", "generic"]
RuleAction = Literal["slow", "hold", "suspend", "suppress", "retry", "fail"]
RuleScope = Literal["recipient", "provider", "sender", "account", "message", "connection"]
RulePhase = Literal["connect", "auth", "mail", "rcpt", "data", "body"]
CodePattern = Annotated[str, StringConstraints(pattern=r"^[245]([0-9x]{2})$")]
EnhancedPattern = Annotated[str, StringConstraints(pattern=r"^(none|[245*]\.(\d{1,3}|\*)\.(\d{1,3}|\*))$")]


class RuleSettings(Section):
    """What a reply means. All that is given of `code`, `enhanced`, `text` and `phase` has to fit."""

    name: str = Field(min_length=1, max_length=60)
    """Shown where the rule took effect."""
    code: tuple[CodePattern, ...] = ()
    """Reply codes, x for any digit: ["421", "45x"]."""
    enhanced: tuple[EnhancedPattern, ...] = ()
    """Enhanced status codes: ["4.7.28", "*.7.*"]; "none" for a reply without one."""
    text: str = ""
    """Regular expression, found anywhere in the text, upper and lower case alike."""
    phase: tuple[RulePhase, ...] = ()
    """Where in the session: connect, auth, mail, rcpt, data, body (the final dot)."""
    scope: RuleScope | None = None
    """Whom the reply is about; unset: as the action and the codes suggest."""
    action: RuleAction
    """slow: the provider at half its rate, the message retried uncounted. hold: nothing to the provider for a time, the
    message retried uncounted. suspend: nothing to the provider until a single message passes. suppress: the address
    gets no more mail. retry, fail: the message alone."""
    for_s: float | None = Field(default=None, gt=0, le=7 * 86400)
    """How long it is slowed, held or suspended at first; for retry, the least delay. Unset: the action's own time."""
    source: str = ""
    """Where the reply is documented."""

    @field_validator("text")
    @classmethod
    def _compiles(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return text

    @model_validator(mode="after")
    def _says_which(self) -> RuleSettings:
        if not (self.code or self.enhanced or self.text):
            raise ValueError(f"rule {self.name!r} fits every reply; give it a code, an enhanced code or a text")
        return self
