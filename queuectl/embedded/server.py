"""Start the embedded server, or join the one that runs on the same data directory."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from queuectl.embedded.binary import find_binary
from queuectl.embedded.paths import Files, make_private, place_socket, unusable
from queuectl.model import ServerError

START_S = 20.0
"""How long a server may take until its socket answers; reading its data back may take longer."""
STOP_S = 60.0
POLL_S = 0.01
LOG_LINES = 8

OPTIONS = (
    ("daemonize", "yes"),
    ("port", "0"),
    ("unixsocketperm", "700"),
    ("appendonly", "yes"),
    ("appendfsync", "everysec"),
    ("aof-load-truncated", "yes"),
    ("save", ""),
    ("maxmemory-policy", "noeviction"),
    # hash-max-listpack-value by the name that Redis 6, Redis 7 and Valkey all know.
    ("hash-max-ziplist-value", "1024"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running embedded server. `started` is False when it was running already."""

    url: str
    pid: int
    started: bool
    data_dir: Path

    def stop(self) -> None:
        """Save everything and end the server, for everyone who uses it; returns when it is gone.

        The append-only file is complete when the server leaves, so no second copy is written.
        Raises ServerError when it does not leave within a minute.
        """
        files = Files(self.data_dir)
        path = files.socket()
        if path is None or not _alive(files):
            return
        with _client(path) as client:
            try:
                client.shutdown()
            except redis.RedisError as error:
                if _alive(files):
                    raise ServerError(f"the embedded server did not stop: {error}") from error
        _await_end(files)


def running(data_dir: Path) -> Embedded | None:
    """The server that runs on `data_dir`, or None. Creates nothing. Waits for one that is still starting.

    Raises ServerError when it runs but does not answer.
    """
    return _join(Files(data_dir.absolute()), started=False)


def start(data_dir: Path, *, binary: Path | None = None) -> Embedded:
    """Join the server on `data_dir`, else start one and wait until it answers.

    After a crash the data is read back from the append-only file; a write cut off at its end is dropped.
    Raises ServerError with the server's last words when it does not come up.
    """
    files = Files(data_dir.absolute())
    found = _join(files, started=False)
    if found:
        return found
    make_private(files.data_dir)
    with _locked(files.start_lock):
        found = _join(files, started=False)
        if found:
            return found
        _launch(files, binary or find_binary())
        found = _join(files, started=True)
    if found:
        return found
    raise ServerError(f"the embedded server ended while starting; its last words:\n{_last_words(files)}")


def _launch(files: Files, binary: Path) -> None:
    """Run the server; it detaches itself. Its lock is inherited, so it falls when the last of its processes ends."""
    path = place_socket(files.data_dir)
    files.name_socket(path)
    files.log.unlink(missing_ok=True)
    options = (*OPTIONS, ("unixsocket", str(path)), ("dir", str(files.data_dir)), ("pidfile", str(files.pid)),
               ("logfile", str(files.log)))  # fmt: skip
    command = [str(binary), *(word for name, value in options for word in (f"--{name}", value))]
    with files.alive_lock.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                errors="replace", timeout=START_S, check=False, pass_fds=(lock.fileno(),),
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ServerError(f"cannot run {binary}: {error}") from error
    if result.returncode:
        raise ServerError(f"{binary} did not start:\n{result.stdout.strip() or _last_words(files)}")


def _join(files: Files, *, started: bool) -> Embedded | None:
    """Wait until the server answers or is gone."""
    deadline_s = time.monotonic() + START_S
    trouble: Exception | None = None
    while time.monotonic() < deadline_s:
        path = files.socket()
        if path is None or not _alive(files):
            return None
        try:
            with _client(path) as client:
                pid = int(client.info("server")["process_id"])
            return Embedded(f"unix://{quote(str(path))}", pid, started, files.data_dir)
        except redis.BusyLoadingError:
            deadline_s = time.monotonic() + START_S
        except (redis.RedisError, OSError) as error:
            trouble = error
        time.sleep(POLL_S)
    raise ServerError(f"the embedded server in {files.data_dir} runs but does not answer ({trouble}); its last words:\n"
                      f"{_last_words(files)}")  # fmt: skip


def _alive(files: Files) -> bool:
    """A process holds the server's lock. A process number could be another program's by now; a lock cannot."""
    try:
        with files.alive_lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise unusable(files.data_dir, error) from error
    return False


def _await_end(files: Files) -> None:
    deadline_s = time.monotonic() + STOP_S
    while _alive(files):
        if time.monotonic() > deadline_s:
            raise ServerError(f"the embedded server in {files.data_dir} has not ended after {STOP_S:g} s")
        time.sleep(POLL_S)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold `path` exclusively; waits for another process that holds it."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _client(path: Path) -> redis.Redis:
    """Without redis-py's own retries: they would wait for seconds on a socket that nobody serves any more."""
    return redis.Redis(unix_socket_path=os.fspath(path), socket_timeout=5, retry=Retry(NoBackoff(), 0))


def _last_words(files: Files) -> str:
    try:
        lines = files.log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return "(it wrote no log)"
    return "\n".join(lines[-LOG_LINES:])
