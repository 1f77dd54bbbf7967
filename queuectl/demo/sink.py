"""An SMTP server on loopback for the demo: really speaks SMTP, takes its time, refuses some mail, counts everything.

Run as `python -m queuectl.demo.sink`. The first line it prints is JSON with its `port` and `control_port`; each
connection to the control port is answered with one line of JSON, the counts, and closed. It ends when its standard
input does (that is, with its parent), or on SIGTERM, and prints the counts as its last line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from hashlib import blake2b

from aiosmtpd.smtp import SMTP, Envelope, Session

from queuectl.demo.children import say, watch_parent

HOST = "127.0.0.1"
ACCEPTED = "250 2.0.0 taken"
TRANSIENT = "451 4.3.0 try again later"
PERMANENT = "550 5.1.1 no such mailbox"
_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the server treats mail: latency in ms before the answer to a message, rates from 0 to 1."""

    latency_ms: float = 0.0
    transient: float = 0.0
    permanent: float = 0.0
    seed: int = 0

    def answer(self, message_id: bytes, attempt: int) -> str:
        """The reply to attempt `attempt` (from 0) of a message: the same in every run. A permanent refusal stays;
        a transient one is drawn anew at each attempt."""
        if self._draw(message_id, "permanent") < self.permanent:
            return PERMANENT
        return TRANSIENT if self._draw(message_id, f"transient {attempt}") < self.transient else ACCEPTED

    def _draw(self, message_id: bytes, what: str) -> float:
        digest = blake2b(message_id, digest_size=8, key=f"{self.seed} {what}".encode()).digest()
        return int.from_bytes(digest, "big") / 2**64


@dataclass(slots=True)
class Counts:
    """Replies given. `distinct` counts Message-IDs accepted, `duplicates` acceptances beyond the first of each."""

    accepted: int = 0
    distinct: int = 0
    duplicates: int = 0
    transient: int = 0
    permanent: int = 0
    unnamed: int = 0
    """Accepted without a Message-ID, so neither distinct nor duplicate."""


@dataclass(slots=True)
class Sink:
    """aiosmtpd's handler: decides the answer to each message and counts it."""

    behaviour: Behaviour
    counts: Counts = field(default_factory=Counts)
    _taken: set[bytes] = field(default_factory=set)
    _deferred: Counter[bytes] = field(default_factory=Counter)

    async def handle_EHLO(self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:  # noqa: ARG002, E501  # fmt: skip
        """aiosmtpd takes commands sent ahead, but does not say so."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002
        if self.behaviour.latency_ms:
            await asyncio.sleep(self.behaviour.latency_ms / 1000)
        return self.take(envelope.original_content or b"")

    def take(self, content: bytes) -> str:
        """Answer one message."""
        end = content.find(b"\r\n\r\n")
        found = _MESSAGE_ID.search(content, 0, end if end >= 0 else len(content))
        name = blake2b(found[1], digest_size=12).digest() if found else b""
        answer = self.behaviour.answer(found[1] if found else content, self._deferred[name] if name else 0)
        if answer == TRANSIENT:
            self.counts.transient += 1
            self._deferred[name] += 1
        elif answer == PERMANENT:
            self.counts.permanent += 1
        else:
            self._accept(name)
        return answer

    def _accept(self, name: bytes) -> None:
        self.counts.accepted += 1
        if not name:
            self.counts.unnamed += 1
        elif name in self._taken:
            self.counts.duplicates += 1
        else:
            self._taken.add(name)
            self.counts.distinct += 1


async def serve(sink: Sink, port: int) -> None:
    """Serve until the parent leaves or SIGTERM arrives."""
    loop, over = asyncio.get_running_loop(), watch_parent()

    def answer_control(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_line(sink.counts))
        writer.close()

    mail = await loop.create_server(lambda: SMTP(sink, hostname="sink.invalid", loop=loop), HOST, port, backlog=1024)
    control = await asyncio.start_server(answer_control, HOST, 0)
    say({"port": _port(mail), "control_port": _port(control)})
    await over.wait()
    mail.close()
    control.close()
    say(asdict(sink.counts))


def _line(counts: Counts) -> bytes:
    return json.dumps(asdict(counts)).encode() + b"\n"


def _port(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m queuectl.demo.sink", description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="before the answer to each message")
    parser.add_argument("--transient", type=float, default=0.0, help="share of attempts answered with 451")
    parser.add_argument("--permanent", type=float, default=0.0, help="share of messages answered with 550")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    behaviour = Behaviour(args.latency_ms, args.transient, args.permanent, args.seed)
    asyncio.run(serve(Sink(behaviour), args.port))


if __name__ == "__main__":
    main()
