"""Rules on replies: what large providers say, who is asked whose rules, and rules of the operator's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.mail.replies import Disposition, Outcome, Phase, Reply, Scope, classify, unanswered
from queuectl.mail.retrying import next_step, retry_class, schedule_of
from queuectl.mail.rules import rule_set, rules_for
from queuectl.model import RetryClass, UsageError
from queuectl.policy.retry import Retry, Schedule
from queuectl.policy.shaping import Signal
from queuectl.settings import DeliverySettings, ProviderSettings, load


def judge(provider: ProviderSettings, text: str, phase: Phase = Phase.BODY) -> Disposition:
    """`text` as the server says it: code first."""
    code, _, rest = text.partition(" ")
    return rules_for(provider).judge(classify(Reply.parse(int(code), rest), phase))


RETRY, FAILED = Outcome.RETRY, Outcome.FAILED
TEXTS = [
    ("gmail", "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail", "unusual rate", RETRY,
     Signal.THROTTLED, 600),
    ("gmail", "450 4.2.1 Peak SMTP relay limit exceeded for customer.", "relay limit of the customer", RETRY,
     Signal.THROTTLED, 600),
    ("gmail", "450 4.2.1 The user you are trying to contact is receiving mail too quickly.",
     "recipient gets mail too quickly", RETRY, None, 900),
    ("gmail", "550 5.4.5 Daily user sending limit exceeded.", "daily sending limit", RETRY, Signal.HOLD, 3600),
    ("gmail", "421 4.7.0 this message is suspicious due to the very low reputation of the sending domain",
     "low reputation", RETRY, Signal.REPUTATION, 1800),
    ("gmail", "550 5.2.1 The email account that you tried to reach is disabled.", "no such account", FAILED, None,
     None),
    ("microsoft", "451 4.7.500 Server busy. Please try again later from [192.0.2.1].", "sending too fast", RETRY,
     Signal.THROTTLED, 900),
    ("microsoft", "421 RP-001 (COL004) Unfortunately, some messages weren't sent: exceeded the rate limit",
     "sending too fast", RETRY, Signal.THROTTLED, 900),
    ("microsoft", "550 5.7.606 Access denied, banned sending IP [192.0.2.1].", "address is blocked", FAILED,
     Signal.REPUTATION, 3600),
    ("microsoft", "550 5.7.1 part of their network is on our block list (S3140).", "address is blocked", FAILED,
     Signal.REPUTATION, 3600),
    ("microsoft", "550 5.7.705 Access denied, tenant has exceeded threshold", "tenant or account over its limit", RETRY,
     Signal.HOLD, 3600),
    ("microsoft", "550 5.4.1 Recipient address rejected: Access denied.", "no such recipient", FAILED, None, None),
    ("yahoo", "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
     "temporarily deferred", RETRY, Signal.THROTTLED, 1800),
    ("yahoo", "421 4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred", "permanently deferred",
     RETRY, Signal.REPUTATION, 14400),
    ("yahoo", "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1", "address is blocked", FAILED,
     Signal.REPUTATION, 14400),
    ("yahoo", "554 delivery error: dd This user doesn't have a yahoo.com account (x@yahoo.com)", "no such account",
     FAILED, None, None),
    ("ses", "454 Throttling failure: Maximum sending rate exceeded.", "sending rate", RETRY, Signal.THROTTLED, 60),
    ("ses", "454 Throttling failure: Daily message quota exceeded.", "daily quota", RETRY, Signal.HOLD, 3600),
    ("ses", "554 Message rejected: Email address is not verified.", "identity is not verified", FAILED, None, None),
    ("sendgrid", "451 Authentication failed: Maximum credits exceeded", "credits are used up", RETRY, Signal.HOLD,
     3600),
    ("sendgrid", "450 too frequent connects from 192.0.2.1, please try again later.",
     "too many connections or messages", RETRY, Signal.THROTTLED, 300),
    ("generic", "451 4.7.1 Greylisting in action, please come back later", "greylisted", RETRY, None, 120),
    ("generic", "421 4.3.2 Service shutting down", "service closes or is busy", RETRY, Signal.THROTTLED, None),
    ("generic", "554 5.7.1 Client host blocked using zen.spamhaus.org", "sender's reputation, by its text", FAILED,
     Signal.REPUTATION, None),
    ("generic", "550 5.7.1 unusual rate of mail", "too fast, by its text", RETRY, Signal.THROTTLED, None),
    ("generic", "550 5.4.5 Daily sending quota exceeded", "over the account's limit", RETRY, Signal.THROTTLED, None),
    ("generic", "550 5.1.1 no such user", "", FAILED, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "text", "rule", "outcome", "signal", "for_s"), TEXTS)
def test_what_providers_say(rules: str, text: str, rule: str, outcome: Outcome, signal: Signal | None,
                            for_s: float | None) -> None:  # fmt: skip
    found = judge(ProviderSettings(rules=rules), text)
    assert (found.rule, found.outcome, found.signal, found.for_s) == (rule, outcome, signal, for_s)
    assert found.counted is (signal not in (Signal.THROTTLED, Signal.HOLD))
    assert found.bounce is (rule == "no such account" or "5.1.1" in text)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("smtp.gmail.com", "gmail"),
        ("gmail-smtp-in.l.google.com", "gmail"),
        ("example-com.mail.protection.outlook.com.", "microsoft"),
        ("SMTP.office365.com", "microsoft"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("email-smtp.eu-west-1.amazonaws.com", "ses"),
        ("smtp.sendgrid.net", "sendgrid"),
        ("notgmail.com", ""),
        ("127.0.0.1", ""),
    ],
)
def test_the_hosts_name_chooses_the_rules(host: str, found: str) -> None:
    assert rule_set(ProviderSettings(host=host)) == found
    assert rule_set(ProviderSettings(host=host, rules="ses")) == "ses"
    assert rule_set(ProviderSettings(host=host, rules="generic")) == ""


def test_a_refused_login_and_a_refused_connection_fail_no_message() -> None:
    login = judge(ProviderSettings(), "535 5.7.8 not accepted", Phase.AUTH)
    assert (login.outcome, login.scope, login.counted) == (RETRY, Scope.ACCOUNT, False)
    blocked = judge(ProviderSettings(), "554 5.7.1 blocked using dnsbl", Phase.CONNECT)
    assert (blocked.outcome, blocked.counted, blocked.signal) == (RETRY, False, Signal.REPUTATION)


OWN = """
[providers.relay]
host = "smtp.gmail.com"
tls = "starttls"

