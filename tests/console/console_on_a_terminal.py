"""Run the console on the fixed deployment in the terminal this process was given; for the terminal tests."""

import os
import signal
import sys
from pathlib import Path

from console_support import ScriptedLink

from queuectl.console.run import run
from queuectl.settings import Settings


class WitnessedLink(ScriptedLink):
    async def close(self) -> None:
        (Path(os.environ["HOME"]) / "link-closed").touch()


if os.environ.get("TEST_IGNORE_HUP"):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
inline = bool(os.environ.get("TEST_INLINE"))
sys.exit(run(WitnessedLink(), Settings(), environ=os.environ, inline=inline))
