"""The load generator against a real server."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from queuectl.demo.scenario import arrivals, load_scenario

SCENARIO = """
summary = "test"
[pools.all]
queues = ["security", "forum"]
[queues.security]
subject = "Code {{ code }}"
text = "Hello {{ name }}"
phases = [{ per_s = 50 }]
[queues.forum]
subject = "Topic {{ number }}"
text = "Hello {{ name }}"
phases = [{ per_s = 900 }]
"""


@pytest.fixture
def scenario_file(tmp_path: Path) -> str:
    path = tmp_path / "load.toml"
    path.write_text(SCENARIO)
    return str(path)


@pytest.fixture
def generator(redis_url: str, scenario_file: str) -> Iterator[subprocess.Popen[str]]:
    process = started(redis_url, scenario_file)
    yield process
    process.kill()
    process.communicate()


def started(url: str, scenario: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "queuectl.demo.load", "--url", url, "--scenario", scenario, *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def totals(process: subprocess.Popen[str], signal_number: int | None = None) -> dict[str, dict[str, int]]:
    if signal_number:
        process.send_signal(signal_number)
        assert process.stdout
        output = process.stdout.readline()
        process.communicate()
    else:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    sent: dict[str, Any] = json.loads(output)["sent"]
    return sent


def accepted(redis: Redis, queue: str) -> int:
    return int(redis.hget(f"queuectl:ledger:{queue}", "accepted") or 0)


def test_its_totals_are_what_the_server_counted(generator: subprocess.Popen[str], redis: Redis) -> None:
    assert redis.blpop(["rq:queue:security"], timeout=60)
    assert redis.blpop(["rq:queue:forum"], timeout=60)
    sent = totals(generator, signal.SIGTERM)
    assert sent == {queue: {"accepted": accepted(redis, queue)} for queue in ("security", "forum")}


def test_it_ends_when_its_parent_leaves(generator: subprocess.Popen[str], redis: Redis) -> None:
    assert redis.blpop(["rq:queue:forum"], timeout=60)
    assert totals(generator)["forum"]["accepted"] == accepted(redis, "forum")


def test_it_keeps_its_schedule_when_the_server_stalls(redis_url: str, redis: Redis, scenario_file: str) -> None:
    process = started(redis_url, scenario_file, "--for", "1.2")
    assert redis.blpop(["rq:queue:forum"], timeout=60)
    redis.client_pause(700, all=False)
    process.wait(timeout=60)
    scenario = load_scenario(scenario_file)
    assert totals(process) == {
        queue: {"accepted": arrivals(scenario, queue, 0, 1.2)} for queue in ("security", "forum")
    }


def test_a_server_that_goes_away_leaves_messages_in_doubt(own_server, scenario_file: str) -> None:
    server = own_server()
    process = started(server.url, scenario_file)
    with Redis.from_url(server.url) as client:
        assert client.blpop(["rq:queue:forum"], timeout=60)
    server.kill()
    server.start()
    with Redis.from_url(server.url) as client:
        client.delete("rq:queue:forum")
        assert client.blpop(["rq:queue:forum"], timeout=60), "it goes on when the server is back"
        sent = totals(process, signal.SIGTERM)["forum"]
        least, most = sent["accepted"], sent["accepted"] + sent.get("in_doubt", 0)
        assert least <= accepted(client, "forum") <= most