[[providers.relay.reply_rules]]
name = "our relay is full"
code = ["45x"]
enhanced = ["none", "4.3.*"]
text = "no room"
phase = ["rcpt", "body"]
action = "hold"
for_s = 90

[[providers.relay.reply_rules]]
name = "complaint"
text = "unusual rate"
action = "suppress"
"""


def own_rules(tmp_path: Path, text: str = OWN) -> ProviderSettings:
    file = tmp_path / "queuectl.toml"
    file.write_text(text)
    return load(config=file, environ={}).settings.providers["relay"]


def test_own_rules_come_before_the_shipped_ones(tmp_path: Path) -> None:
    provider = own_rules(tmp_path)
    found = judge(provider, "452 4.3.1 No room here")
    assert (found.rule, found.scope) == ("our relay is full", Scope.PROVIDER)
    assert (found.signal, found.for_s) == (Signal.HOLD, 90)
    assert judge(provider, "452 4.3.1 No room here", Phase.MAIL).rule == ""
    assert judge(provider, "452 4.2.2 No room here").rule == ""
    assert judge(provider, "550 No room here").rule == ""
    assert judge(provider, "421 4.7.28 unusual rate").bounce
    assert judge(provider, "421 4.7.28 rate limited").rule == "unusual rate"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('name = "x"\naction = "slow"', "fits every reply"),
        ('name = "x"\naction = "explode"\ncode = ["421"]', "'slow', 'hold', 'suspend', 'suppress', 'retry' or 'fail'"),
        ('name = "x"\naction = "slow"\ntext = "("', "not a regular expression"),
        ('name = "x"\naction = "slow"\ncode = ["4"]', "code"),
        ('name = "x"\naction = "slow"\nenhanced = ["4.7"]', "enhanced"),
        ('name = "x"\naction = "slow"\ncodes = ["421"]', "codes"),
    ],
)
def test_a_wrong_rule_is_told(tmp_path: Path, rule: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        own_rules(tmp_path, f"[providers.relay]\n[[providers.relay.reply_rules]]\n{rule}")
    assert said in str(told.value)
    assert "providers.relay.reply_rules" in str(told.value)
    assert "queuectl.toml" in str(told.value)


@pytest.mark.parametrize(
    ("text", "phase", "kind"),
    [
        ("451 4.7.1 Greylisted for a while", Phase.RCPT, RetryClass.GREYLISTED),
        ("450 try later", Phase.RCPT, RetryClass.GREYLISTED),
        ("452 4.2.2 full", Phase.RCPT, RetryClass.RECIPIENT),
        ("421 4.7.0 slow down", Phase.MAIL, RetryClass.PROVIDER),
        ("451 4.3.0 lookup failed", Phase.RCPT, RetryClass.PROVIDER),
        ("535 5.7.8 no", Phase.AUTH, RetryClass.ACCOUNT),
        ("450 4.1.8 sender's domain not found", Phase.MAIL, RetryClass.SENDER),
    ],
)
def test_each_cause_has_its_own_schedule(text: str, phase: Phase, kind: RetryClass) -> None:
    assert retry_class(judge(ProviderSettings(), text, phase)) is kind


def test_what_was_not_answered_is_tried_again_by_how_far_it_came() -> None:
    assert retry_class(unanswered(Phase.CONNECT, "no reply in time")) is RetryClass.CONNECTION
    assert retry_class(unanswered(Phase.BODY, "no reply in time")) is RetryClass.AMBIGUOUS


def test_settings_change_a_schedule_and_a_rule_sets_the_least_delay() -> None:
    delivery = DeliverySettings.model_validate({"retries": {"recipient": {"base_s": 7200}}})
    assert schedule_of(RetryClass.RECIPIENT, delivery) == Schedule(7200, 7200)
    greylisted = judge(ProviderSettings(), "451 4.7.1 greylisted", Phase.RCPT)
    step = next_step(greylisted, delivery, attempts=1, age_s=0, max_age_s=3600, u=0)
    assert step == Retry(120)
    throttled = judge(ProviderSettings(rules="yahoo"), "421 4.7.0 [TSS04] temporarily deferred", Phase.MAIL)
    assert next_step(throttled, delivery, attempts=0, age_s=0, max_age_s=3600, u=0) == Retry(15)
