"""BullMQ as a peer: installed with npm into a cache directory, never into the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.bench.world import World

PACKAGES = ("bullmq@6.7.0", "ioredis@6.0.0")
SCRIPTS = Path(__file__).parent / "bullmq"
INSTALL_S = 180


def _directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "queuectl-bench" / "-".join(PACKAGES)


@cache
def trouble() -> str:
    """Why BullMQ cannot be measured here; installs it on first use. Empty when it can."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return "skipped: node and npm are not on PATH"
    directory = _directory()
    if (directory / "installed").exists():
        return ""
    directory.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(directory), *PACKAGES]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"skipped: npm took longer than {INSTALL_S} s"
    except subprocess.CalledProcessError as error:
        return f"skipped: npm could not install it: {error.stderr.strip().splitlines()[-1]}"
    (directory / "installed").touch()
    return ""


def script(name: str, world: World, queue: str, jobs: int) -> list[str]:
    """The command that runs one of our scripts against a world's server."""
    return ["node", str(SCRIPTS / f"{name}.mjs"), str(_directory()), world.socket, queue, str(jobs)]
