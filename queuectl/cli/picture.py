"""A fleet's picture in words: the table of queues, then what stands behind it, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from queuectl.cli.table import Column, print_table
from queuectl.console.glyphs import Glyphs
from queuectl.console.words import age, clock_short, count, estimated, percent, plain, rate, size
from queuectl.model import Control, FleetState, LedgerState, QueueState, ServerState, Switch
from queuectl.policy.diagnosis import condition, diagnose
from queuectl.policy.findings import Severity


def print_picture(fleet: FleetState, signs: Glyphs) -> None:
    """Print to standard output."""
    if fleet.queues:
        print_table(queue_columns(fleet.queues, signs))
        print()
    for line in (*_footing(fleet, signs), *_shed(fleet), *_overrides(fleet, signs), *_live_policies(fleet, signs),
                 *_findings(fleet, signs)):  # fmt: skip
        print(line)


def queue_columns(queues: Sequence[QueueState], signs: Glyphs) -> list[Column]:
    """The table of queues; rates of assisted queues are marked as estimates."""

    def numbers(heading: str, cells: list[str], keep: int) -> Column:
        return Column(heading, cells, right=True, keep=keep)

    def rates(values: list[float | None]) -> list[str]:
        return [
            estimated(rate(value, signs), queue.assisted, signs) for queue, value in zip(queues, values, strict=True)
        ]

    return [
        Column("queue", [plain(queue.name, signs) for queue in queues]),
        Column("class", [queue.policy.queue_class for queue in queues], keep=20),
        Column("state", [condition(queue) for queue in queues], keep=85),
        Column("dir", [_overridden(queue.direction) for queue in queues], keep=70),
        Column("shed", [_overridden(queue.shed) for queue in queues], keep=75),
        numbers("depth", [count(queue.depth, signs) for queue in queues], 95),
        numbers("in/s", rates([queue.in_per_s for queue in queues]), 80),
        numbers("out/s", rates([queue.out_per_s for queue in queues]), 82),
        numbers("oldest", [age(queue.oldest_s, signs) for queue in queues], 90),
        numbers("wait p95", [age(queue.wait_p95_s, signs) for queue in queues], 50),
        numbers("eta", [age(queue.eta_s, signs) for queue in queues], 88),
        numbers("flight", [count(queue.in_flight, signs) for queue in queues], 45),
        numbers("surge", [count(queue.surge, signs) for queue in queues], 15),
        numbers("overflow", [count(queue.overflow, signs) for queue in queues], 60),
        numbers("stored", [count(queue.shed_stored, signs) for queue in queues], 30),
        numbers("failed", [count(queue.failed, signs) for queue in queues], 65),
        numbers("workers", [_workers(queue) for queue in queues], 55),
        Column("ledger", [_ledger(queue, signs) for queue in queues], keep=40),
    ]


def _overridden(control: Control) -> str:
    """`lifo*`: an operator's override, listed below the table."""
    return f"{control.value}{'*' if control.overridden else ''}"


def _workers(queue: QueueState) -> str:
    ours, stock = queue.workers - queue.stock_workers, queue.stock_workers
    return f"{ours}+{stock} stock" if stock else str(ours)


def _ledger(queue: QueueState, signs: Glyphs) -> str:
    match queue.ledger.state:
        case LedgerState.BALANCED:
            return signs.yes
        case LedgerState.RESIDUE:
            return f"{signs.no} {queue.ledger.residue:+,}"
        case LedgerState.PARTIAL:
            return "partial"
        case _:
            return signs.dash


def _footing(fleet: FleetState, signs: Glyphs) -> Iterator[str]:
    yield f"server    {_server(fleet.server, signs)}"
    hosts = f"; hosts: {', '.join(fleet.hosts)}" if fleet.hosts else ""
    yield f"daemon    {fleet.leader or 'none leads'}{hosts}"
    yield f"workers   {_processes(fleet, signs)}"
    yield f"ledger    {_sum(fleet, signs)}"


