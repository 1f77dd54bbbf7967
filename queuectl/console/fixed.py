"""A fixed deployment in the middle of a spike: what screenshots and the console's own tests are drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from queuectl.console import fixed_jobs
from queuectl.model import (
    Action,
    AuditEntry,
    ContinueOperation,
    Control,
    DeleteFailed,
    Direction,
    Drain,
    FleetState,
    JobDetail,
    JobView,
    Ledger,
    LedgerState,
    Operation,
    Outcome,
    Policy,
    PoolSample,
    PoolState,
    Preview,
    ProviderSample,
    ProviderState,
    QueueClass,
    QueueSample,
    QueueSamples,
    QueueState,
    Refill,
    ReplyHistory,
    RetryFailed,
    Sample,
    Scale,
    ServerState,
    SetDirection,
    SetPause,
    SetPolicy,
    SetShed,
    StopOperation,
    Suppress,
    Switch,
    Undo,
    Unsuppress,
    WorkerState,
)

NOW_S = datetime(2025, 11, 24, 14, 2, 31, tzinfo=UTC).timestamp()
SPIKE_BEGAN_S = NOW_S - 480
HISTORY_S = 900

_QUIET = {"security": (52.0, 12), "payment": (210.0, 120), "welcome": (64.0, 31), "legacy": (40.0, 3_401)}


def _balanced(accepted: int, living: int, *, moved_out: int = 0, retried: int = 0) -> Ledger:
    return Ledger(accepted=accepted, delivered=accepted - living - moved_out, moved_out=moved_out, retried=retried,
                  state=LedgerState.BALANCED)  # fmt: skip


def fleet() -> FleetState:
    """Security, payment and welcome mail flow; forum digests drown; legacy is a queue of stock RQ."""
    return FleetState(
        taken_at_s=NOW_S,
        server=ServerState("redis://10.0.0.5:6379/0", "redis", "7.0.15", 2_310_000_000, 8_000_000_000,
                           round_trip_s=0.002),
        queues=(_security(), _payment(), _welcome(), _forum(), _legacy()),
        workers=_workers(),
        pools=(
            PoolState("critical", ("security", "payment"), 4, 4, 200, 124, 50, configured=4),
            PoolState("bulk", ("forum", "welcome"), 12, 12, 600, 582, 50, "ana@mail-01", "spike from digest send",
                      NOW_S + 410, 8),
            PoolState("legacy", ("legacy",), None, 5, 5, 4, 1),
        ),
        providers=_providers(),
        hosts=("mail-01", "mail-02", "mail-03"),
        leader="mail-01:4711",
        managed=True,
        events=audit(),
    )  # fmt: skip


def _providers() -> tuple[ProviderState, ...]:
    return (
        ProviderState("default", "open", None, None, 326.0, connections=64),
        ProviderState("ses", "recovering", 1_000.0, 625.0, 600.0, 0.625, NOW_S + 40,
                      "454 4.7.0 throttling failure: maximum sending rate exceeded", 120, 200, "postmark"),
        ProviderState("postmark", "open", 250.0, 250.0, 0.0, connections=2, max_connections=50),
    )  # fmt: skip


def _security() -> QueueState:
    return QueueState(
        "security", Policy(QueueClass.PROTECTED, 600, 5, 100_000), version=3, depth=12, in_flight=9, oldest_s=0.3,
        in_per_s=52.0, out_per_s=52.0, service_per_s=180.0, wait_p50_s=0.1, wait_p95_s=0.4, eta_s=0.0, workers=4,
        slots=200, busy=22, ledger=_balanced(81_220, 21), depth_history=(9, 11, 10, 14, 12, 11, 13, 12),
    )  # fmt: skip


def _payment() -> QueueState:
    return QueueState(
        "payment", Policy(QueueClass.PROTECTED, 1_800, 10, 100_000), version=2, depth=120, in_flight=102, oldest_s=2.1,
        in_per_s=210.0, out_per_s=210.0, service_per_s=420.0, wait_p50_s=0.6, wait_p95_s=2.4, eta_s=1.0, failed=3,
        workers=4, slots=200, busy=124, ledger=_balanced(322_871, 225),
        depth_history=(90, 110, 132, 101, 96, 140, 118, 120),
    )  # fmt: skip


def _welcome() -> QueueState:
    return QueueState(
        "welcome", Policy(QueueClass.NORMAL, 3_600, 60, 500_000), version=1, depth=31, in_flight=18, oldest_s=0.6,
        in_per_s=64.0, out_per_s=64.0, service_per_s=110.0, wait_p50_s=0.2, wait_p95_s=0.9, eta_s=0.0, workers=12,
        slots=600, busy=582, ledger=_balanced(98_104, 49), depth_history=(30, 28, 35, 33, 29, 36, 30, 31),
    )  # fmt: skip


def _forum() -> QueueState:
    waiting = 48_112 + 412_330 + 744_000
    return QueueState(
        "forum", Policy(QueueClass.BULK, 4 * 3600, 600, 1_000_000, provider="ses"),
        direction=Control(Direction.LIFO, True, NOW_S + 811, NOW_S - 89, "ana@mail-01", "newest digests first", 119),
        shed=Control(Switch.ON, True, NOW_S + 640, NOW_S - 260, "ana@mail-01", "digest spike, stale ones are worthless",
                     117),
        version=9, depth=48_112, in_flight=564, surge=412_330, overflow=744_000, overflow_bytes=29_760_000,
        shed_stored=12_480, scheduled=210, failed=12, oldest_s=1_068.0, in_per_s=5_012.0, out_per_s=600.0,
        service_per_s=604.0, wait_p50_s=0.4, wait_p95_s=1.1, eta_s=math.inf, workers=12, slots=600, busy=582,
        ledger=_balanced(1_934_012, waiting + 564 + 210 + 12, moved_out=12_480, retried=431),
        depth_history=(4_100, 9_000, 15_800, 22_000, 29_400, 36_100, 42_900, 48_112),
    )  # fmt: skip


def _legacy() -> QueueState:
    return QueueState(
        "legacy", Policy(QueueClass.NORMAL), depth=3_401, in_flight=4, oldest_s=80.0, in_per_s=40.0, out_per_s=40.3,
        service_per_s=40.3, eta_s=10_800.0, failed=7, workers=5, slots=5, busy=4, stock_workers=5, assisted=True,
        ledger=Ledger(state=LedgerState.UNKNOWN),
        depth_history=(3_420, 3_418, 3_411, 3_409, 3_407, 3_404, 3_402, 3_401),
    )  # fmt: skip


def _workers() -> tuple[WorkerState, ...]:
    ours = [
        WorkerState(f"{pool}-{number:02}.{host}", host, 4_800 + number, queues, "busy", pool, 50, busy,
                    41_000 + number * 7, number % 3, 1.2, 5_400.0, f"{queues[0]}-8f2c{number:02}")
        for pool, queues, amount, busy in (("critical", ("security", "payment"), 4, 31),
                                           ("bulk", ("forum", "welcome"), 12, 48))
        for number, host in ((number, f"mail-0{number % 3 + 1}") for number in range(1, amount + 1))
    ]  # fmt: skip
    stock = [
        WorkerState(f"a{number}c04f1d", "app-07", 910 + number, ("legacy",), "busy" if number < 5 else "idle", "legacy",
                    1, int(number < 5), 9_100 + number, 1, 12.0, 86_400.0, stock=True)
        for number in range(1, 6)
    ]  # fmt: skip
    return (*ours, *stock)


def audit() -> tuple[AuditEntry, ...]:
    """Newest first."""
    return (
        AuditEntry(119, NOW_S - 89, "ana@mail-01", "mode", "forum", "fifo", "lifo", "newest digests first", True),
        AuditEntry(118, NOW_S - 190, "ana@mail-01", "scale", "bulk", "8", "12", "spike from digest send", True),
        AuditEntry(117, NOW_S - 260, "ana@mail-01", "shed", "forum", "off", "on",
                   "digest spike, stale ones are worthless",
                   True),
        AuditEntry(116, NOW_S - 301, "auto", "repair", "forum", "", "201 messages requeued", "worker bulk-07 died"),
        AuditEntry(115, NOW_S - 3_900, "ben@mail-02", "pause", "legacy", "on", "off", "release done", undone_by=0),
        AuditEntry(114, NOW_S - 4_500, "ben@mail-02", "pause", "legacy", "off", "on", "release 41", undone_by=115),
    )  # fmt: skip


def history(span_s: float = HISTORY_S) -> list[Sample]:
    """One sample a second up to now; waves instead of noise, so that every run is the same."""
    first = int(NOW_S - min(span_s, HISTORY_S))
    return [_sampled(at_s) for at_s in map(float, range(first, int(NOW_S) + 1))]


def _sampled(at_s: float) -> Sample:
    wave = math.sin(at_s / 23) + 0.5 * math.sin(at_s / 7)
    queues = {
        name: QueueSample(int(depth * (1 + wave / 6)), int(depth * (1 + wave / 6)), 20, rate * (1 + wave / 20),
                          rate * (1 + wave / 25), depth / rate, depth / rate * 2, 0, 0, 0, depth / rate,
                          depth / rate * 4)
        for name, (rate, depth) in _QUIET.items()
    }  # fmt: skip
    busy = 540 + int(wave * 20)
    pools = {"critical": PoolSample(4, 124 + int(wave * 10), 200), "bulk": PoolSample(12, busy, 600),
             "legacy": PoolSample(5, 4, 5)}  # fmt: skip
    providers = {"default": ProviderSample(326 + wave * 8, None, 64),
                 "ses": ProviderSample(600 + wave * 9, 625 if at_s > SPIKE_BEGAN_S + 300 else 1_000, 120),
                 "postmark": ProviderSample(0.0, 250, 2)}  # fmt: skip
    return Sample(at_s, {**queues, "forum": _forum_sampled(at_s, wave)}, pools, providers)


def _forum_sampled(at_s: float, wave: float) -> QueueSample:
    since = max(0.0, at_s - SPIKE_BEGAN_S)
    backlog = int(since / 480 * 1_204_442)
    if not since:
        return QueueSample(0, 0, 90, 92 + 5 * wave, 92 + 4 * wave, 0.8, 1.1, 0, 0, 0, 0.3, 2.4)
    primary = min(backlog, 48_112)
    surge = min(backlog - primary, 412_330)
    return QueueSample(primary, backlog, 564, 5_012 + 180 * wave, 600 + 9 * wave, since * 2.225, 30 + since / 3, 0,
                       surge, backlog - primary - surge, since / 4, 30 + since / 2)  # fmt: skip


def replies(provider: str, span_s: float) -> ReplyHistory:
    """A number a minute: ses began to throttle five minutes ago, the others take what they are given."""
    minutes = int(span_s // 60)
    started = NOW_S - minutes * 60
    delivered = tuple(18_000 + 300 * (minute % 5) for minute in range(minutes))
    if provider != "ses":
        return ReplyHistory(started, {"delivered": delivered}, (("250 2.0.0 queued", sum(delivered)),))
    throttled = tuple(2_400 if minute >= minutes - 5 else 0 for minute in range(minutes))
    gone = tuple(12 + minute % 3 for minute in range(minutes))
    texts = (("250 2.0.0 queued", sum(delivered)), ("454 4.7.0 throttling failure: maximum sending rate exceeded",
             sum(throttled)), ("550 5.1.1 no such user", sum(gone)))  # fmt: skip
    return ReplyHistory(started, {"delivered": delivered, "throttled": throttled, "failed recipient": gone}, texts)


class FixedLink:
    """A link to the fixed deployment: every answer is the same each time, and a commit is only noted."""

    address = "redis://10.0.0.5:6379/0"
    daemon = "remote"

    def __init__(self) -> None:
        self.state = fleet()
        self.committed: list[tuple[Action, str, str]] = []
        self.revealed: list[str] = []
        self.running: tuple[Operation, ...] = ()

    async def fleet(self) -> FleetState:
        return self.state

    async def history(self, span_s: float) -> list[Sample]:
        return history(span_s)

    async def preview(self, action: Action) -> Preview:
        return preview(action, self.state)

    async def commit(self, preview: Preview, *, reason: str, typed: str) -> Outcome:
        self.committed.append((preview.action, reason, typed))
        return Outcome(119 + len(self.committed), f"{preview.headline}: done")

    async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
        return fixed_jobs.page(queue, state, offset, limit)

    async def job(self, job_id: str, queue: str, state: str) -> JobDetail:  # noqa: ARG002
        return fixed_jobs.detail(job_id, state)

    async def samples(self, queue: str) -> QueueSamples:
        found = self.state.queue(queue)
        return fixed_jobs.samples(found) if found else QueueSamples()

    async def replies(self, provider: str, span_s: float) -> ReplyHistory:
        return replies(provider, span_s)

    async def operations(self) -> tuple[Operation, ...]:
        return self.running

    async def reveal(self, job_id: str, queue: str, state: str) -> str:  # noqa: ARG002
        self.revealed.append(job_id)
        return "ana.keller@example.org"

    async def stop_operation(self, op_id: str) -> None:
        self.running = tuple(operation for operation in self.running if operation.op_id != op_id)

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        return self.state.events[:limit]

    async def close(self) -> None:
        return


def preview(action: Action, state: FleetState) -> Preview:
    """Words like the real gate's, with figures of the fixed state."""
    said = _say(action, state)
    queue = state.queue(getattr(action, "queue", ""))
    word = queue.name if queue and queue.policy.protected else ""
    return Preview(action, said.headline, said.verb, said.effects, said.forecast, said.affected, confirm_word=word)


