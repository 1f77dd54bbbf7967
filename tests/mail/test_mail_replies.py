"""Classification of replies, on texts that real providers send."""

from __future__ import annotations

import pytest

from queuectl.mail.replies import Outcome, Phase, Reply, Scope, classify, reason, unanswered
from queuectl.mail.rules import rules_for
from queuectl.settings import ProviderSettings

GENERIC = rules_for(ProviderSettings())
CASES = [
    (250, "2.0.0 OK  1700000000 abc.12 - gsmtp", Phase.BODY, Outcome.DELIVERED, None, True),
    (421, "4.7.0 Try again later, closing connection. - gsmtp", Phase.MAIL, Outcome.RETRY, Scope.PROVIDER, False),
    (421, "Service not available", Phase.CONNECT, Outcome.RETRY, Scope.PROVIDER, False),
    (450, "4.2.1 The user you are trying to contact is receiving mail too quickly", Phase.RCPT,
     Outcome.RETRY, Scope.RECIPIENT, True),
    (450, "4.7.1 Error: too much mail from 192.0.2.1", Phase.RCPT, Outcome.RETRY, Scope.PROVIDER, False),
    (451, "4.7.500 Server busy. Please try again later from [192.0.2.1]", Phase.BODY,
     Outcome.RETRY, Scope.PROVIDER, False),
    (451, "4.3.0 Temporary lookup failure", Phase.RCPT, Outcome.RETRY, Scope.PROVIDER, True),
    (452, "4.2.2 The recipient's inbox is out of storage space", Phase.RCPT, Outcome.RETRY, Scope.RECIPIENT, True),
    (452, "4.3.1 Insufficient system storage", Phase.BODY, Outcome.RETRY, Scope.PROVIDER, True),
    (454, "4.7.0 Temporary authentication failure", Phase.AUTH, Outcome.RETRY, Scope.PROVIDER, False),
    (454, "Throttling failure: Maximum sending rate exceeded.", Phase.BODY, Outcome.RETRY, Scope.PROVIDER, False),
    (454, "Throttling failure: Daily message quota exceeded.", Phase.BODY, Outcome.RETRY, Scope.PROVIDER, False),
    (550, "5.1.1 The email account that you tried to reach does not exist.", Phase.RCPT,
     Outcome.FAILED, Scope.RECIPIENT, True),
    (550, "no such user", Phase.RCPT, Outcome.FAILED, Scope.RECIPIENT, True),
    (550, "5.7.1 Our system has detected an unusual rate of unsolicited mail originating from your IP address.",
     Phase.BODY, Outcome.RETRY, Scope.PROVIDER, False),
    (550, "5.4.5 Daily user sending limit exceeded.", Phase.BODY, Outcome.RETRY, Scope.ACCOUNT, False),
    (550, "5.4.6 Routing loop: too many hops", Phase.BODY, Outcome.FAILED, Scope.PROVIDER, True),
    (550, "5.7.26 This mail has been blocked because the sender is unauthenticated.", Phase.BODY,
     Outcome.FAILED, Scope.SENDER, True),
    (552, "5.2.2 Mailbox full", Phase.RCPT, Outcome.FAILED, Scope.RECIPIENT, True),
    (552, "5.3.4 Message size exceeds fixed limit", Phase.MAIL, Outcome.FAILED, Scope.MESSAGE, True),
    (553, "5.1.8 Sender address rejected: Domain not found", Phase.MAIL, Outcome.FAILED, Scope.SENDER, True),
    (554, "Message rejected: content", Phase.BODY, Outcome.FAILED, Scope.MESSAGE, True),
    (554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", Phase.RCPT,
     Outcome.FAILED, Scope.SENDER, True),
    (554, "No SMTP service here", Phase.CONNECT, Outcome.RETRY, Scope.PROVIDER, False),
    (530, "5.7.0 Must issue a STARTTLS command first", Phase.MAIL, Outcome.RETRY, Scope.ACCOUNT, False),
    (535, "5.7.8 Username and Password not accepted.", Phase.AUTH, Outcome.RETRY, Scope.ACCOUNT, False),
    (250, "ok", Phase.DATA, Outcome.RETRY, Scope.CONNECTION, True),
    (354, "go", Phase.BODY, Outcome.RETRY, Scope.CONNECTION, True),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "phase", "outcome", "scope", "counted"), CASES)
def test_classify(code: int, text: str, phase: Phase, outcome: Outcome, scope: Scope | None, counted: bool) -> None:
    verdict = GENERIC.judge(classify(Reply.parse(code, text), phase))
    assert (verdict.outcome, verdict.scope, verdict.counted, verdict.code) == (outcome, scope, counted, code)


@pytest.mark.parametrize("phase", list(Phase))
def test_no_answer(phase: Phase) -> None:
    verdict = unanswered(phase, "no reply in time")
    assert verdict.outcome is Outcome.RETRY
    assert verdict.scope is (Scope.AMBIGUOUS if phase is Phase.BODY else Scope.CONNECTION)
    assert verdict.counted is (phase is Phase.BODY)


def test_the_enhanced_code_is_taken_off_every_line() -> None:
    reply = Reply.parse(550, "5.7.1 first\n5.7.1 second")
    assert reply == Reply(550, "5.7.1", "first\nsecond")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("5.1.1 <ana@example.org>: Recipient address rejected", "550 5.1.1 <…>: recipient address rejected"),
        ("5.1.1 ana@example.org: No such user.", "550 5.1.1 <…>: no such user"),
        ("5.1.1 user <ana> unknown", "550 5.1.1 user <…> unknown"),
        ("queued as 4FxQ2k1ZzVz", "550 queued as #"),
        ("client [192.0.2.17] and 2001:db8::17 refused 3 times", "550 client [#] and # refused # times"),
        ("see https://example.org/?id=77&to=ana now", "550 see now"),
        ("", "550"),
    ],
)
def test_reasons_group(text: str, key: str) -> None:
    assert reason(Reply.parse(550, text)) == key


def test_reasons_of_one_kind_are_one_reason() -> None:
    texts = [f"5.1.1 <u{n}@d{n}.example>: unknown; session {n}7aB3x99" for n in range(50)]
    assert len({reason(Reply.parse(550, text)) for text in texts}) == 1
    assert len(reason(Reply.parse(550, "word " * 500))) <= 90
