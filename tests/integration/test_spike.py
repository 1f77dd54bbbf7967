"""A real spike, scaled to two cores: a server, the daemon, workers that it starts, an SMTP server, nobody at the keys.

What mail can leave is bound by the slots and by the time that the SMTP server takes, not by the machine. Phases end by
counts, and waits are those that the claim script counts, so that a busy machine makes the test slower and nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from redis import Redis
from servers import OwnServer

from queuectl import MailMessage, Outbox
from queuectl.demo.account import account
from queuectl.model import AUTOMATION, AuditEntry, Direction, FleetState, LedgerState, Switch
from queuectl.policy.rates import quantile
from queuectl.settings import Settings, load
from queuectl.store import audit, keys
from queuectl.store.client import Store
from queuectl.store.connect import open_store
from queuectl.store.reader import Reader

STEADY_PER_S = {"security": 10, "payment": 10, "forum": 10, "digest": 10}
PROTECTED = ("security", "payment")
SPIKE_PER_S = 150
"""Of forum and of digest; one worker can deliver 80 a second of all four, three can 240."""
SPIKE_MESSAGES = 1200
LATENCY_MS = 100
FLOOR_S = 0.2
"""Waits under this are taken to be this: the machine's own hiccups, of which the spike is not the cause."""
EXPECTED = {
    ("surge", "forum", "on"), ("surge", "forum", "off"), ("overflow", "forum", "on"), ("shed", "digest", "on"),
    ("shed", "digest", "off"), ("mode", "digest", "lifo"), ("mode", "digest", "fifo"),
}  # fmt: skip
"""What automation has to have done, action, queue and value; overflow stays on for half a minute after its last use."""
# Both act on digest, and shedding empties it in a tick or two. So newest-first begins at once and at a shorter
# predicted wait than shedding, which also has to last a second: the one never forestalls the other.
TICK_S = 0.05
PATIENCE_S = 60.0
SETTINGS = """\
[providers.default]
host = "127.0.0.1"
port = {port}

[pools.mail]
queues = ["security", "payment", "digest", "forum"]
weights = {{ digest = 1, forum = 1 }}
concurrency = 8
reserved = 2
scaling = {{ min = 1, max = 3 }}

[daemon]
capacity = 8

[queues.security]
class = "protected"
target_wait_s = 5

[queues.payment]
class = "protected"
target_wait_s = 5

[queues.forum]
class = "bulk"
target_wait_s = 3
surge = "auto"
overflow = "auto"

[queues.digest]
class = "bulk"
target_wait_s = 4
max_age_s = 2
objective = "freshness"
shed = "auto"
direction = "auto"

[automation]
surge_enter_work_s = 1
surge_enter_for_s = 1
overflow_enter_work_s = 2
shed_enter_for_s = 1
shed_leave_for_s = 2
lifo_enter_for_s = 0
lifo_leave_for_s = 2
clear_within_s = 10
settle_s = 2
scale_up_window_s = 1
scale_down_window_s = 2
"""


class Load(threading.Thread):
    """A producer that admits what is due, whether or not the system keeps up."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.per_s = dict(STEADY_PER_S)
        """May be changed while it runs."""
        self.sent: dict[str, Counter[str]] = {queue: Counter() for queue in STEADY_PER_S}
        self._url = url
        self._over = threading.Event()

    def run(self) -> None:
        due, numbers, at_s = dict.fromkeys(self.per_s, 0.0), count(), time.monotonic()
        with Outbox(self._url) as outbox:
            while not self._over.wait(TICK_S):
                before_s, at_s = at_s, time.monotonic()
                for queue, per_s in self.per_s.items():
                    due[queue] += per_s * (at_s - before_s)
                    mail = [_mail(next(numbers)) for _ in range(int(due[queue]))]
                    due[queue] -= len(mail)
                    self.sent[queue].update(verdict.admission.value for verdict in outbox.enqueue_many(queue, mail))

    def stop(self) -> None:
        self._over.set()
        self.join()


def _mail(number: int) -> MailMessage:
    return MailMessage(to=f"u{number}@mail.example", subject="News", text=f"There is news, number {number}.")


class Deployment:
    """What the test looks at; the waits are those of everything claimed since they were last asked for."""

    def __init__(self, store: Store, client: Redis, settings: Settings) -> None:
        self._store = store
        self._client = client
        self._reader = Reader(settings)
        self._waits: dict[str, Counter[int]] = {}

    def fleet(self) -> FleetState:
        return self._store.run(self._reader.fleet())

    def until(self, condition: Callable[[FleetState], bool]) -> FleetState:
        """Wait for a picture of which the condition is true."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition(fleet := self.fleet()):
            assert time.monotonic() < deadline_s, fleet
            time.sleep(0.1)
        return fleet

    def waits(self, queue: str) -> Counter[int]:
        """Bucket -> messages claimed since the last call."""
        raw: dict[bytes, bytes] = self._client.hgetall(keys.waits(queue))
        seen = Counter({int(bucket): int(number) for bucket, number in raw.items()})
        fresh = seen - self._waits.get(queue, Counter())
        self._waits[queue] = seen
        return fresh

    def decisions(self) -> tuple[AuditEntry, ...]:
        return self._store.run(audit.recent())


