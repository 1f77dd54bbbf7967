"""Run workers: in this process until the queues are empty, or as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redis import Redis

from queuectl.settings import Settings
from queuectl.worker.main import run

SAMPLE_JOBS = Path(__file__).parents[1] / "rqcompat"
PROGRAM = """
import json, os, sys
from queuectl.settings import Settings
from queuectl.worker.main import run
options = json.loads(sys.argv[1])
sys.exit(run(Settings.model_validate(options.pop("settings")), environ=os.environ, **options))
"""


def mail_settings(port: int | None = None, **sections: Any) -> dict[str, Any]:
    """Settings for an SMTP server on loopback, or for the null transport."""
    provider: dict[str, Any] = {"transport": "null"}
    if port is not None:
        provider = {"host": "127.0.0.1", "port": port, "connections": 250}
    return {"providers": {"default": provider}, **sections}


def burst(url: str, *queues: str, settings: dict[str, Any] | None = None, concurrency: int = 10, **options: Any) -> int:
    """Work the queues empty, here."""
    return run(
        Settings.model_validate(settings or mail_settings()),
        url=url,
        queues=queues,
        concurrency=concurrency,
        burst=True,
        environ=os.environ,
        **options,
    )


def until(condition: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    """Poll until `condition` holds; what happens in another process has no event to wait for."""
    limit_s = time.monotonic() + timeout_s
    while time.monotonic() < limit_s:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout_s} s: {condition}")


class WorkerProcess:
    """One `queuectl worker` process."""

    def __init__(self, url: str, queues: Sequence[str], settings: dict[str, Any], **options: Any) -> None:
        wanted = {
            "url": url,
            "queues": list(queues),
            "concurrency": 10,
            "burst": False,
            "settings": settings,
            **options,
        }
        environ = {**os.environ, "PYTHONPATH": str(SAMPLE_JOBS)}
        self.name = wanted.setdefault("name", f"worker-{os.getpid()}-{time.monotonic_ns()}")
        self._redis = Redis.from_url(url)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(wanted)], env=environ, stderr=subprocess.PIPE, text=True
        )

    def ready(self) -> WorkerProcess:
        """Wait until it has registered."""
        until(lambda: self._redis.sismember("rq:workers", f"rq:worker:{self.name}") or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.stderr.read() if self.process.stderr else ""
        return self

    def logged(self, text: str) -> None:
        """Wait until a line of its log holds `text`."""
        assert self.process.stderr is not None
        while text not in self.process.stderr.readline():
            assert self.process.poll() is None

    def in_flight(self) -> int:
        return int(self._redis.scard(f"rq:worker:{self.name}:executions"))

    def field(self, name: str) -> str:
        return (self._redis.hget(f"rq:worker:{self.name}", name) or b"").decode()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Wait for its end: exit code and log."""
        _, log = self.process.communicate(timeout=60)
        self._redis.close()
        return self.process.returncode, log

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.end()
