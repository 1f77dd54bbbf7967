"""Run the console in this terminal and leave it as it was, however the session ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from queuectl.console.app import ConsoleApp
from queuectl.console.contexts import Contexts
from queuectl.console.driver import SteadyDriver
from queuectl.console.inline import InlineApp
from queuectl.console.link import Link
from queuectl.settings import Settings

LOG_BYTES = 1_000_000
LEAVE_WITHIN_S = 3.0
"""A console that was told to leave, but is blocked on a terminal nobody reads, is ended after this."""


def run(
    link: Link,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    app_type: type[ConsoleApp] = ConsoleApp,
    contexts: Contexts | None = None,
    inline: bool = False,
) -> int:
    """Show the console until the operator leaves; returns the exit code (128 + number after a signal).

    stdin and stdout must be a terminal: the caller checks. Links are closed before this returns. `inline`: under the
    prompt, whose last picture stays.
    """
    _log_to_file(environ)
    app_type = InlineApp if inline else app_type
    app = console_app(link, settings, environ=environ, app_type=app_type, contexts=contexts)
    return asyncio.run(_session(app, mouse=settings.console.mouse and not inline, inline=inline))


def console_app(
    link: Link,
    settings: Settings,
    *,
    environ: Mapping[str, str],
    app_type: type[ConsoleApp] = ConsoleApp,
    contexts: Contexts | None = None,
) -> ConsoleApp:
    """The app as this terminal needs it."""
    ascii_only = settings.console.ascii or not speaks_utf8(environ)
    return app_type(
        link,
        settings,
        ascii_only=ascii_only,
        no_color=bool(environ.get("NO_COLOR")),
        theme_dir=_config_home(environ) / "queuectl" / "themes",
        driver_class=None if environ.get("TEXTUAL_DRIVER") else _driver(ascii_only),
        first_run=_first_run(environ),
        contexts=contexts,
    )


def speaks_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the login's locale is UTF-8; `QUEUECTL_ASCII` set to 1 or 0 settles it.

    Python itself sets LC_CTYPE to C.UTF-8 in a C locale (PEP 538): that value says nothing about the terminal.
    """
    if environ.get("QUEUECTL_ASCII"):
        return environ["QUEUECTL_ASCII"].lower() in ("0", "false", "no", "off")
    ctype = environ.get("LC_CTYPE", "")
    locale = environ.get("LC_ALL") or (ctype if ctype != "C.UTF-8" else "") or environ.get("LANG") or ""
    return "utf" in locale.lower()


async def _session(app: ConsoleApp, *, mouse: bool, inline: bool) -> int:
    leaving = _Leaving(app)
    leaving.listen()
    try:
        await app.run_async(mouse=mouse, inline=inline, inline_no_clear=inline)
    finally:
        leaving.done()
        await app.contexts.close()
    return app.return_code or 0


class _Leaving:
    """Signals and the end of the terminal make the app exit; if it cannot, the process ends all the same."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._timer: threading.Timer | None = None
        self._before: dict[signal.Signals, Any] = {}

    def listen(self) -> None:
        """`signal.signal`, not the loop's own handlers: they run even while a write to the terminal blocks the loop."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._before[number] = signal.signal(number, lambda got, _frame: self.leave(128 + got))
        driver = self._app.driver_class
        if issubclass(driver, SteadyDriver):
            driver.on_hangup = staticmethod(lambda: self.leave(128 + signal.SIGHUP))

    def leave(self, code: int) -> None:
        """From a signal handler or the input thread; the first call counts."""
        if self._timer is None:
            self._timer = threading.Timer(LEAVE_WITHIN_S, os._exit, (code,))
            self._timer.daemon = True
            self._timer.start()
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(lambda: self._app.exit(return_code=code))

    def done(self) -> None:
        """The app has left by itself: closing the link may take its time, and a second signal is not ours."""
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _driver(ascii_only: bool) -> type[SteadyDriver]:
    return type("ConsoleDriver", (SteadyDriver,), {"ascii_only": ascii_only})


def _config_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".config")


def _state_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")


def _first_run(environ: Mapping[str, str]) -> bool:
    """Whether no console was opened by this user before; remembered in a file, where one can be written."""
    seen = _state_home(environ) / "queuectl" / "console-seen"
    if seen.exists():
        return False
    with suppress(OSError):
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.touch()
    return True


def _log_to_file(environ: Mapping[str, str]) -> None:
    """Textual draws on stderr: whatever is logged there would end up in the picture."""
    home = _state_home(environ)
    handler: logging.Handler = logging.NullHandler()
    with suppress(OSError):
        (home / "queuectl").mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            home / "queuectl" / "console.log", maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
        )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    for old in [old for old in root.handlers if getattr(old, "stream", None) in (sys.stderr, sys.stdout)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