@contextmanager
def _child(*arguments: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with its standard input, as the demo's do."""
    with log.open("wb") as errors:
        process = subprocess.Popen([sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=errors, env=dict(os.environ), start_new_session=True)  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _last_line(process: subprocess.Popen[bytes]) -> bytes:
    said, _ = process.communicate(timeout=PATIENCE_S)
    return said.splitlines()[-1] if said else b""


def _p99_s(waits: Counter[int]) -> float:
    return max(quantile(waits, 0.99), FLOOR_S)


def test_a_spike_passes_by_itself(own_server: Callable[..., OwnServer], tmp_path: Path) -> None:
    server, config = own_server(), tmp_path / "queuectl.toml"
    with ExitStack() as stack:
        sink = stack.enter_context(_child("-m", "queuectl.demo.sink", "--latency-ms", str(LATENCY_MS),
                                          log=tmp_path / "sink.log"))  # fmt: skip
        assert sink.stdout
        config.write_text(SETTINGS.format(port=json.loads(sink.stdout.readline())["port"]))
        settings = load(config=config, environ={}).settings
        daemon = stack.enter_context(_child("-m", "queuectl", "--url", server.url, "--config", str(config), "daemon",
                                            "--child", log=tmp_path / "daemon.log"))  # fmt: skip
        here = Deployment(stack.enter_context(open_store(server.url)),
                          stack.enter_context(Redis.from_url(server.url)), settings)  # fmt: skip
        producer = Load(server.url)
        producer.start()
        stack.callback(producer.stop)

        before, spike = _before(here), _spike(here, producer)
        producer.stop()
        here.until(lambda fleet: not any(queue.waiting or queue.in_flight or queue.scheduled for queue in fleet.queues))
        _last_line(daemon)
        received = json.loads(_last_line(sink))
        fleet, decisions = here.fleet(), here.decisions()

    for name in PROTECTED:
        assert _p99_s(spike[name]) <= 2 * _p99_s(before[name]), (name, before[name], spike[name])
    assert _p99_s(spike["forum"]) > 4 * FLOOR_S  # it was one: without isolation the others had waited as long
    final = account(fleet, producer.sent, received)
    assert final.balanced, final.text
    assert all(queue.ledger.state is LedgerState.BALANCED and not queue.waiting for queue in fleet.queues), final.text
    assert {queue.name for queue in fleet.queues if queue.shed_stored} <= {"digest"}
    assert (received["distinct"], received["duplicates"]) == (sum(queue.ledger.delivered for queue in fleet.queues), 0)
    assert {decision.who for decision in decisions} == {AUTOMATION}
    assert {(decision.action, decision.scope, decision.after) for decision in decisions} >= EXPECTED
    assert any(int(entry.after) > int(entry.before) for entry in decisions if entry.action == "scale")


def _before(here: Deployment) -> dict[str, Counter[int]]:
    """Waits while all is well."""
    here.until(lambda fleet: all(queue.ledger.delivered > 10 and not queue.backlog for queue in fleet.queues))
    for name in STEADY_PER_S:
        here.waits(name)
    done = {queue.name: queue.ledger.delivered for queue in here.fleet().queues}
    here.until(lambda fleet: all(queue.ledger.delivered > done[queue.name] + 50 for queue in fleet.queues))
    return {name: here.waits(name) for name in STEADY_PER_S}


def _spike(here: Deployment, producer: Load) -> dict[str, Counter[int]]:
    """Waits from the beginning of the spike until nothing of it is left and automation has taken back what it did."""
    producer.per_s |= {"forum": SPIKE_PER_S, "digest": SPIKE_PER_S}
    here.until(lambda fleet: all(producer.sent[name].total() > SPIKE_MESSAGES for name in ("forum", "digest")))
    producer.per_s |= STEADY_PER_S
    here.until(_is_calm)
    return {name: here.waits(name) for name in STEADY_PER_S}


def _is_calm(fleet: FleetState) -> bool:
    return all(
        queue.backlog < 10 and not queue.surge and not queue.overflow and queue.surging.value == Switch.OFF
        and queue.shed.value == Switch.OFF and queue.direction.value == Direction.FIFO
        for queue in fleet.queues
    )  # fmt: skip
