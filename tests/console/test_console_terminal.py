"""The console as a process on a real pseudo-terminal: signals, bad bytes, a terminal that goes away."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from queuectl.console.run import speaks_utf8
from queuectl.console.words import to_ascii

SCRIPT = Path(__file__).with_name("console_on_a_terminal.py")
ENTER_SCREEN, LEAVE_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
PATIENCE_S = 30.0


class Terminal:
    """A pseudo-terminal with the console on it."""

    def __init__(self, home: Path, *, command: tuple[str, ...] = (str(SCRIPT),), **environ: str) -> None:
        self.fd, other = pty.openpty()
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(other)
        self.seen = b""
        clean = {
            name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "LC_ALL", "QUEUECTL_ASCII")
        }
        env = {
            **clean,
            "HOME": str(home),
            "XDG_STATE_HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join((str(SCRIPT.parent), *sys.path)),
            **environ,
        }
        self.process = subprocess.Popen(
            [sys.executable, *command], stdin=other, stdout=other, stderr=other, env=env, start_new_session=True
        )
        self.other: int | None = other

    def until(self, expected: bytes) -> None:
        """Read until this was written."""
        end = time.monotonic() + PATIENCE_S
        while expected not in self.seen:
            assert time.monotonic() < end, self.seen[-2000:]
            self.read(0.2)

    def read(self, patience_s: float) -> bool:
        """False at the end of what the process writes."""
        if not select.select([self.fd], [], [], patience_s)[0]:
            return True
        try:
            data = os.read(self.fd, 65_536)
        except OSError as error:
            assert error.errno == errno.EIO
            return False
        self.seen += data
        return bool(data)

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def wait(self) -> int:
        """The exit code; what is written until then is read, so that nothing blocks."""
        end = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, "the console did not leave"
            self.read(0.05)
        while select.select([self.fd], [], [], 0)[0] and self.read(0):
            pass
        return self.process.returncode

    def hang_up(self) -> None:
        """Take the terminal away; nobody sends SIGHUP, as it is not the process's controlling terminal."""
        assert self.other is not None
        os.close(self.other)
        os.close(self.fd)
        self.other, self.fd = None, -1

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for fd in (self.fd, self.other):
            if fd is not None and fd >= 0:
                os.close(fd)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    one = Terminal(home)
    yield one
    one.close()


def started(one: Terminal) -> Terminal:
    one.until(b"forum")
    return one


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_cleanly_with_the_terminal_restored(
    terminal: Terminal, home: Path, number: signal.Signals
) -> None:
    started(terminal)
    terminal.process.send_signal(number)
    assert terminal.wait() == 128 + number
    assert terminal.seen.rindex(LEAVE_SCREEN) > terminal.seen.rindex(ENTER_SCREEN)
    assert (home / "link-closed").exists()
    assert b"\x1b[?1000l" in terminal.seen
    assert termios.tcgetattr(terminal.other)[3] == terminal.before[3]


def test_bytes_that_are_not_utf8_are_dropped(terminal: Terminal) -> None:
    started(terminal)
    terminal.send(b"\xff\xfe\xc3\x28\x80j")
    terminal.send(b"?")
    terminal.until(b"turn shedding of stale")
    terminal.seen = b""
    terminal.send(b"\xe9q")
    terminal.until(b"payment")
    terminal.send(b"q")
    assert terminal.wait() == 0


def test_q_quits_with_0_and_a_clean_terminal(terminal: Terminal) -> None:
    started(terminal)
    terminal.send(b"q")
    assert terminal.wait() == 0
    assert terminal.seen.rindex(LEAVE_SCREEN) > terminal.seen.rindex(ENTER_SCREEN)


@pytest.mark.parametrize("ignore_hup", ["", "1"])
def test_a_terminal_that_goes_away_ends_the_console(home: Path, ignore_hup: str) -> None:
    one = started(Terminal(home, TEST_IGNORE_HUP=ignore_hup))
    one.hang_up()
    try:
        assert one.process.wait(PATIENCE_S) == 128 + signal.SIGHUP
        assert (home / "link-closed").exists()
    finally:
        one.close()


def test_a_reader_that_stopped_does_not_keep_the_console_from_leaving(home: Path) -> None:
    """Nobody reads: writes block the event loop, and a SIGTERM still ends the process."""
    one = started(Terminal(home))
    try:
        for _ in range(400):
            one.send(b"t")
            if not select.select([], [one.fd], [], 0)[1]:
                break
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(PATIENCE_S) == 128 + signal.SIGTERM
    finally:
        one.close()


