"""Serves /metrics, /healthz and /readyz over plain HTTP; answers GET and HEAD, one request a connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from queuectl.daemon.metrics import CONTENT_TYPE, Observation, exposition

LOG = logging.getLogger("queuectl.daemon")
LOOPBACK = "127.0.0.1"
REQUEST_S = 5.0
"""Longest time a client may take to ask and to read the answer."""
REQUEST_BYTES = 8192
PLAIN = "text/plain; charset=utf-8"


@contextlib.asynccontextmanager
async def serving(address: str, observe: Callable[[], Observation]) -> AsyncIterator[tuple[str, int] | None]:
    """Serve while the block runs; yields host and port, or None when `address` is empty or cannot be had.

    `address` is "host:port" or the port alone, which listens for this machine only. A port that is taken is logged:
    the daemon's own work matters more than being watched.
    """
    server = await _listen(address, observe) if address else None
    if server is None:
        yield None
        return
    host, port = server.sockets[0].getsockname()[:2]
    LOG.info("metrics on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, port)
    try:
        yield host, port
    finally:
        server.close()


async def _listen(address: str, observe: Callable[[], Observation]) -> asyncio.Server | None:
    host, _, port = address.rpartition(":")
    answer = _Answering(observe)
    try:
        return await asyncio.start_server(answer, host.strip("[]") or LOOPBACK, int(port), limit=REQUEST_BYTES)
    except (OSError, OverflowError) as error:
        LOG.error("metrics cannot be served on %s: %s", address, error)
        return None


class _Answering:
    """Answers one connection."""

    def __init__(self, observe: Callable[[], Observation]) -> None:
        self._observe = observe

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _response("400 Bad Request", "not HTTP/1\n")
        method, target, _ = words
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "GET only\n")
        status, body, kind = self._page(target.partition("?")[0])
        return _response(status, body, kind, head_only=method == "HEAD")

    def _page(self, path: str) -> tuple[str, str, str]:
        seen = self._observe()
        match path:
            case "/metrics":
                return "200 OK", exposition(seen), CONTENT_TYPE
            case "/healthz":
                return "200 OK", "alive\n", PLAIN
            case "/readyz" if seen.ready:
                return "200 OK", f"ready, {'leading' if seen.leading else 'standing by'}\n", PLAIN
            case "/readyz":
                return "503 Service Unavailable", "no fresh picture of the server\n", PLAIN
            case _:
                return "404 Not Found", "/metrics, /healthz and /readyz are here\n", PLAIN


def _response(status: str, body: str, kind: str = PLAIN, *, head_only: bool = False) -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    return head.encode() + (b"" if head_only else content)
