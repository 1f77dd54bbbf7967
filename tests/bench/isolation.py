"""What a flood in one queue does to the wait of another: from admission to claim, by the server's clock."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from statistics import quantiles

from redis import Redis

from queuectl import MailMessage, Outbox
from tests.bench.sides import Bench, Side
from tests.bench.world import LONGEST_S, ROOT, SideError, World, children, module

PROCESSES, SLOTS, LATENCY_MS = 2, 50, 50
EVERY_S = 0.02
SETTINGS = """\
[queues.security]
class = "protected"
[delivery]
keep_delivered_s = 600
[providers.default]
host = "127.0.0.1"
port = {port}
connections = {slots}
"""


def flood(scale: float) -> Bench:
    codes, mails = max(50, round(300 * scale)), round(20_000 * scale)

    def side(name: str, mails: int, pick: Callable[[list[float]], float]) -> Side:
        return Side(name, lambda world: pick(_waits_ms(world, codes, mails)))

    return Bench("flood", f"wait of protected security mail, {PROCESSES} workers × {SLOTS} slots that serve both, "
                 f"a server that takes {LATENCY_MS} ms", "ms", (
        side("p50, security alone", 0, _percentile(50)),
        side("p50, in a flood of forum mail", mails, _percentile(50)),
        side("p99, security alone", 0, _percentile(99)),
        side("p99, in a flood of forum mail", mails, _percentile(99)),
    ))  # fmt: skip


def _percentile(number: int) -> Callable[[list[float]], float]:
    return lambda values: quantiles(values, n=100)[number - 1]


def _waits_ms(world: World, codes: int, mails: int) -> list[float]:
    """Of `codes` security messages, one every 20 ms, beside a backlog of forum mail that lasts all the time."""
    with _sink() as port, world.redis() as client, Outbox(world.url) as outbox:
        settings = world.directory / "flood.toml"
        settings.write_text(SETTINGS.format(port=port, slots=SLOTS))
        worker = module("queuectl", "--url", world.url, "--config", settings, "worker", "forum", "security",
                        "--concurrency", SLOTS)  # fmt: skip
        outbox.enqueue_many("forum", (_mail(f"u{number}", "x" * 300) for number in range(mails)))
        with children(*[worker] * PROCESSES, log=world.directory / "workers.log"):
            _until(lambda: client.scard("rq:workers") == PROCESSES)
            _until(lambda: int(client.hget("queuectl:ledger:forum", "delivered") or 0) >= min(mails, 1000))
            ids = []
            for number in range(codes):
                ids.append(outbox.enqueue("security", _mail(f"c{number}", "1234")).job_id)
                time.sleep(EVERY_S)
            _until(lambda: int(client.hget("queuectl:ledger:security", "delivered") or 0) == codes)
            if mails and not client.llen("rq:queue:forum"):
                raise SideError("the flood ended before the measurement did")
            return [_wait_ms(client, job_id) for job_id in ids]


def _mail(name: str, text: str) -> MailMessage:
    return MailMessage(to=f"{name}@example.org", text=text)


def _wait_ms(client: Redis, job_id: str) -> float:
    admitted, started = (datetime.fromisoformat(at.decode()) for at in
                         client.hmget(f"rq:job:{job_id}", "created_at", "started_at"))  # fmt: skip
    return (started - admitted).total_seconds() * 1000


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SideError(f"took longer than {LONGEST_S:g} s")
        time.sleep(0.01)


@contextmanager
def _sink() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.slow_sink", str(LATENCY_MS)], cwd=ROOT, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
