"""Where the embedded server's files lie, and who may read them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from queuectl.model import ServerError

LONGEST_SOCKET_PATH_BYTES = 100
"""The kernel takes 107 on Linux and 103 on macOS."""


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """$XDG_DATA_HOME/queuectl or ~/.local/share/queuectl."""
    named = environ.get("XDG_DATA_HOME", "")
    base = Path(named) if named.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".local" / "share"
    return base / "queuectl"


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one data directory."""

    data_dir: Path

    @property
    def start_lock(self) -> Path:
        """Locked by whoever is starting the server."""
        return self.data_dir / "start.lock"

    @property
    def alive_lock(self) -> Path:
        """Locked by the server process itself, through an inherited descriptor: free means that it is gone."""
        return self.data_dir / "server.lock"

    @property
    def address(self) -> Path:
        """Names the socket, which may lie elsewhere."""
        return self.data_dir / "server.address"

    @property
    def pid(self) -> Path:
        return self.data_dir / "server.pid"

    @property
    def log(self) -> Path:
        return self.data_dir / "server.log"

    def socket(self) -> Path | None:
        """The socket of the server that was started last; None when none ever was."""
        try:
            return Path(self.address.read_text("utf-8", "surrogateescape"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unusable(self.data_dir, error) from error

    def name_socket(self, path: Path) -> None:
        self.address.write_text(str(path), "utf-8", "surrogateescape")


def place_socket(data_dir: Path) -> Path:
    """Choose the socket's path: in the data directory, or in a private short one when that path is too long."""
    path = data_dir / "server.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES:
        return path
    name = f"{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}.sock"
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - made private below
        path = Path(base or "/tmp") / f"queuectl-{os.getuid()}" / name  # noqa: S108
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH_BYTES and path.parent.parent.is_dir():
            break
    if path.parent.is_symlink():
        raise ServerError(f"{path.parent} is a link; in a shared directory it could lead anywhere")
    make_private(path.parent)
    return path


def make_private(directory: Path) -> None:
    """Create `directory` with mode 0700. Raises ServerError when it is another user's or cannot be had."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if directory.stat().st_uid != os.getuid():
            raise ServerError(f"{directory} belongs to another user; the embedded server's files must be yours")
        directory.chmod(0o700)
    except OSError as error:
        raise unusable(directory, error) from error


def unusable(directory: Path, error: OSError) -> ServerError:
    """What went wrong, in words."""
    return ServerError(f"cannot use {directory} for the embedded server: {error.strerror or error}")
