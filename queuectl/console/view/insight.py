"""Why jobs failed, and how old those are that wait for whom: what a sample of a queue tells."""

from __future__ import annotations

from collections.abc import Sequence

from queuectl.console import words
from queuectl.console.view.look import Line, Look, Span, cut
from queuectl.model import QueueSamples
from queuectl.policy.qshape import AgeRow, AgeTable, age_table, group_reasons

COUNT_CELLS = 7
DOMAIN_CELLS = 20


def error_lines(samples: QueueSamples, rows: int, columns: int, look: Look) -> list[Line]:
    """Reasons of the newest failed and scheduled jobs, the most frequent first."""
    groups = group_reasons(samples.reasons)
    read, troubled = samples.troubled_read, samples.troubled
    sampled = f" {look.signs.approx} newest {read:,} of {troubled:,}" if read < troubled else f" {troubled:,} jobs"
    heading: Line = (Span(" LAST ERRORS", "title", bold=True), Span(sampled if troubled else "", "muted"))
    lines = [heading]
    if not groups:
        lines.append((Span(" none failed, none waits for another try" if not troubled else " no reasons known",
                           "muted"),))  # fmt: skip
    room = rows - 1
    shown = groups if len(groups) <= room else groups[: room - 1]
    lines += [(Span(f"{group.count:>6,} ", "bad", bold=True), Span(words.plain(group.reason, look.signs)))
              for group in shown]  # fmt: skip
    if len(shown) < len(groups):
        rest = sum(group.count for group in groups[len(shown) :])
        lines.append((Span(f"{rest:>6,} ", "bad"), Span(f"for {len(groups) - len(shown)} other reasons", "muted")))
    return [cut(line, columns, look) for line in lines]


def age_lines(samples: QueueSamples, rows: int, columns: int, look: Look) -> list[Line]:
    """Waiting jobs by age and recipient's domain, as qshape shows them."""
    table = age_table(samples.waiting, samples.depth)
    if not table.sampled:
        return [(Span(" WAITING BY AGE", "title", bold=True), Span(" nothing waits", "muted"))]
    room = max(rows - 2, 1)
    lines = [_age_heading(table, look), _row("TOTAL", table.total, look, bold=True)]
    shown = table.rows if len(table.rows) <= room else table.rows[: room - 1]
    lines += [_row(row.domain, row, look) for row in shown]
    if len(shown) < len(table.rows):
        lines.append(_row(f"{len(table.rows) - len(shown)} other domains", _sum(table.rows[len(shown) :]), look))
    return [cut(line, columns, look) for line in lines]


def _age_heading(table: AgeTable, look: Look) -> Line:
    estimated = f"{look.signs.approx} sampled " if table.estimated else ""
    bounds = [f"<{words.coarse(bound)}" for bound in table.bounds_s] + [f">{words.coarse(table.bounds_s[-1])}"]
    return (Span(" AGE ", "title", bold=True), Span(f"{estimated:<{DOMAIN_CELLS - 5}}", "muted"),
            Span("".join(f"{text:>{COUNT_CELLS}}" for text in ("ALL", *bounds)), "muted", bold=True))  # fmt: skip


def _row(name: str, row: AgeRow, look: Look, *, bold: bool = False) -> Line:
    label = words.fit(words.plain(name, look.signs), DOMAIN_CELLS - 2, look.signs)
    counts = "".join(f"{_short(count):>{COUNT_CELLS}}" for count in row.counts)
    return (Span(f" {label:<{DOMAIN_CELLS - 1}}", "" if bold else "accent", bold),
            Span(f"{_short(row.total):>{COUNT_CELLS}}", "", bold=True), Span(counts, "", bold))  # fmt: skip


def _short(count: int) -> str:
    return f"{count:,}" if count < 100_000 else words.short(count)


def _sum(rows: Sequence[AgeRow]) -> AgeRow:
    counts = zip(*(row.counts for row in rows), strict=True)
    return AgeRow("", sum(row.total for row in rows), tuple(map(sum, counts)))
