"""The demo's SMTP server, spoken to by the standard library's client."""

from __future__ import annotations

import json
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

SPAWN_AND_DIE = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "queuectl.demo.sink"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
sys.stdin.readline()
os._exit(9)
"""


@dataclass
class Running:
    process: subprocess.Popen[str]
    port: int
    control_port: int

    def counts(self) -> dict[str, int]:
        with socket.create_connection(("127.0.0.1", self.control_port)) as control, control.makefile() as lines:
            return json.loads(lines.read())

    def leave(self) -> dict[str, int]:
        output, _ = self.process.communicate(timeout=30)
        assert self.process.returncode == 0
        return json.loads(output.splitlines()[-1])


@pytest.fixture
def sink() -> Iterator[Callable[..., Running]]:
    processes: list[subprocess.Popen[str]] = []

    def start(*options: Any) -> Running:
        command = [sys.executable, "-m", "queuectl.demo.sink", *map(str, options)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout
        ports = json.loads(process.stdout.readline())
        return Running(process, ports["port"], ports["control_port"])

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def send(client: smtplib.SMTP, message_id: str) -> int:
    """The reply's code to one message."""
    text = f"Subject: hello\r\nMessage-ID: {message_id}\r\n\r\nMessage-ID: <in.the.body@example>\r\n.dot\r\n"
    try:
        assert client.sendmail("shop@shop.example", ["ana@mail.example"], text) == {}
    except smtplib.SMTPDataError as error:
        return error.smtp_code
    return 250


def test_it_counts_messages_and_duplicates(sink: Callable[..., Running]) -> None:
    running = sink()
    with smtplib.SMTP("127.0.0.1", running.port) as client:
        assert [send(client, name) for name in ("<1@x>", "<2@x>", "<1@x>")] == [250] * 3
        assert client.has_extn("PIPELINING")
        client.sendmail("shop@shop.example", ["ana@mail.example"], "Subject: no id\r\n\r\nhello")
    expected = {"accepted": 4, "distinct": 2, "duplicates": 1, "transient": 0, "permanent": 0, "unnamed": 1}
    assert running.counts() == running.counts() == expected
    assert running.leave() == expected


def test_commands_sent_ahead_are_answered_in_order(sink: Callable[..., Running]) -> None:
    with socket.create_connection(("127.0.0.1", sink().port)) as raw, raw.makefile("rwb") as line:
        assert line.readline().startswith(b"220")
        line.write(b"EHLO me\r\n")
        line.flush()
        while line.readline()[3:4] == b"-":
            pass
        line.write(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\n")
        line.flush()
        assert [line.readline()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        line.write(b"Message-ID: <1@x>\r\n\r\nhi\r\n.\r\nQUIT\r\n")
        line.flush()
        assert [line.readline()[:3] for _ in range(2)] == [b"250", b"221"]


def test_permanent_refusals_stay_and_transient_ones_do_not(sink: Callable[..., Running]) -> None:
    options = ("--transient", 0.5, "--permanent", 0.2, "--seed", 1)
    names = [f"<{number}@x>" for number in range(60)]
    running = sink(*options)
    with smtplib.SMTP("127.0.0.1", running.port) as client:
        first = [send(client, name) for name in names]
        again = {name: code for name, code in zip(names, first, strict=True) if code == 451}
        while any(code == 451 for code in again.values()):
            again = {name: send(client, name) if code == 451 else code for name, code in again.items()}
        refused = [name for name, code in zip(names, first, strict=True) if code == 550]
        assert {send(client, name) for name in refused} == {550}
    assert set(first) == {250, 451, 550}
    assert set(again.values()) == {250}, "a permanent fate shows at the first attempt"
    counts = running.counts()
    assert counts["distinct"] == counts["accepted"] == len(names) - len(refused)
    assert counts["permanent"] == 2 * len(refused)
    assert counts["transient"] >= first.count(451)
    with smtplib.SMTP("127.0.0.1", sink(*options).port) as client:
        assert [send(client, name) for name in names] == first, "the same seed, the same fate"


def test_messages_take_their_latency_side_by_side(sink: Callable[..., Running]) -> None:
    running = sink("--latency-ms", 60_000)
    with socket.create_connection(("127.0.0.1", running.port)) as slow, slow.makefile("rwb") as line:
        line.write(b"HELO me\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@x.example>\r\nDATA\r\nhi\r\n.\r\n")
        line.flush()
        assert [line.readline()[:3] for _ in range(5)] == [b"220", b"250", b"250", b"250", b"354"]
        with smtplib.SMTP("127.0.0.1", running.port) as other:
            assert other.noop()[0] == 250
        assert running.counts()["accepted"] == 0
        running.process.send_signal(signal.SIGTERM)
        assert running.leave()["accepted"] == 0


def test_it_ends_with_its_parent_however_that_dies() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", SPAWN_AND_DIE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert parent.stdout
    assert parent.stdout.readline() == b"ready\n"
    # The sink inherited the error stream: its end is reached only when the sink is gone, too.
    _, errors = parent.communicate(b"die\n", timeout=60)
    assert parent.returncode == 9
    assert errors == b""
