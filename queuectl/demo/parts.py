"""The demo's processes: SMTP server, daemon (which runs the workers) and load generator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from queuectl.demo.scenario import Scenario
from queuectl.model import QueuectlError
from queuectl.settings import Settings

LEAVE_S = 45.0
"""A daemon waits 30 s for its workers' grace before it leaves."""


class Parts:
    """Children that end with us: each holds the other end of a pipe."""

    def __init__(self, folder: Path, url: str, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._url = url
        self._environ = {**environ, "QUEUECTL_URL": url, "QUEUECTL_CONFIG": str(folder / "queuectl.toml")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, plan: Scenario, scenario: str, base: Settings, *, for_s: float | None) -> Settings:
        """Start everything; returns the settings that the deployment runs with."""
        sink = plan.sink
        self._spawn(
            "sink", "-m", "queuectl.demo.sink", "--latency-ms", str(sink.latency_ms), "--transient",
            str(sink.transient), "--permanent", str(sink.permanent), "--seed", str(plan.seed),
        )  # fmt: skip
        settings = plan.settings(base, int(self._first_line("sink")["port"]))
        (self._folder / "queuectl.toml").write_text(as_toml(settings), "utf-8")
        self._spawn("daemon", "-m", "queuectl", "daemon", "--child")
        until = ["--for", str(for_s)] if for_s is not None else []
        self._spawn("load", "-m", "queuectl.demo.load", "--url", self._url, "--scenario", scenario, *until)
        return settings

    def check(self) -> None:
        """Raises QueuectlError when a part has ended by itself, with its last words."""
        for name in ("sink", "daemon"):
            process = self._running.get(name)
            if process and process.poll() is not None:
                raise QueuectlError(f"the demo's {name} ended:\n{self._last_words(name)}")

    def stop_load(self) -> dict[str, dict[str, int]]:
        """What was sent: verdicts a queue."""
        return dict(self._end("load", LEAVE_S).get("sent", {}))

    def stop_workers(self) -> None:
        """The daemon stops its workers, which finish what is in flight."""
        self._end("daemon", LEAVE_S)

    def stop_sink(self) -> dict[str, int]:
        """What the SMTP server received."""
        return dict(self._end("sink", LEAVE_S))

    def stop(self) -> None:
        """End whatever still runs."""
        for name in ("load", "daemon", "sink"):
            self._end(name, LEAVE_S)

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if name != "daemon" else log,
                stderr=log,
                env=self._environ,
                start_new_session=True,
            )

    def _first_line(self, name: str) -> dict[str, Any]:
        output = self._running[name].stdout
        line = output.readline() if output else b""
        if not line:
            raise QueuectlError(f"the demo's {name} did not start:\n{self._last_words(name)}")
        return dict(json.loads(line))

    def _end(self, name: str, within_s: float) -> dict[str, Any]:
        """Close its standard input, wait, and read its last line."""
        process = self._running.pop(name, None)
        if process is None:
            return {}
        try:
            said, _ = process.communicate(timeout=within_s)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            raise
        finally:
            with suppress(OSError):
                if process.stdin:
                    process.stdin.close()
        lines = (said or b"").split(b"\n")
        return dict(json.loads(lines[-2])) if len(lines) > 1 and lines[-2].startswith(b"{") else {}

    def _last_words(self, name: str) -> str:
        with suppress(OSError):
            return os.linesep.join((self._folder / f"{name}.log").read_text("utf-8", "replace").splitlines()[-8:])
        return ""


def as_toml(settings: Settings) -> str:
    """The settings as a file that `settings.load` reads back. Only what is not default."""
    dumped = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    dumped.pop("server", None)
    return "\n".join(_tables("", dumped)) + "\n"


def _tables(prefix: str, table: Mapping[str, Any]) -> list[str]:
    plain = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    lines = [f"[{prefix}]", *plain] if prefix and plain else plain
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _tables(f"{prefix}.{json.dumps(key)}" if prefix else json.dumps(key), value)
    return lines
