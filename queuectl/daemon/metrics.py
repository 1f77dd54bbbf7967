"""What the daemon tells Prometheus: one table of names, from which exposition, dashboard and alert rules are made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from queuectl import __version__
from queuectl.model import Direction, FleetState, LedgerState, PoolState, ProviderState, QueueState, Switch

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
READY_WITHIN_S = 15.0
"""A daemon whose last picture is older than this is not ready: its server is away, or it hangs."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a daemon knows at the moment of a scrape."""

    fleet: FleetState | None
    """None: no picture was taken yet."""
    age_s: float
    """Since the picture was taken, on this process's clock."""
    leading: bool

    @property
    def ready(self) -> bool:
        return self.fleet is not None and self.age_s < READY_WITHIN_S


class Kind(StrEnum):
    """Prometheus' word for how a figure moves."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Scope(StrEnum):
    """What a metric is told of, which is also its label."""

    QUEUE = "queue"
    POOL = "pool"
    PROVIDER = "provider"
    REASON = "reason"
    """Of a queue's shed store: a label beside the queue's."""
    FLEET = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row. `value` takes what its scope names, or the Observation; None: unknown, and left out."""

    name: str
    help: str
    scope: Scope
    value: Callable[[Any], float | None]
    kind: Kind = Kind.GAUGE


def _of_queue(
    name: str, help_text: str, value: Callable[[QueueState], float | None], *, counter: bool = False
) -> Metric:
    kind = Kind.COUNTER if counter else Kind.GAUGE
    return Metric(f"queuectl_queue_{name}", help_text, Scope.QUEUE, value, kind)


def _of_pool(name: str, help_text: str, value: Callable[[PoolState], float | None]) -> Metric:
    return Metric(f"queuectl_pool_{name}", help_text, Scope.POOL, value)


def _of_provider(name: str, help_text: str, value: Callable[[ProviderState], float | None]) -> Metric:
    return Metric(f"queuectl_provider_{name}", help_text, Scope.PROVIDER, value)


def _of_fleet(name: str, help_text: str, value: Callable[[FleetState], float | None]) -> Metric:
    def of_observation(seen: Observation) -> float | None:
        return value(seen.fleet) if seen.fleet else None

    return Metric(f"queuectl_{name}", help_text, Scope.FLEET, of_observation)


def _counted(value: Callable[[QueueState], float]) -> Callable[[QueueState], float | None]:
    """Only where messages are counted at all."""
    return lambda queue: None if queue.ledger.state is LedgerState.UNKNOWN else value(queue)


