"""A private Valkey or Redis server for a machine that has none: started on first use, shared, kept on disk.

It listens on a unix socket in a directory only its owner may enter, never on a port. It is a daemon of its own and
outlives the process that started it, so that console, daemon, workers and commands share it. To stop it:
`running(data_dir).stop()`, or SIGTERM to the pid in the data directory's `server.pid`; both save everything first.
"""

from queuectl.embedded.binary import find_binary
from queuectl.embedded.paths import default_data_dir
from queuectl.embedded.server import Embedded, running, start

__all__ = ["Embedded", "default_data_dir", "find_binary", "running", "start"]
