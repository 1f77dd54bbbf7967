"""Jobs as rows, and which part of which list they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from queuectl.console import words
from queuectl.console.view.look import Line, Look, Span, width
from queuectl.console.widgets.table import Cell, Column, Row
from queuectl.model import JobView, QueueState
from queuectl.policy.matching import matches

JOB_COLUMNS: tuple[Column, ...] = (
    Column("place", "#", 9, "right", 1),
    Column("age", "AGE", 7, "right", 0),
    Column("tries", "TRIES", 5, "right", 3),
    Column("what", "WHAT", 30, "left", 0, True),
    Column("job", "JOB", 22, "left", 2),
    Column("error", "ERROR", 24, "left", 4),
)
TROUBLE_COLUMNS: tuple[Column, ...] = (
    Column("place", "#", 9, "right", 3),
    Column("age", "AGE", 7, "right", 1),
    Column("tries", "TRIES", 5, "right", 3),
    Column("what", "WHAT", 24, "left", 1, True),
    Column("error", "WHY", 34, "left", 0, True),
    Column("job", "JOB", 22, "left", 4),
)
"""Where the reason is what one looks for."""

_TOTALS: Mapping[str, Callable[[QueueState], int]] = {
    "queued": lambda queue: queue.depth + queue.surge,
    "started": lambda queue: queue.in_flight,
    "scheduled": lambda queue: queue.scheduled,
    "held": lambda queue: queue.deferred,
    "failed": lambda queue: queue.failed,
    "finished": lambda queue: queue.finished,
    "overflow": lambda queue: queue.overflow,
    "shed": lambda queue: queue.shed_stored,
}
STATES = tuple(_TOTALS)
"""Job lists, in the order in which tab goes through them."""
PACKED = frozenset({"overflow", "shed"})
"""Their jobs lie in packed segments: a look costs more, and what is in them does not change."""
_LABELS = {"started": "in flight"}


def total(queue: QueueState, state: str) -> int:
    return _TOTALS[state](queue)


def label(state: str) -> str:
    return _LABELS.get(state, state)


def columns(state: str) -> tuple[Column, ...]:
    """The reason stands before the id where there is one."""
    return JOB_COLUMNS if state in ("queued", "started", "finished") else TROUBLE_COLUMNS


def job_row(job: JobView, place: int, look: Look, *, dim: bool = False) -> Row:
    """One job; `place` counts from 1 in the list's order."""
    signs = look.signs
    cells = {
        "place": Cell(f"{place:,}", "muted", False),
        "age": Cell(words.age(job.age_s, signs), "", False),
        "tries": Cell(str(job.attempts), "warn" if job.attempts else "muted", False),
        "what": Cell(words.plain(job.summary, signs), "", False),
        "job": Cell(words.plain(job.job_id, signs), "muted", False),
        "error": Cell(words.plain(job.error, signs), "bad" if job.state == "failed" else "", False),
    }
    return Row(job.job_id, cells, dim)


def passing(jobs: Sequence[JobView], filter_words: str) -> list[tuple[int, JobView]]:
    """Index and job of those that match, each id once."""
    seen: set[str] = set()
    found = []
    for index, job in enumerate(jobs):
        if job.job_id not in seen and matches(filter_words, job.job_id, job.summary, job.error):
            found.append((index, job))
        seen.add(job.job_id)
    return found


def jobs_heading(queue: QueueState, state: str, first: int, shown: int, look: Look) -> Line:
    """Which list this is, and which part of it is in sight."""
    following = label(STATES[(STATES.index(state) + 1) % len(STATES)])
    return (Span(f" JOBS {label(state)}", "title", bold=True), Span(_part(queue, state, first, shown), "muted"),
            Span(f"{look.dot}tab: {following}", "muted"))  # fmt: skip


def _part(queue: QueueState, state: str, first: int, shown: int) -> str:
    amount = total(queue, state)
    newest_first = queue.direction.value == "lifo"
    order = f" in claim order, {'newest' if newest_first else 'oldest'} first" if state == "queued" else ""
    part = f" {first + 1:,}-{first + shown:,} of {amount:,}" if shown else f" none of {amount:,}" if amount else ""
    return f"{part}{order}"


def tabs(queue: QueueState, state: str, look: Look, columns: int) -> Line:
    """Every list with its count, the one in sight as a badge; those that do not fit are left out from the front."""
    pieces = [_tab(one, total(queue, one), one == state) for one in STATES]
    name = Span(f" {words.plain(queue.name, look.signs)} ", "title", bold=True)
    line: Line = (name, *(span for piece in pieces for span in piece))
    if width(line) <= columns:
        return line
    following = [*pieces[STATES.index(state) :], *pieces[: STATES.index(state)]]
    line = (name,)
    for index, piece in enumerate(following):
        room = columns - (0 if index == len(following) - 1 else 2)
        if width(line) + width(piece) > room:
            return (*line, Span(f" {look.signs.more}", "accent"))
        line = (*line, *piece)
    return line


def _tab(state: str, amount: int, chosen: bool) -> Line:
    tone = "bad" if state == "failed" and amount else "" if amount else "muted"
    if chosen:
        return (Span(" "), Span(f" {label(state)} {amount:,} ", "accent", bold=True, badge=True))
    return (Span(f"  {label(state)} ", "muted"), Span(f"{amount:,}", tone))


def part_line(queue: QueueState, state: str, first: int, shown: int) -> Line:
    """Which part of the list is in sight."""
    return (Span(_part(queue, state, first, shown) or " none", "muted"),)


def keys_line(look: Look) -> Line:
    return (Span(f"{look.dot}tab other state{look.dot}n other queue", "muted"),)


def chosen_line(jobs: Sequence[JobView], filter_words: str, marked: int, look: Look) -> Line:
    """How many of the jobs in sight the filter lets pass, and how many are marked, here or elsewhere."""
    spans: list[Span] = []
    if filter_words:
        passed = len(passing(jobs, filter_words))
        spans += [Span(" "), Span(f" filter {words.plain(filter_words, look.signs)!r}: {passed} of the {len(jobs)} in"
                                  " sight (esc clears) ", "accent", badge=True)]  # fmt: skip
    if marked:
        spans += [Span(" "), Span(f" {marked:,} marked (esc unmarks) ", "warn", badge=True)]
    return tuple(spans)
