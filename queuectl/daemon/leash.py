"""Start a command that ends with its parent: `python leash.py PARENT_PID COMMAND…`; PARENT_PID 0: it does not.

On Linux the command gets SIGTERM when its parent is gone, even by kill -9. Elsewhere it outlives the parent, and the
next daemon on this host adopts it. Run as a file and importing nothing of queuectl, so that it costs milliseconds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def main(parent: int, command: Sequence[str]) -> None:
    """Become `command`; never returns."""
    if parent and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(0)
    try:
        os.execvp(command[0], list(command))  # noqa: S606
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
