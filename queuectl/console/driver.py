"""A terminal driver that survives an SSH session: bad bytes, a terminal that goes away, a reader that stops."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Any

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.drivers.linux_inline_driver import LinuxInlineDriver
from textual.events import CursorPosition

from queuectl.console.thrift import thrifty
from queuectl.console.words import to_ascii

SELECT_S = 0.1


class _SteadyInput(Driver):
    """Reads keys: bytes that are not UTF-8 are dropped, and the end of the terminal is noticed."""

    fileno: int
    exit_event: Event
    on_hangup: Callable[[], None] | None = None
    """Called once, from the input thread, when the terminal is gone."""

    def run_input_thread(self) -> None:
        """Read keys until told to stop, or until there is no terminal to read from."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="ignore").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(SELECT_S) and not self._read(parser, decode):
                    self._hang_up()
                    break
                self._dispatch(parser.tick())
        self._finish(parser)

    def _read(self, parser: XTermParser, decode: Callable[[bytes], str]) -> bool:
        """False at the end of the terminal: nothing to read, or an error such as EIO."""
        try:
            data = os.read(self.fileno, 4096)
        except OSError:
            return False
        if data and (text := decode(data)):
            self._dispatch(parser.feed(text))
        return bool(data)

    def _dispatch(self, messages: Any) -> None:
        for message in messages:
            self.process_message(message)

    def _finish(self, parser: XTermParser) -> None:
        try:
            self._dispatch(parser.feed(""))
        except (EOFError, ParseError):
            return

    def _hang_up(self) -> None:
        if self.on_hangup is not None:
            self.on_hangup()


class SteadyDriver(_SteadyInput, LinuxDriver):
    """Textual's Linux driver, steadier."""

    ascii_only = False

    @property
    def backlog(self) -> int:
        """Writes the terminal has not taken yet; Textual blocks its event loop at 30."""
        return self._writer_thread._queue.qsize() if self._writer_thread else 0

    @property
    def _writing(self) -> bool:
        return self._writer_thread is not None and self._writer_thread.is_alive()

    def write(self, data: str) -> None:
        """A write to a terminal that is gone would wait for ever: it is dropped."""
        if self._writing:
            super().write(thrifty(to_ascii(data) if self.ascii_only else data))

    def close(self) -> None:
        if self._writing:
            super().close()


class SteadyInlineDriver(_SteadyInput, LinuxInlineDriver):
    """The one that draws under the prompt."""

    ascii_only = False

    def write(self, data: str) -> None:
        """A terminal that is gone takes nothing any more."""
        with suppress(OSError):
            super().write(to_ascii(data) if self.ascii_only else data)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()  # type: ignore[no-untyped-call]

    def _dispatch(self, messages: Any) -> None:
        for message in messages:
            if isinstance(message, CursorPosition):
                self.cursor_origin = (message.x, message.y)
            else:
                self.process_message(message)
