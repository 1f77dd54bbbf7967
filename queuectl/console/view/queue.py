"""One queue in full: large figures, tiers, policy in force and who set it, the ledger with every counter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queuectl.console import words
from queuectl.console.view.fleet import eta
from queuectl.console.view.look import TONES, Line, Look, Span
from queuectl.model import Control, LedgerState, LiveField, Operation, QueueState
from queuectl.policy.diagnosis import condition


@dataclass(frozen=True, slots=True)
class Figure:
    """One large number."""

    label: str
    text: str
    tone: str = ""


def figures(queue: QueueState, look: Look) -> tuple[Figure, ...]:
    """The six that matter, most important first."""
    signs, guess = look.signs, queue.assisted
    tone = TONES[condition(queue).severity]
    late = queue.oldest_s is not None and queue.oldest_s > queue.policy.max_age_s
    return (
        Figure("waiting", words.count(queue.backlog, signs), tone),
        Figure("in/s", words.estimated(words.rate(queue.in_per_s, signs), guess, signs)),
        Figure("out/s", words.estimated(words.rate(queue.out_per_s, signs), guess, signs)),
        Figure("oldest", words.age(queue.oldest_s, signs), "warn" if late else ""),
        Figure("wait p95", words.age(queue.wait_p95_s, signs)),
        Figure("clear in", eta(queue, look), tone),
    )


def tiers(queue: QueueState, look: Look) -> Line:
    """Where waiting messages are, from the one claimed next to the cold ones."""
    arrow = f" {look.signs.left} "
    parts = [("primary", queue.depth, ""), ("surge", queue.surge, ""), ("overflow", queue.overflow, "")]
    if queue.draining:
        parts.append(("draining", queue.draining, ""))
    spans: list[Span] = [Span(" tiers    ", "muted")]
    for index, (name, amount, _) in enumerate(parts):
        spans += [Span(arrow if index else "", "muted"), Span(f"{name} ", "muted"), Span(f"{amount:,}", bold=True)]
    if queue.overflow_bytes:
        spans.append(Span(f" ({words.size(queue.overflow_bytes)})", "muted"))
    spans += [Span(f"{look.dot}shed store ", "muted"), Span(f"{queue.shed_stored:,}", bold=True)]
    if queue.shed_reasons:
        spans.append(Span(f" ({', '.join(f'{number:,} {why}' for why, number in queue.shed_reasons)})", "muted"))
    return tuple(spans)


def places(queue: QueueState, look: Look) -> Line:
    """The living messages that do not simply wait."""
    parts = [("in flight", queue.in_flight), ("scheduled", queue.scheduled), ("held", queue.deferred),
             ("failed", queue.failed), ("finished", queue.finished)]  # fmt: skip
    spans = [Span(" also     ", "muted")]
    for index, (name, amount) in enumerate(parts):
        tone = "bad" if name == "failed" and amount else ""
        spans += [Span(f"{look.dot if index else ''}{name} ", "muted"), Span(f"{amount:,}", tone, bold=True)]
    share = words.percent(queue.utilisation, look.signs)
    spans.append(Span(f"{look.dot}workers ", "muted"))
    stock = f" ({queue.stock_workers} stock rq)" if queue.stock_workers else ""
    spans += [
        Span(f"{queue.workers}{stock}", bold=True),
        Span(f", {queue.busy:,} of {queue.slots:,} slots busy, {share}", "muted"),
    ]
    return tuple(spans)


def policy(queue: QueueState, look: Look) -> list[Line]:
    """The standing policy, then each control with its value, who set it, why and until when."""
    standing = queue.policy
    facts = look.dot.join((
        standing.queue_class.value, f"max age {words.duration(standing.max_age_s)}",
        f"target wait {words.duration(standing.target_wait_s)}", f"cap {standing.cap:,}",
        f"provider {words.plain(standing.provider, look.signs)}",
        *(("assisted: stock RQ takes part",) if queue.assisted else ()),
    ))  # fmt: skip
    controls = (("mode", queue.direction), ("shed", queue.shed), ("pause", queue.pause))
    return [
        (Span(" policy   ", "muted"), Span(facts)),
        *(live(fields, look) for fields in _by_change(standing.live)),
        *(control(name, value, look) for name, value in controls),
    ]


def _by_change(fields: Sequence[LiveField]) -> list[tuple[LiveField, ...]]:
    """Together what was changed together, newest first."""
    causes = sorted({field.cause for field in fields}, reverse=True)
    return [tuple(field for field in fields if field.cause == cause) for cause in causes]


def live(fields: Sequence[LiveField], look: Look) -> Line:
    """`live     max_age_s, cap  by ana since 14:01 "why"`: what one change set beside the settings."""
    first, signs = fields[0], look.signs
    since = f" since {words.clock_short(first.since_s, look.zone)}" if first.since_s else ""
    why = f'  "{words.plain(first.reason, signs)}"' if first.reason else ""
    names = ", ".join(field.field for field in fields)
    return (
        Span(" live     ", "muted"),
        Span(names, "accent", bold=True),
        Span(f" by {words.plain(first.by, signs)}{since}"),
        Span(why, "muted"),
    )


def control(name: str, value: Control, look: Look) -> Line:
    """`mode LIFO  by ana since 14:01 until 14:16 "why"`."""
    signs = look.signs
    shown = value.value.upper() if name == "mode" else value.value
    spans = [Span(f" {name:<8} ", "muted"), Span(f"{shown:<5}", "accent" if value.overridden else "", bold=True)]
    if not value.overridden and not value.automatic:
        return (*spans, Span(" as the policy says", "muted"))
    since = f" since {words.clock_short(value.since_s, look.zone)}" if value.since_s else ""
    forever = "" if value.automatic else ", no expiry"
    until = f" until {words.clock_short(value.until_s, look.zone)}" if value.until_s else forever
    why = f'  "{words.plain(value.reason, signs)}"' if value.reason else ""
    return (*spans, Span(f" by {words.plain(value.by, signs)}{since}{until}"), Span(why, "muted"))


def ledger(queue: QueueState, look: Look) -> list[Line]:
    """What came in, where it is, and whether that adds up."""
    book, signs = queue.ledger, look.signs
    if book.state is LedgerState.UNKNOWN:
        return [
            (
                Span(" ledger   ", "muted"),
                Span(f"{signs.dash} nothing is counted: stock RQ producers and workers", "muted"),
            )
        ]
    came = (("accepted", book.accepted), ("adopted", book.adopted), ("moved in", book.moved_in))
    went = (("delivered", book.delivered), ("deleted", book.deleted), ("vanished", book.vanished),
            ("expired", book.expired), ("superseded", book.superseded), ("moved out", book.moved_out),
            ("failed", queue.failed), ("in flight", queue.in_flight), ("waiting", queue.backlog),
            ("scheduled", queue.scheduled), ("held", queue.deferred))  # fmt: skip
    aside = (f"refused {book.refused:,}", f"duplicates {book.duplicates:,}", f"retries {book.retried:,}")
    verdict = {
        LedgerState.BALANCED: Span(f"{signs.yes} adds up", "ok", bold=True),
        LedgerState.PARTIAL: Span("partial: other producers do not count", "muted", bold=True),
    }.get(book.state) or Span(f"{signs.no} {_residue(book.residue)}", "bad", bold=True)
    return [
        (Span(" ledger   ", "muted"), verdict, Span(f"   in: {_sum(came)}")),
        (Span(f"          where: {_sum(went)}"),),
        (Span(f"           also: {look.dot.join(aside)}", "muted"),),
    ]  # fmt: skip


def _sum(parts: Sequence[tuple[str, int]]) -> str:
    """Every part that is not nothing."""
    return " + ".join(f"{name} {amount:,}" for name, amount in parts if amount) or "nothing"


def _residue(residue: int) -> str:
    return f"{residue:,} missing" if residue > 0 else f"{-residue:,} too many"


def operations(running: Sequence[Operation], now_s: float, look: Look) -> list[Line]:
    """Drains and refills under way."""
    lines: list[Line] = []
    for operation in running:
        of = f" of {operation.limit:,}" if operation.limit else ""
        since = words.age(max(0.0, now_s - operation.started_s), look.signs) if operation.started_s else ""
        where = f" {'to' if operation.kind == 'drain' else 'from'} {words.plain(operation.target, look.signs)}"
        text = f"{operation.kind}{where}: {operation.done:,}{of} so far{look.dot}{since}{look.dot}x stops it"
        note = f"{look.dot}{words.plain(operation.note, look.signs)}" if operation.note else ""
        lines.append((Span(" running  ", "muted"), Span(text, "info", bold=True), Span(note, "muted")))
    return lines
