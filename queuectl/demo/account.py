"""The demo's closing account: every message the producer handed in is in exactly one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queuectl.model import Admission, FleetState, LedgerState, QueueState

COLUMNS = ("queue", "sent", "delivered", "waiting", "overflow", "shed", "failed", "refused", "in doubt", "missing")


@dataclass(frozen=True, slots=True)
class Account:
    """`balanced`: nothing is unaccounted for, at any of the three places that count."""

    text: str
    balanced: bool


def account(fleet: FleetState, sent: Mapping[str, Mapping[str, int]], received: Mapping[str, int]) -> Account:
    """Hold what the load generator sent (verdicts a queue) and what the SMTP server received against the ledgers."""
    queues = [queue for queue in fleet.queues if queue.name in sent or queue.ledger.accepted]
    rows = [_row(queue, sent.get(queue.name, {})) for queue in queues]
    total: tuple[str | int, ...] = ("total", *(sum(int(row[at]) for row in rows) for at in range(1, len(COLUMNS))))
    delivered = sum(queue.ledger.delivered for queue in queues)
    distinct = received.get("distinct", 0)
    missing = sum(abs(int(row[-1])) for row in rows)
    unbalanced = [queue.name for queue in queues if queue.ledger.state is LedgerState.RESIDUE]
    short = max(0, delivered - distinct)
    balanced = not (missing or unbalanced or short)
    lines = [_table(_without_empty([COLUMNS, *rows, total]))]
    lines.append(f"the SMTP server accepted {distinct:,} different messages ({received.get('duplicates', 0):,} twice)")
    if short:
        lines.append(f"✗ {short:,} messages count as delivered that the SMTP server never accepted")
    if unbalanced:
        lines.append(f"✗ the ledger does not balance for: {', '.join(unbalanced)}")
    lines.append("✓ it adds up: every message is accounted for" if balanced else f"✗ {missing:,} unaccounted for")
    return Account("\n".join(lines), balanced)


def _row(queue: QueueState, verdicts: Mapping[str, int]) -> tuple[str | int, ...]:
    accepted = sum(verdicts.get(found.value, 0) for found in (Admission.ACCEPTED, Admission.HELD, Admission.SHED))
    refused = verdicts.get(Admission.REFUSED.value, 0)
    in_doubt = verdicts.get("in_doubt", 0)
    waiting = queue.depth + queue.in_flight + queue.scheduled + queue.deferred + queue.draining + queue.surge
    book = queue.ledger
    elsewhere = book.deleted + book.vanished + book.expired + book.superseded + book.moved_out - book.moved_in
    found = queue.ledger.delivered + waiting + queue.overflow + queue.shed_stored + queue.failed + elsewhere
    missing = accepted - found
    if -in_doubt <= missing < 0:
        missing = 0
    return (queue.name, accepted + refused, queue.ledger.delivered, waiting, queue.overflow, queue.shed_stored,
            queue.failed, refused, in_doubt, missing)  # fmt: skip


def _without_empty(rows: list[tuple[str | int, ...]]) -> list[tuple[str | int, ...]]:
    """Without the columns in which nothing is, so that the usual account fits 80 columns."""
    always = {"queue", "sent", "delivered", "waiting", "failed", "missing"}
    kept = [at for at, name in enumerate(COLUMNS) if name in always or any(row[at] for row in rows[1:])]
    return [tuple(row[at] for at in kept) for row in rows]


def _table(rows: list[tuple[str | int, ...]]) -> str:
    shown = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in shown
    )