def test_ctrl_z_suspends_and_fg_returns(terminal: Terminal) -> None:
    started(terminal)
    terminal.send(b"\x1a")
    end = time.monotonic() + PATIENCE_S
    while b"T" not in Path(f"/proc/{terminal.process.pid}/stat").read_bytes().split()[2]:
        assert time.monotonic() < end
        terminal.read(0.02)
    assert terminal.seen.rindex(LEAVE_SCREEN) > terminal.seen.rindex(ENTER_SCREEN)
    terminal.seen = b""
    terminal.process.send_signal(signal.SIGCONT)
    terminal.until(ENTER_SCREEN)
    terminal.send(b"q")
    assert terminal.wait() == 0


@pytest.mark.parametrize(("key", "shown"), [(b"s", b"reason"), (b"\x10", b"Search"), (b"t", b"theme")])
def test_ascii_only_sends_nothing_else(home: Path, key: bytes, shown: bytes) -> None:
    one = started(Terminal(home, QUEUECTL_ASCII="1"))
    try:
        one.send(key)
        one.until(shown)
        one.process.send_signal(signal.SIGTERM)
        one.wait()
        assert one.seen.isascii()
    finally:
        one.close()


def test_no_color_sends_no_colour(home: Path) -> None:
    one = started(Terminal(home, NO_COLOR="1"))
    try:
        one.process.send_signal(signal.SIGTERM)
        one.wait()
        assert b"[38;" not in one.seen
        assert b"[48;" not in one.seen
    finally:
        one.close()


def test_what_is_logged_goes_to_a_file(terminal: Terminal, home: Path) -> None:
    started(terminal)
    terminal.send(b"q")
    terminal.wait()
    assert (home / "queuectl" / "console.log").exists()


@pytest.mark.parametrize(
    ("environ", "utf8"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LC_ALL": "C", "LANG": "en_US.UTF-8"}, False),
        ({}, False),
        ({"LC_CTYPE": "C.UTF-8"}, False),
        ({"LC_CTYPE": "UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "en_US.ISO-8859-1"}, False),
        ({"QUEUECTL_ASCII": "1", "LANG": "C.UTF-8"}, False),
        ({"QUEUECTL_ASCII": "0"}, True),
    ],
)
def test_which_logins_get_ascii(environ: dict[str, str], utf8: bool) -> None:
    assert speaks_utf8(environ) is utf8


def test_stand_ins_keep_their_cells() -> None:
    assert to_ascii("╭─│ 🔎 ž") == "+-| /  ?"


# Under the prompt, in a browser, and where nothing can be drawn.


def test_under_the_prompt_it_leaves_its_last_picture(home: Path) -> None:
    one = started(Terminal(home, TEST_INLINE="1"))
    try:
        one.send(b"\xff\xc3d")
        one.send(b"r")
        one.until(b"every 2s")
        one.seen = b""
        one.send(b"q")
        assert one.wait() == 0
        assert b"payment" in one.seen
        assert b"forum" in one.seen
        assert b"\x1b[?25h" in one.seen, "the cursor is back"
        assert ENTER_SCREEN not in one.seen
        assert termios.tcgetattr(one.other)[3] == one.before[3]
        assert (home / "link-closed").exists()
    finally:
        one.close()


def test_under_the_prompt_it_can_only_look(home: Path) -> None:
    one = started(Terminal(home, TEST_INLINE="1"))
    try:
        one.until(b"the whole console")
        one.seen = b""
        one.send(b"d1v?:")
        one.send(b"r")
        one.until(b"every 2s")
        assert b"Cancel" not in one.seen
    finally:
        one.close()


def test_textual_serve_draws_in_a_browser(home: Path) -> None:
    """As textual-serve starts it: no terminal, a driver of its own, packets of type, length and payload."""
    environ = {**os.environ, "HOME": str(home), "XDG_STATE_HOME": str(home), "XDG_CONFIG_HOME": str(home),
               "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver", "COLUMNS": "120", "ROWS": "40",
               "PYTHONPATH": os.pathsep.join((str(SCRIPT.parent), *sys.path))}  # fmt: skip
    process = subprocess.Popen([sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=environ)  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        seen = b""
        while b"forum" not in seen:
            data = os.read(process.stdout.fileno(), 65_536)
            assert data, seen
            seen += data
        process.stdin.write(b"D" + struct.pack(">I", 1) + b"q")
        process.stdin.flush()
        process.stdout.read()
        assert process.wait(PATIENCE_S) == 0
        assert (home / "link-closed").exists()
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_be_drawn_on_is_told_so(home: Path, term: str) -> None:
    one = Terminal(home, command=("-m", "queuectl"), TERM=term)
    try:
        assert one.wait() == 2
        assert f"cannot draw on TERM='{term}'".encode() in one.seen
        assert b"queuectl status" in one.seen
    finally:
        one.close()
