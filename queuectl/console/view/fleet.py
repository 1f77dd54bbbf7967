"""The fleet table: which columns there are, and one row a queue."""

from __future__ import annotations

from queuectl.console import words
from queuectl.console.view.look import TONES, Look, severity_sign
from queuectl.console.widgets.spark import spark
from queuectl.console.widgets.table import Cell, Column, Row
from queuectl.model import Control, Direction, LedgerState, QueueClass, QueueState, Switch
from queuectl.policy.diagnosis import Condition, condition

TREND_CELLS = 5
MOST_WORDS = 8
"""Cells of the OVERFLOW column: larger counts are shortened there; the queue's screen has every digit."""

COLUMNS: tuple[Column, ...] = (
    Column("queue", "QUEUE", 12, "left", 0, True),
    Column("state", "STATE", 8, "left", 1),
    Column("class", "CLASS", 9, "left", 6),
    Column("direction", "DIR", 6, "left", 4),
    Column("shed", "SHED", 5, "left", 4),
    Column("depth", "DEPTH", 9, "right", 0),
    Column("trend", "TREND", TREND_CELLS, "left", 5),
    Column("in", "IN/s", 6, "right", 1),
    Column("out", "OUT/s", 6, "right", 1),
    Column("oldest", "OLDEST", 6, "right", 2),
    Column("wait", "WAIT p95", 8, "right", 5),
    Column("eta", "ETA", 5, "right", 3),
    Column("surge", "SURGE", 7, "right", 7),
    Column("overflow", "OVERFLOW", 8, "right", 5),
    Column("failed", "FAILED", 6, "right", 5),
    Column("workers", "WORKERS", 8, "right", 3),
    Column("in_flight", "FLIGHT", 6, "right", 8),
    Column("shed_stored", "SHED #", 8, "right", 8),
    Column("ledger", "LEDGER", 8, "left", 8),
    Column("scheduled", "SCHED", 6, "right", 10),
    Column("deferred", "HELD", 6, "right", 10),
    Column("max_age", "MAX AGE", 7, "right", 11),
    Column("provider", "PROVIDER", 10, "left", 11),
)

_CLASS_TONES = {QueueClass.PROTECTED: "protected", QueueClass.NORMAL: "", QueueClass.BULK: "muted"}
_LEDGER = {LedgerState.BALANCED: "ok", LedgerState.PARTIAL: "muted", LedgerState.UNKNOWN: "muted",
           LedgerState.RESIDUE: "bad"}  # fmt: skip


def row(queue: QueueState, look: Look, *, dim: bool = False) -> Row:
    """One queue in cells; `dim` when the picture is stale."""
    word = condition(queue)
    return Row(queue.name, {**_identity(queue, word, look), **_flow(queue, word, look), **_places(queue, look)}, dim)


def _identity(queue: QueueState, word: Condition, look: Look) -> dict[str, Cell]:
    policy = queue.policy
    return {
        "queue": Cell(f"{sign(queue, look)} {words.plain(queue.name, look.signs)}", _tone(word), True),
        "state": Cell(word.value, _tone(word), False),
        "class": Cell(
            "assisted" if queue.assisted else policy.queue_class.value, _CLASS_TONES[policy.queue_class], False
        ),
        "direction": Cell(_control(queue.direction, queue.direction.value.upper()), _changed(queue.direction), False),
        "shed": _shed(queue),
        "max_age": Cell(words.duration(policy.max_age_s), "", False),
        "provider": Cell(words.plain(policy.provider, look.signs), "muted", False),
        "ledger": _ledger(queue, look),
    }


