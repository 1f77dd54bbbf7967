"""`queuectl demo` as a newcomer runs it, shortened: every message is accounted for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from queuectl.demo.account import account
from queuectl.model import FleetState, Ledger, LedgerState, QueueState, ServerState


def demo(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "queuectl", "demo", "--headless", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def test_headless_demo_accounts_for_every_message() -> None:
    process = demo("--for", "6s")
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "✓ it adds up: every message is accounted for" in out
    total = next(line for line in out.splitlines() if line.startswith("total")).split()
    assert int(total[2].replace(",", "")) > 100  # delivered


def test_interrupted_demo_still_accounts() -> None:
    process = demo()
    assert process.stdout is not None
    while "delivered" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert "every message is accounted for" in out


def test_unknown_scenario_is_a_usage_error() -> None:
    process = demo("--scenario", "nope")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no scenario and no file is named 'nope'; scenarios are:" in err


def fleet(queue: QueueState) -> FleetState:
    return FleetState(0.0, ServerState("x"), (queue,))


@pytest.mark.parametrize(
    ("delivered", "received", "expected"),
    [(9, 9, "✓ it adds up"), (8, 8, "✗ 1 unaccounted for"), (9, 8, "never accepted")],
)
def test_account_finds_what_is_missing(delivered: int, received: int, expected: str) -> None:
    queue = QueueState("forum", depth=1, ledger=Ledger(accepted=10, delivered=delivered, state=LedgerState.BALANCED))
    final = account(fleet(queue), {"forum": {"accepted": 10}}, {"distinct": received})
    assert expected in final.text
    assert final.balanced is (expected == "✓ it adds up")
