"""An SMTP server that takes a while for each message without holding up the others; offers PIPELINING.

Run as `python -m tests.bench.slow_sink LATENCY_MS`: prints its port, and the number of messages it took when its
standard input ends. It looks at no more than a bench needs: commands in order, a message up to its final dot.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

HELLO = b"250-slow.invalid\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
END = b"\r\n.\r\n"
ANSWERS = {b"EHLO": HELLO, b"QUIT": b"221 bye\r\n", b"DATA": b"354 go\r\n"}


class Conversation(asyncio.Protocol):
    """One connection."""

    taken = 0

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._buffer = bytearray()
        self._in_data = False
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._say(b"220 slow.invalid\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def _go_on(self) -> None:
        while not self._waiting and (self._message() if self._in_data else self._command()):
            pass

    def _command(self) -> bool:
        line, newline, rest = self._buffer.partition(b"\r\n")
        if not newline:
            return False
        self._buffer = rest
        verb = bytes(line[:4]).upper()
        self._say(ANSWERS.get(verb, b"250 ok\r\n"))
        self._in_data = verb == b"DATA"
        if verb == b"QUIT":
            self._transport.close()
        return True

    def _message(self) -> bool:
        end = self._buffer.find(END)
        if end < 0:
            return False
        del self._buffer[: end + len(END)]
        self._in_data = False
        self._waiting = True
        asyncio.get_running_loop().call_later(self._latency_s, self._answer)
        return False

    def _answer(self) -> None:
        Conversation.taken += 1
        self._waiting = False
        self._say(b"250 ok\r\n")
        self._go_on()

    def _say(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def main() -> None:
    loop = asyncio.get_running_loop()
    latency_s = float(sys.argv[1]) / 1000
    server = await loop.create_server(lambda: Conversation(latency_s), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    with contextlib.suppress(BrokenPipeError):
        print(Conversation.taken, flush=True)


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())
