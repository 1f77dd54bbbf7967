"""provider: how one stands, and what a reply would mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_runs import Cli
from redis import Redis

from queuectl.policy.shaping import Signal
from queuectl.store import providers, reply_counts
from queuectl.store.client import Store
from queuectl.store.providers import Report


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "queuectl.toml"
    file.write_text("""
[providers.ses]
host = "email-smtp.eu-west-1.amazonaws.com"
tls = "starttls"
rate_per_s = 100
[providers.trial]
host = "smtp.gmail.com"
tls = "starttls"
dry_run = true
""")
    return file


def test_a_reply_is_explained(cli: Cli, config: Path) -> None:
    said = "454 Throttling failure: Daily message quota exceeded."
    told = cli("provider", "ses", "--config", config, "--reply", said, QUEUECTL_URL="redis://127.0.0.1:1")
    assert told.out.splitlines() == [
        "rule      daily quota (ses)",
        "source    https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html",
        "about     account",
        "message   is tried again within 60 s the first time (account); no attempt is counted",
        "provider  gets nothing for 3600 s, then one message at a time",
    ]


@pytest.mark.parametrize(
    ("provider", "reply", "phase", "said"),
    [
        ("ses", "550 5.1.1 no such user", "rcpt", "fails; the address gets no more mail"),
        ("ses", "550 5.1.1 no such user", "rcpt", "none: judged by its codes alone"),
        ("ses", "452 4.2.2 full", "rcpt", "within 300 s the first time (recipient); one of its 6 attempts"),
        ("ses", "451 4.7.1 Greylisted", "rcpt", "within 120 s the first time (greylisted)"),
        ("trial", "421 4.7.28 unusual rate of unsolicited mail", "body", "dry run; it would be so: is slowed to half"),
        ("ses", "250 ok", "body", "delivered"),
        ("ses", "421", "connect", "service closes or is busy (generic)"),
    ],
)
def test_what_it_does(cli: Cli, config: Path, provider: str, reply: str, phase: str, said: str) -> None:
    assert said in cli("provider", provider, "--config", config, "--reply", reply, "--phase", phase).out


def test_as_json(cli: Cli, config: Path) -> None:
    told = json.loads(cli("provider", "trial", "--config", config, "--reply", "550 5.4.5 Daily limit", "--json").out)
    assert (told["rule"]["name"], told["rule"]["origin"], told["signal"]) == ("daily sending limit", "gmail", "hold")


def test_bad_input(cli: Cli, config: Path) -> None:
    assert "known: ses, trial" in cli("provider", "nobody", "--config", config).err
    assert cli("provider", "nobody", "--config", config).code == 2
    assert "begins with a code" in cli("provider", "ses", "--config", config, "--reply", "hello").err


def test_how_it_stands_and_what_it_answered(cli: Cli, config: Path, redis: Redis) -> None:
    assert "no replies were counted" in cli("provider", "ses", "--config", config).out
    store = Store(redis)
    store.run(providers.report("ses", [Report(Signal.THROTTLED, 0.0, "454 throttling failure")]))
    ended = {("provider:ses", "delivered", ""): 1200, ("provider:ses", "throttled", "454 slow"): 3}
    store.run(reply_counts.count(ended))
    shown = cli("provider", "ses", "--config", config).out
    assert shown.startswith("ses: held, 0/s used, 50/s allowed, 0 connections\nuntil ")
    assert "1,200  delivered" in shown
    assert "3  454 slow" in shown
    told = json.loads(cli("provider", "ses", "--config", config, "--json").out)
    assert told["totals"] == {"delivered": 1200, "throttled": 3}
    assert told["provider"]["allowed_per_s"] == 50
