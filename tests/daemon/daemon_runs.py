"""Run daemons: their duties in this process, or whole ones as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from queuectl.daemon.duties import Duties
from queuectl.daemon.trouble import Trouble
from queuectl.model import Action, FleetState, Outcome
from queuectl.settings import Settings
from queuectl.store import lease
from queuectl.store.client import AsyncStore
from queuectl.store.gate import Gate
from queuectl.store.reader import Reader

PROGRAM = """
import json, os, sys
from pathlib import Path
from pydantic import ValidationError
from queuectl.daemon.main import run
from queuectl.model import UsageError
from queuectl.settings import Settings

def load():
    try:
        return Settings.model_validate_json(Path(sys.argv[1]).read_text())
    except ValidationError as error:
        raise UsageError(f"bad settings: {error}")

sys.exit(run(load, environ=os.environ, **json.loads(sys.argv[2])))
"""
WORKER_SETTINGS = {"QUEUECTL_PROVIDERS__DEFAULT__TRANSPORT": "null"}


@dataclass
class Leader:
    """The duties of a leading daemon, one second at a time."""

    store: AsyncStore
    settings: Settings
    fence: str
    duties: Duties
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.settings)

    @classmethod
    async def elected(cls, store: AsyncStore, settings: Settings) -> Leader:
        held = await store.run(lease.hold("test:1", "test", ""))
        assert held.held
        return cls(store, settings, held.fence, Duties(store, "test:1", held.fence, Trouble()))

    async def picture(self) -> FleetState:
        return await self.store.run(self.reader.fleet())

    async def tick(self) -> None:
        await self.duties.carry_out(await self.picture(), self.settings)

    async def act(self, action: Action) -> Outcome:
        """What an operator does."""
        gate = Gate(self.settings, "ana@test")
        preview = await self.store.run(gate.preview(action))
        return await self.store.run(gate.commit(preview, reason="test", typed=preview.confirm_word))


class DaemonProcess:
    """One daemon process. Its standard input and output are pipes, its log is kept."""

    def __init__(self, url: str, settings: Path, *, environ: dict[str, str] | None = None, **options: bool) -> None:
        self.settings = settings
        self._log_path = settings.with_suffix(".log")
        with self._log_path.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(settings), json.dumps({"url": url, **options})],
                env={**os.environ, **WORKER_SETTINGS, **(environ or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log_path.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")

    def hear(self) -> Any:
        """The next line of its standard output."""
        assert self.process.stdout
        assert select.select([self.process.stdout], [], [], 30)[0], self.log
        return json.loads(self.process.stdout.readline())

    def end(self, timeout_s: float = 45.0) -> int:
        """Wait for its end: the exit code."""
        try:
            return self.process.wait(timeout_s)
        finally:
            self._close()

    def stop(self) -> int:
        """SIGTERM, and wait."""
        self.send(signal.SIGTERM)
        return self.end()

    def clear_up(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def children_of(pid: int) -> list[int]:
    """Child processes now."""
    listed = subprocess.run(["ps", "-ax", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]