def _flow(queue: QueueState, word: Condition, look: Look) -> dict[str, Cell]:
    guess = queue.assisted
    signs = look.signs
    late = queue.oldest_s is not None and queue.oldest_s > queue.policy.max_age_s
    slow = queue.wait_p95_s is not None and queue.wait_p95_s > queue.policy.target_wait_s
    return {
        "depth": Cell(words.count(queue.depth, signs), _tone(word) if word is not Condition.OK else "", True),
        "trend": Cell(spark(queue.depth_history, TREND_CELLS, ascii=signs.ascii), "series-1", False),
        "in": Cell(words.estimated(words.rate(queue.in_per_s, signs), guess, signs), "", False),
        "out": Cell(words.estimated(words.rate(queue.out_per_s, signs), guess, signs), "", False),
        "oldest": Cell(words.age(queue.oldest_s, signs), "warn" if late else "", False),
        "wait": Cell(words.age(queue.wait_p95_s, signs), "warn" if slow else "", False),
        "eta": Cell(eta(queue, look), "warn" if word is Condition.GROWING else "", False),
    }


def _places(queue: QueueState, look: Look) -> dict[str, Cell]:
    return {
        "surge": _some(queue.surge, look),
        "overflow": _stored(queue.overflow, look),
        "failed": _some(queue.failed, look, "bad", zero="0"),
        "workers": _workers(queue, look),
        "in_flight": _some(queue.in_flight, look, zero="0"),
        "scheduled": _some(queue.scheduled, look),
        "deferred": _some(queue.deferred, look),
        "shed_stored": _some(queue.shed_stored, look, "info"),
    }


def sign(queue: QueueState, look: Look) -> str:
    """The glyph before a queue's name."""
    word = condition(queue)
    calm = word in (Condition.OK, Condition.IDLE, Condition.BUSY)
    return look.signs.stock if queue.assisted and calm else severity_sign(word.severity, look)


def eta(queue: QueueState, look: Look) -> str:
    """When the backlog is gone: an age, `never`, or a dash."""
    known = "0s" if queue.backlog == 0 else words.coarse(queue.eta_s, look.signs)
    return words.estimated(known, queue.assisted and queue.backlog > 0, look.signs)


def _tone(word: Condition) -> str:
    return "muted" if word is Condition.IDLE else TONES[word.severity]


def _control(control: Control, value: str) -> str:
    """An operator's override carries an `o`, what automation decided an `a`."""
    return f"{value} o" if control.overridden else f"{value} a" if control.automatic else value


def _changed(control: Control) -> str:
    return "accent" if control.overridden else "warn" if control.value == Direction.LIFO else ""


def _shed(queue: QueueState) -> Cell:
    if queue.shed.value == Switch.OFF and not queue.shed.overridden and queue.policy.protected:
        return Cell("never", "protected", False)
    tone = "accent" if queue.shed.overridden else "warn" if queue.shed.value == Switch.ON else ""
    return Cell(_control(queue.shed, queue.shed.value), tone, False)


def _ledger(queue: QueueState, look: Look) -> Cell:
    ledger = queue.ledger
    text = {LedgerState.BALANCED: look.signs.yes, LedgerState.RESIDUE: f"{look.signs.no} {ledger.residue:,}",
            LedgerState.PARTIAL: "partial", LedgerState.UNKNOWN: look.signs.dash}[ledger.state]  # fmt: skip
    return Cell(text, _LEDGER[ledger.state], False)


def _some(number: int, look: Look, tone: str = "", zero: str = "") -> Cell:
    return Cell(words.count(number), tone, False) if number else Cell(zero or look.signs.dash, "muted", False)


def _stored(number: int, look: Look) -> Cell:
    text = words.count(number)
    return _some(number, look, "info") if len(text) <= MOST_WORDS else Cell(words.short(number), "info", False)


def _workers(queue: QueueState, look: Look) -> Cell:
    if queue.workers == 0 and queue.stock_workers == 0:
        return Cell("0", "bad" if queue.backlog else "muted", False)
    if queue.stock_workers >= queue.workers:
        return Cell(f"{queue.stock_workers} rq", "", False)
    share = queue.utilisation
    text = f"{queue.workers}" if share is None else f"{queue.workers} {look.signs.separator} {words.percent(share)}"
    return Cell(text, "warn" if share is not None and share >= 0.95 else "", False)