METRICS: tuple[Metric, ...] = (
    _of_queue("depth", "Messages waiting in the primary tier.", lambda q: q.depth),
    _of_queue("backlog", "Messages waiting in all tiers.", lambda q: q.backlog),
    _of_queue("surge", "Messages in the surge tier.", lambda q: q.surge),
    _of_queue("overflow", "Messages packed in the overflow tier.", lambda q: q.overflow),
    _of_queue("in_flight", "Messages being delivered.", lambda q: q.in_flight),
    _of_queue("scheduled", "Messages that wait for their time, retries among them.", lambda q: q.scheduled),
    _of_queue("deferred", "Messages held behind another one.", lambda q: q.deferred),
    _of_queue("failed", "Messages in the failed registry.", lambda q: q.failed),
    _of_queue("shed_stored", "Shed messages that can be replayed.", lambda q: q.shed_stored),
    _of_queue("oldest_seconds", "Age of the oldest waiting first attempt; 0 when nothing waits.",
              lambda q: q.oldest_s if q.oldest_s is not None else (None if q.depth else 0.0)),
    _of_queue("max_age_seconds", "Age past which a message of this queue is stale.", lambda q: q.policy.max_age_s),
    _of_queue("enqueued_per_second", "Messages coming in a second.", lambda q: q.in_per_s),
    _of_queue("finished_per_second", "Messages going out a second.", lambda q: q.out_per_s),
    _of_queue("wait_p50_seconds", "Median time from enqueue to claim.", lambda q: q.wait_p50_s),
    _of_queue("wait_p95_seconds", "95th percentile of the time from enqueue to claim.", lambda q: q.wait_p95_s),
    _of_queue("clears_in_seconds", "Seconds until the backlog clears; +Inf while it grows.", lambda q: q.eta_s),
    _of_queue("workers", "Worker processes that listen, stock ones included.", lambda q: q.workers + q.stock_workers),
    _of_queue("slots", "Messages its workers can hold at once.", lambda q: q.slots),
    _of_queue("slots_busy", "Messages its workers hold.", lambda q: q.busy),
    _of_queue("paused", "1 while claims are stopped.", lambda q: float(q.pause.value == Switch.ON)),
    _of_queue("shedding", "1 while stale messages are shed.", lambda q: float(q.shed.value == Switch.ON)),
    _of_queue("newest_first", "1 while the newest messages are claimed first (LIFO).",
              lambda q: float(q.direction.value == Direction.LIFO)),
    _of_queue("accepted_total", "Messages accepted from producers, or adopted from stock ones.",
              _counted(lambda q: q.ledger.accepted + q.ledger.adopted), counter=True),
    _of_queue("delivered_total", "Messages delivered.", _counted(lambda q: q.ledger.delivered), counter=True),
    _of_queue("deleted_total", "Messages deleted by an operator.", _counted(lambda q: q.ledger.deleted), counter=True),
    _of_queue("vanished_total", "Messages whose record was gone when they were claimed.",
              _counted(lambda q: q.ledger.vanished), counter=True),
    _of_queue("expired_total", "Shed messages that were not replayed in time and are gone.",
              _counted(lambda q: q.ledger.expired), counter=True),
    _of_queue("superseded_total", "Messages given up because others of their ordering key had waited for too long.",
              _counted(lambda q: q.ledger.superseded), counter=True),
    _of_queue("ordering_keys_blocked", "Ordering keys whose head is tried again while others wait behind it.",
              lambda q: q.blocked_keys),
    _of_queue("retried_total", "Deliveries that were put off to be tried again.",
              _counted(lambda q: q.ledger.retried), counter=True),
    _of_queue("refused_total", "Messages turned away at admission.",
              _counted(lambda q: q.ledger.refused), counter=True),
    _of_queue("duplicates_total", "Messages turned away because the recipient had them already.",
              _counted(lambda q: q.ledger.duplicates), counter=True),
    _of_queue("unrouted_total", "Messages of events whose kind has no route, taken by the default routes.",
              _counted(lambda q: q.ledger.unrouted), counter=True),
    _of_queue("ledger_residue", "Messages unaccounted for: above 0 missing, below 0 too many.",
              _counted(lambda q: q.ledger.residue)),
    _of_queue("damaged", "Messages in packed segments that cannot be read.",
              lambda q: q.overflow_damaged + q.shed_damaged),
    Metric("queuectl_shed_messages", "Messages in the shed store, by the reason they were shed for.", Scope.REASON,
           lambda shed: float(shed[1])),
    _of_pool("workers_desired", "Worker processes asked for.", lambda p: p.desired),
    _of_pool("workers", "Worker processes alive.", lambda p: p.actual),
    _of_pool("slots", "Messages its workers can hold at once.", lambda p: p.slots),
    _of_pool("slots_busy", "Messages its workers hold.", lambda p: p.busy),
    _of_provider("used_per_second", "Messages claimed for it a second.", lambda p: p.used_per_s),
    _of_provider("allowed_per_second", "Messages a second it may get now; left out without a limit.",
                 lambda p: p.allowed_per_s),
    _of_provider("factor", "Share of its rate that is used: below 1 it is slowed down.", lambda p: p.factor),
    _of_provider("suspended", "1 while nothing is sent because it refuses us for our reputation.",
                 lambda p: float(p.condition == "suspended")),
    _of_provider("connections", "SMTP connections open over all workers.", lambda p: p.connections),
    _of_fleet("workers_ghost", "Registered workers whose heartbeat is overdue.",
              lambda f: sum(worker.ghost for worker in f.workers)),
    _of_fleet("hosts", "Hosts whose daemon's heartbeat is fresh.", lambda f: len(f.hosts)),
    _of_fleet("leader_present", "1 while some daemon holds the lease.", lambda f: float(f.leader is not None)),
    _of_fleet("server_memory_bytes", "Memory the server uses.", lambda f: f.server.memory_bytes),
    _of_fleet("server_memory_max_bytes", "The server's maxmemory; 0: none is set.",
              lambda f: f.server.memory_max_bytes),
    _of_fleet("server_evicts", "1 when the server's maxmemory-policy may evict messages.",
              lambda f: float(f.server.eviction not in ("", "noeviction"))),
    _of_fleet("suspended", "1 while `rq suspend` stops all claims.", lambda f: float(f.server.suspended)),
    Metric("queuectl_daemon_leading", "1 when this daemon leads.", Scope.FLEET, lambda seen: float(seen.leading)),
    Metric("queuectl_daemon_ready", "1 while this daemon's picture of the fleet is fresh.", Scope.FLEET,
           lambda seen: float(seen.ready)),
    Metric("queuectl_daemon_picture_age_seconds", "Age of the figures of this scrape.", Scope.FLEET,
           lambda seen: seen.age_s if seen.fleet else None),
)  # fmt: skip


def exposition(seen: Observation) -> str:
    """The text that Prometheus reads. Figures of a picture that is too old are left out: they would look alive."""
    shown = seen if seen.ready else Observation(None, seen.age_s, seen.leading)
    lines = [
        "# HELP queuectl_build_info The version that answers.",
        "# TYPE queuectl_build_info gauge",
        f'queuectl_build_info{{version="{_escaped(__version__)}"}} 1',
    ]
    for metric in METRICS:
        lines += _family(metric, shown)
    return "\n".join(lines) + "\n"


def _family(metric: Metric, seen: Observation) -> list[str]:
    rows = [
        f"{metric.name}{labels} {_number(value)}"
        for labels, subject in _subjects(metric.scope, seen)
        if (value := metric.value(subject)) is not None
    ]
    head = [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
    return [*head, *rows] if rows else []


def _subjects(scope: Scope, seen: Observation) -> Iterator[tuple[str, object]]:
    if scope is Scope.FLEET:
        yield "", seen
        return
    fleet = seen.fleet
    if scope is Scope.REASON:
        for queue in fleet.queues if fleet else ():
            for shed in queue.shed_reasons:
                yield f'{{queue="{_escaped(queue.name)}",reason="{_escaped(shed[0])}"}}', shed
        return
    named: dict[Scope, Iterable[QueueState | PoolState | ProviderState]] = {}
    if fleet:
        named = {Scope.QUEUE: fleet.queues, Scope.POOL: fleet.pools, Scope.PROVIDER: fleet.providers}
    for subject in named.get(scope, ()):
        yield f'{{{scope}="{_escaped(subject.name)}"}}', subject


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