@dataclass(frozen=True, slots=True)
class _Said:
    headline: str
    verb: str
    effects: tuple[str, ...]
    forecast: tuple[str, ...] = ()
    affected: int = 0


_SHED_EFFECTS = ("Messages older than 4h go to the shed store, at claim and by sweep.",
                 "New messages are refused while 1,000,000 wait.",
                 "Shed messages are kept 7 days and can be replayed.")  # fmt: skip
_SHED_FORECAST = ("waiting       1,204,442 → 892,442", "oldest           17m48s → 4h at most",
                  "clears in         never → never")  # fmt: skip


def _say(action: Action, state: FleetState) -> _Said:
    match action:
        case SetShed(queue=name, value=Switch.ON):
            return _Said(
                f"Turn shedding on for {name}", f"Shed 312,000 from {name}", _SHED_EFFECTS, _SHED_FORECAST, 312_000
            )
        case SetShed(queue=name, value=value):
            return _Said(f"Turn shedding {value or 'back to the policy'} for {name}", f"Stop shedding {name}",
                         ("Stale messages are delivered again.",))  # fmt: skip
        case SetDirection(queue=name, value=value):
            way = (value or "policy").upper()
            return _Said(f"Claim from {name}: {way}", f"Switch {name} to {way}",
                         ("The switch is instant; no message moves.",),
                         ("newest waits     17m48s → 0.2s",))  # fmt: skip
        case SetPause(queue=name, value=value):
            act = "Resume" if value is Switch.OFF else "Pause"
            return _Said(f"{act} {name}", f"{act} {name}", (f"{act}s claims by every worker.",))
        case SetPolicy(queue=name, changes=changes):
            what = ", ".join(f"{field} → {text or 'as the settings say'}" for field, text in changes)
            return _Said(f"Policy of {name}: {what or 'nothing differs'}", f"Change the policy of {name}",
                         ("It stays until it is changed or reset.",), _SHED_FORECAST)  # fmt: skip
        case Drain(queue=name, target=target, to_queue=other):
            return _Said(f"Move waiting messages of {name} to {other or target}", f"Drain 48,112 from {name}",
                         ("Taken from the tail, 1,000 at a time.",), ("waiting          48,112 → 0",),
                         48_112)  # fmt: skip
        case Refill(queue=name, tier=tier):
            return _Said(f"Bring back mail of {name} from {tier}", f"Refill {name} from {tier}", ("Oldest first.",))
        case Scale(pool=pool, workers=workers):
            known, wanted = state.pool(pool), "policy" if workers is None else str(workers)
            now = known.actual if known else 0
            return _Said(f"Scale pool {pool} to {wanted}", f"Scale {pool} to {wanted}",
                         ("Stopping workers finish what they hold.",),
                         (f"workers              {now} → {wanted}",))  # fmt: skip
        case StopOperation() | ContinueOperation() | Suppress() | Unsuppress():
            name = type(action).__name__
            return _Said(name, name, ("No panel of the console asks for it.",))
        case Undo(number=number):
            return _Said(f"Undo action {number}", f"Undo {number}", ("Puts back what it changed.",))
        case RetryFailed(queue=name, job_ids=ids) | DeleteFailed(queue=name, job_ids=ids):
            found = state.queue(name)
            amount = len(ids) or (found.failed if found else 0)
            verb = "Retry" if isinstance(action, RetryFailed) else "Delete"
            return _Said(f"{verb} {amount:,} failed messages of {name}", f"{verb} {amount:,} of {name}",
                         ("They go to the tail of the queue.",) if verb == "Retry" else ("They are lost for good.",),
                         affected=amount)  # fmt: skip
