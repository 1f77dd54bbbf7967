"""What an SMTP reply means for the message by its codes alone (RFC 5321 §4.2, RFC 3463): by scope, not by first digit.

What providers mean besides is in rules (rules.py), which are asked afterwards, once a message's try is over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from queuectl.policy.masking import ADDRESS
from queuectl.policy.shaping import Signal


class Phase(StrEnum):
    """Where in the SMTP session a reply, or its absence, happened."""

    CONNECT = "connect"
    """TCP, TLS, greeting, EHLO."""
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """The DATA command itself and the message up to its final dot."""
    BODY = "body"
    """After the final dot."""


class Outcome(StrEnum):
    """What becomes of the message."""

    DELIVERED = "delivered"
    RETRY = "retry"
    FAILED = "failed"
    RELEASE = "release"
    """Not tried: give it back as it was, at once."""


class Scope(StrEnum):
    """Whom a reply is about."""

    RECIPIENT = "recipient"
    PROVIDER = "provider"
    """The server, or our rate at it."""
    SENDER = "sender"
    """Our address, domain or IP: its reputation."""
    ACCOUNT = "account"
    """Our login or its quota."""
    MESSAGE = "message"
    CONNECTION = "connection"
    AMBIGUOUS = "ambiguous"
    """No answer to the final dot: the server may have it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply; `enhanced` is empty where the server gave none, `text` has its lines joined by newlines."""

    code: int
    enhanced: str
    text: str

    @classmethod
    def parse(cls, code: int, text: str) -> Reply:
        """Split the enhanced status code, which each line of a reply repeats, off its text."""
        found = _ENHANCED.match(text)
        return cls(code, found[1], _ENHANCED.sub("", text)) if found else cls(code, "", text)


@dataclass(frozen=True, slots=True)
class Disposition:
    """The verdict on one delivery attempt."""

    outcome: Outcome
    scope: Scope | None
    counted: bool
    """Whether it uses up one of the message's attempts."""
    reason: str
    """Short and stable, to group by; holds no address. Empty when delivered."""
    code: int = 0
    """SMTP reply code; 0 where there was no reply."""
    signal: Signal | None = None
    """What it says of the provider beyond this message: throttling, or a bad reputation of ours."""
    bounce: bool = False
    """The address does not exist: mail to it is pointless for good."""
    reply: Reply | None = None
    """What the server said, where that ended the try."""
    phase: Phase | None = None
    rule: str = ""
    """Name of the rule that decided."""
    for_s: float | None = None
    """How long the provider is slowed or held; for a retry alone, the least delay. None: the usual time."""

    @property
    def offered(self) -> bool:
        """Whether the provider may have counted the message against our rate."""
        return self.code != 0 or self.scope is Scope.AMBIGUOUS


_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?:[ \t]+|$)", re.MULTILINE)

DELIVERED = Disposition(Outcome.DELIVERED, None, True, "", 250)

_ACCOUNT_CODES = frozenset({530, 534, 535, 538})
_DETAIL_SCOPES = {
    "1.7": Scope.SENDER,
    "1.8": Scope.SENDER,
    "2.3": Scope.MESSAGE,
    "3.4": Scope.MESSAGE,
    "4.5": Scope.ACCOUNT,
    "7.8": Scope.ACCOUNT,
    "7.9": Scope.ACCOUNT,
}
_SUBJECT_SCOPES = {
    "1": Scope.RECIPIENT,
    "2": Scope.RECIPIENT,
    "3": Scope.PROVIDER,
    "4": Scope.PROVIDER,
    "5": Scope.MESSAGE,
    "6": Scope.MESSAGE,
    "7": Scope.SENDER,
}
_PHASE_SCOPES = {
    Phase.CONNECT: Scope.PROVIDER,
    Phase.AUTH: Scope.ACCOUNT,
    Phase.MAIL: Scope.SENDER,
    Phase.RCPT: Scope.RECIPIENT,
    Phase.DATA: Scope.MESSAGE,
    Phase.BODY: Scope.MESSAGE,
}


def classify(reply: Reply, phase: Phase) -> Disposition:
    """What the codes of a reply that ended a try say; a 2xx is a delivery only after the final dot."""
    if 200 <= reply.code < 300 and phase is Phase.BODY:
        return DELIVERED
    if not 400 <= reply.code < 600:
        return Disposition(Outcome.RETRY, Scope.CONNECTION, True, f"unexpected {reason(reply)}", reply.code)
    scope = _scope(reply, phase)
    counted = phase not in (Phase.CONNECT, Phase.AUTH) and scope is not Scope.ACCOUNT
    outcome = Outcome.FAILED if reply.code >= 500 and counted else Outcome.RETRY
    bounce = outcome is Outcome.FAILED and scope is Scope.RECIPIENT and reply.enhanced.startswith("5.1.")
    return Disposition(outcome, scope, counted, reason(reply), reply.code, bounce=bounce, reply=reply, phase=phase)


def unanswered(phase: Phase, what: str) -> Disposition:
    """The verdict when the connection broke or a reply did not come in time; `what` says which, in stable words."""
    if phase is Phase.BODY:
        return Disposition(Outcome.RETRY, Scope.AMBIGUOUS, True, f"{what} after the final dot")
    return Disposition(Outcome.RETRY, Scope.CONNECTION, False, f"{what} at {phase}")


def reason(reply: Reply) -> str:
    """A grouping key such as `550 5.1.1 no such user`: first 80 characters, without addresses, numbers and ids."""
    text = _ANGLE.sub("<…>", reply.text)
    text = ADDRESS.sub("<…>", text)
    text = _URL.sub("", text)
    text = _VARIABLE.sub("#", text)
    words = " ".join(text.lower().split())
    return " ".join(part for part in (str(reply.code), reply.enhanced, words[:80].rstrip(" .:;,-")) if part)


_ANGLE = re.compile(r"<[^>]*>")
_URL = re.compile(r"https?://\S+")
_VARIABLE = re.compile(r"\b(?=[\w.:-]*\d)[\w.:-]{6,}|\b\d+\b")
"""Queue ids, session ids, IP addresses, counts: what differs between replies of one kind."""


def _scope(reply: Reply, phase: Phase) -> Scope:
    if reply.code in _ACCOUNT_CODES:
        return Scope.ACCOUNT
    detail = reply.enhanced[2:]
    if detail in _DETAIL_SCOPES:
        return _DETAIL_SCOPES[detail]
    return _SUBJECT_SCOPES.get(detail[:1], _PHASE_SCOPES[phase])