def _server(server: ServerState, signs: Glyphs) -> str:
    memory = f"memory {size(server.memory_bytes, signs)}"
    if server.memory_max_bytes:
        share = percent(server.memory_bytes / server.memory_max_bytes, signs)
        memory += f" of {size(server.memory_max_bytes, signs)} ({share})"
    parts = [f"{server.product} {server.version} at {server.address}", memory, server.eviction]
    return f" {signs.separator} ".join(part for part in parts if part)


def _processes(fleet: FleetState, signs: Glyphs) -> str:
    busy, slots = sum(worker.busy for worker in fleet.workers), sum(worker.slots for worker in fleet.workers)
    parts = [f"{len(fleet.workers)} processes, {busy:,} of {slots:,} slots busy"]
    stock = sum(worker.stock for worker in fleet.workers)
    parts += [f"{stock} stock"] if stock else []
    parts += [f"pool {pool.name} {pool.actual}/{signs.dash if pool.desired is None else pool.desired}"
              for pool in fleet.pools]  # fmt: skip
    return f" {signs.separator} ".join(parts)


def _sum(fleet: FleetState, signs: Glyphs) -> str:
    """Accepted, delivered and lost of all queues that are counted."""
    books = [queue.ledger for queue in fleet.queues]
    came = sum(book.accepted + book.adopted for book in books)
    if not came:
        return "nothing counted yet"
    residue = sum(book.residue for book in books if book.state is LedgerState.RESIDUE)
    verdict = f"{signs.no} {residue:+,} unaccounted" if residue else f"{signs.yes} adds up"
    partial = [queue.name for queue in fleet.queues if queue.ledger.state is LedgerState.PARTIAL]
    parts = [f"accepted {came:,}", f"delivered {sum(book.delivered for book in books):,}",
             f"failed {sum(queue.failed for queue in fleet.queues):,}", verdict,
             f"partly known: {', '.join(partial)}" if partial else ""]  # fmt: skip
    return f" {signs.separator} ".join(part for part in parts if part)


def _shed(fleet: FleetState) -> Iterator[str]:
    """What can be replayed, by the reason it was shed for."""
    for queue in fleet.queues:
        if queue.shed_reasons:
            yield f"shed      {queue.name}: {', '.join(f'{number:,} {why}' for why, number in queue.shed_reasons)}"


def _overrides(fleet: FleetState, signs: Glyphs) -> Iterator[str]:
    """Who decided what by hand, and until when: what the next shift has to know."""
    for queue in fleet.queues:
        for what, control in (("shed", queue.shed), ("mode", queue.direction), ("pause", queue.pause)):
            if control.overridden and not _default(what, control):
                yield f"override  {queue.name}: {what} {control.value}{_who(control, signs)}"


def _live_policies(fleet: FleetState, signs: Glyphs) -> Iterator[str]:
    """What stands until somebody resets it, whatever the settings say."""
    for queue in fleet.queues:
        for by in sorted({live.by for live in queue.policy.live}):
            names = ", ".join(live.field for live in queue.policy.live if live.by == by)
            yield f"policy    {queue.name}: {names} changed live by {plain(by, signs)}"


def _default(what: str, control: Control) -> bool:
    return what == "pause" and control.value == Switch.OFF


def _who(control: Control, signs: Glyphs) -> str:
    until = f" until {clock_short(control.until_s)}" if control.until_s else ""
    reason = f' "{plain(control.reason, signs)}"' if control.reason else ""
    return f" by {control.by}{until}{reason}" if control.by else until


def _findings(fleet: FleetState, signs: Glyphs) -> Iterator[str]:
    """What is wrong; what is merely set by hand stands above it already."""
    mark = {Severity.WARN: signs.warn, Severity.BAD: signs.bad}
    for finding in diagnose(fleet):
        if finding.severity is not Severity.INFO:
            where = f"{finding.queue}: " if finding.queue else ""
            yield f"{mark[finding.severity]} {finding.severity.name.lower():<7} {where}{plain(finding.text, signs)}"
