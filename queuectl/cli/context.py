"""What a command needs of the world: its arguments, the settings, and where the server is."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from queuectl.console.glyphs import Glyphs, glyphs
from queuectl.model import ServerError, UsageError
from queuectl.settings import EnvironmentSettings, Loaded, Settings, load

if TYPE_CHECKING:
    from queuectl.store.client import Store
    from queuectl.store.gate import Gate

NO_SERVER = "no server: start one with `queuectl` or `queuectl demo`, or name one with --url"


@dataclass(frozen=True)
class Context:
    """One run of a command. Settings are read on first use, the server is looked for on first use."""

    args: argparse.Namespace
    environ: Mapping[str, str]

    @cached_property
    def loaded(self) -> Loaded:
        """Raises UsageError naming file, key, value and what is allowed."""
        return self.read_settings()

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    def read_settings(self) -> Loaded:
        """Read the settings anew, with this run's flags on top."""
        flags: dict[str, Any] = {"server.url": self.option("url"), "console.theme": self.option("theme")}
        if self.option("no_mouse"):
            flags["console.mouse"] = False
        if self.option("read_only"):
            flags["environment.read_only"] = True
        if self.ascii:
            flags["console.ascii"] = True
        loaded = load(config=self.option("config"), flags=flags, environ=self.environ)
        return loaded if self.option("context") is None else self._in_context(loaded, self.option("context"))

    def _in_context(self, loaded: Loaded, name: str) -> Loaded:
        if self.option("url") is not None:
            raise UsageError("--context and --url exclude each other: a context has its own server")
        known = loaded.settings.contexts
        if name not in known:
            there = f"there are: {', '.join(sorted(known))}" if known else "the settings have no [contexts.NAME]"
            raise UsageError(f"no context {name!r}; {there}")
        changed = ("server.url", *(f"environment.{field}" for field in EnvironmentSettings.model_fields))
        origins = {**loaded.origins, **dict.fromkeys(changed, f"--context {name}")}
        return Loaded(loaded.settings.in_context(name), origins)

    def option(self, name: str) -> Any:
        """A global option; None when it was not given."""
        return getattr(self.args, name, None)

    @property
    def ascii(self) -> bool:
        return bool(self.option("ascii") or self.environ.get("QUEUECTL_ASCII"))

    @property
    def glyphs(self) -> Glyphs:
        """Signs that standard output can show."""
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        return glyphs(self.ascii or not encoding.startswith("utf"))

    @property
    def data_dir(self) -> Path:
        """Where the embedded server lives."""
        from queuectl import embedded

        named = self.settings.server.data_dir
        return Path(named).expanduser() if named else embedded.default_data_dir(self.environ)

    def url(self) -> str:
        """The server's URL; an embedded server must be running. Raises ServerError when none is."""
        if self.settings.server.url:
            return self.settings.server.url
        from queuectl import embedded

        running = embedded.running(self.data_dir)
        if running is None:
            raise ServerError(NO_SERVER)
        return running.url

    def url_started(self) -> str:
        """The same, but the embedded server is started when nothing else is named."""
        if self.settings.server.url:
            return self.settings.server.url
        from queuectl import embedded

        return embedded.start(self.data_dir).url

    def store(self) -> Store:
        """A connection. Raises ServerError when the server cannot be used."""
        from queuectl.store.connect import open_store

        server = self.settings.server
        return open_store(self.url(), timeout_s=server.timeout_s, overflow_url=server.overflow_url)

    def gate(self) -> Gate:
        from queuectl.store.gate import Gate, operator_name

        return Gate(self.settings, operator_name(self.environ))


def interactive() -> bool:
    """Somebody can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def process_name() -> str:
    """host:pid, as operations name their driver."""
    return f"{os.uname().nodename}:{os.getpid()}"
