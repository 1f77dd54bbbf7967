"""`queuectl daemon`: puts the daemon together, runs it, takes it down."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping

from queuectl.daemon.loop import Daemon, Identity
from queuectl.daemon.metrics_server import serving
from queuectl.daemon.observer import Lines, observe
from queuectl.daemon.parent import Parent
from queuectl.daemon.supervisor import Supervisor
from queuectl.daemon.ticks import Ticks
from queuectl.model import QueuectlError
from queuectl.policy.masking import mask_text
from queuectl.settings import Settings
from queuectl.store.client import AsyncStore
from queuectl.store.connect import open_async_store
from queuectl.store.reader import Reader

LOG = logging.getLogger("queuectl.daemon")


class MaskingFormatter(logging.Formatter):
    """No mail address reaches a log."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(super().format(record))


def run(
    load: Callable[[], Settings],
    *,
    url: str,
    environ: Mapping[str, str],
    child: bool = False,
    observe: bool = False,
) -> int:
    """Run until SIGTERM, SIGINT or (`child`, `observe`) the end of standard input. Returns 0, or 1 after a breakdown.

    `load` is called now and on each SIGHUP. `environ` is what workers are started with. `child`: a console started
    us, and may start its server only later. `observe`: write nothing to the server, print samples, until a line
    `lead` on standard input. Raises ServerError when the server cannot be used at the start (not with `child`).
    """
    _log_to_stderr()
    process = _Process(load, url, environ, child=child, observing=observe)
    return asyncio.run(process.run())


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class _Process:
    """The daemon as a process: signals, standard input, standard output."""

    def __init__(self, load: Callable[[], Settings], url: str, environ: Mapping[str, str], *, child: bool,
                 observing: bool) -> None:  # fmt: skip
        self._load = load
        self._url = url
        self._environ = {**environ, "QUEUECTL_URL": url, "RQ_REDIS_URL": url}
        self._child = child
        self._observing = observing
        self._reader = Reader(load())
        self._stop = asyncio.Event()
        self._parent = Parent()
        self._daemon: Daemon | None = None

    async def run(self) -> int:
        self._watch_signals()
        if self._child or self._observing:
            self._parent.watch()
        server = self._reader.settings.server
        store = await open_async_store(
            self._url, timeout_s=server.timeout_s, check=not self._child, overflow_url=server.overflow_url
        )
        try:
            return await self._serve(store)
        finally:
            await store.close()

    async def _serve(self, store: AsyncStore) -> int:
        tell: Callable[[bool], None] = _say_nothing
        if self._observing:
            lines = Lines()
            await lines.open()
            ends = (self._stop, self._parent.over, lines.closed)
            await observe(store, self._reader, lines, Ticks(*ends, self._parent.lead))
            if any(end.is_set() for end in ends):
                return 0
            tell = lambda leading: lines.put(json.dumps({"leading": leading}))  # noqa: E731
        identity = Identity.own()
        supervisor = Supervisor(identity.host, self._environ)
        self._daemon = Daemon(store, self._reader, identity, supervisor, tell)
        return await self._guarded(self._daemon)

    async def _guarded(self, daemon: Daemon) -> int:
        """Whatever breaks the loop is a bug: say it, leave in order, and let the service manager start us again."""
        code = 0
        try:
            async with serving(self._reader.settings.daemon.metrics, lambda: daemon.observation):
                await daemon.run(Ticks(self._stop, self._parent.over))
        except Exception:
            LOG.exception("the daemon broke")
            code = 1
        await daemon.leave()
        LOG.info("left")
        return code

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop_once)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stop_once(self) -> None:
        """Leave cleanly; a second signal ends the process at once."""
        self._stop.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    def _reload(self) -> None:
        try:
            settings = self._load()
        except QueuectlError as error:
            LOG.error("the settings stay as they were: %s", error)
            return
        LOG.info("settings read anew")
        self._reader.settings = settings
        if self._daemon:
            self._daemon.publish_settings()


def _say_nothing(_: bool) -> None:
    pass
