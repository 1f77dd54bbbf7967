"""Plots, events, log, workers and one queue in words: pure functions on the fixed deployment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from queuectl.console import fixed
from queuectl.console.picture import Picture
from queuectl.console.view import Look, line_text
from queuectl.console.view.charts import busiest, drawing, fleet_plots, marks, providers_of, queue_plots, replies_plot
from queuectl.console.view.events import event_lines
from queuectl.console.view.jobs import jobs_heading
from queuectl.console.view.log import rows as log_rows
from queuectl.console.view.queue import figures, ledger, operations, policy, tiers
from queuectl.console.view.workers import pool_of
from queuectl.console.view.workers import rows as worker_rows
from queuectl.model import (
    Control,
    Ledger,
    LedgerState,
    Operation,
    QueueState,
    ReplyHistory,
    Switch,
    WorkerState,
)

LOOK = Look(zone=UTC)
FLEET = fixed.fleet()
FRESH = Picture(FLEET)


def queue(name: str) -> QueueState:
    found = FLEET.queue(name)
    assert found is not None
    return found


# Plots, events, log, workers.


def test_plots_of_the_fleet() -> None:
    samples = fixed.history(60)
    depth, flow, oldest, tiers, waits, busy, used = (make() for make in fleet_plots(FLEET, samples, LOOK))
    assert [series.name for series in depth.series] == ["forum", "legacy", "payment", "welcome"]
    assert depth.title == "waiting · busiest 4 of 5"
    assert [series.name for series in flow.series] == ["in", "out"]
    assert (oldest.unit, waits.unit, busy.unit, busy.most, used.unit) == ("s", "s", "%", 1.0, "/s")
    assert flow.series[0].points[-1][1] == pytest.approx(sum(one.in_per_s or 0 for one in samples[-1].queues.values()))
    assert tiers.stacked
    assert sum(series.points[-1][1] or 0 for series in tiers.series) == sum(
        one.backlog for one in samples[-1].queues.values()
    )
    assert [series.name for series in busy.series] == ["critical", "bulk", "legacy"]
    assert busy.series[2].points[-1][1] == pytest.approx(0.8)
    assert [series.name for series in used.series] == ["default", "ses", "postmark"]


def test_plots_of_a_queue() -> None:
    tiers, _, ages, busy, used = (make() for make in queue_plots("forum", FLEET, fixed.history(60)))
    assert [(one.name, one.points[-1][1]) for one in tiers.series] == [
        ("primary", 48_112), ("surge", 412_330), ("overflow", 744_000)]  # fmt: skip
    assert [one.name for one in ages.series] == ["oldest", "wait p50", "p95", "p99"]
    assert [one.name for one in busy.series] == ["bulk"]
    assert (used.title, [one.name for one in used.series]) == ("ses: used / allowed per second", ["used", "allowed"])
    assert providers_of("welcome", FLEET) == ("default",)
    assert providers_of("", FLEET) == ("default", "ses", "postmark")


def test_replies_are_stacked_by_class_with_the_rest_together() -> None:
    replies = fixed.replies("ses", 900)
    plot = replies_plot("ses", replies)
    assert [one.name for one in plot.series] == ["delivered", "throttled", "failed recipient"]
    assert len(plot.series[0].points) == 14, "the minute that is not over yet is left out"
    many = {f"failed {letter}": (1, 1, 1) for letter in "abcde"}
    plot = replies_plot("ses", ReplyHistory(0.0, {"delivered": (5, 5, 5), **many}))
    assert [(one.name, one.points[0]) for one in plot.series][3] == ("3 others", (60.0, 3.0))


def test_a_queue_that_was_not_there_yet_leaves_a_gap() -> None:
    plot = queue_plots("new", FLEET, fixed.history(3))[0]()
    assert [value for _, value in plot.series[0].points] == [None] * 4


def test_colours_stay_with_their_queues_when_the_ranking_changes() -> None:
    assert busiest({"a": 1.0, "b": 2.0, "c": None}) == busiest({"a": 4.0, "b": 2.0, "c": 0.0}) == ("a", "b", "c")
    assert busiest(dict.fromkeys("edcba", 0.0)) == ("a", "b", "c", "d")


def test_marks_are_what_happened_to_the_queue_in_the_time_shown() -> None:
    picture = Picture(FLEET, events=FLEET.events)
    found = marks(picture, "forum", fixed.NOW_S - 900)
    assert [(mark.name, mark.rule) for mark in found] == [("mode", True), ("shed", True), ("repair", False)]
    assert len(marks(picture, "", fixed.NOW_S - 900)) == 4
    assert len(marks(picture, "", fixed.NOW_S - 9000)) == 6


def test_long_ranges_take_their_step_for_no_gap() -> None:
    plot = queue_plots("forum", FLEET, fixed.history(60))[0]()
    assert drawing(plot, Picture(FLEET, span_s=900.0), "").gap_s == 25.0
    assert drawing(plot, Picture(FLEET, span_s=86_400.0), "").gap_s == 240.0


def test_events_say_when_there_are_more() -> None:
    lines = [line_text(line) for line in event_lines(FLEET.events, LOOK, 3)]
    assert lines[0] == ' 14:01:02 ana@mail-01    forum        mode   fifo → lifo  "newest digests first"  undo: 119'
    assert lines[2] == " ▼ 4 more in the log"
    assert line_text(event_lines((), LOOK, 3)[0]) == " nothing was changed yet"
    assert event_lines((), LOOK, 0) == []


def test_log_rows_can_be_filtered() -> None:
    assert [one.key for one in log_rows(FLEET.events, "ben", LOOK)] == ["115", "114"]
    assert log_rows(FLEET.events, "", LOOK)[-1].cells["undo"].text == "by 115"


def test_workers_stand_below_their_pools() -> None:
    rows = worker_rows(FLEET, LOOK)
    assert [one.key for one in rows if one.key.startswith("pool:")] == ["pool:critical", "pool:bulk", "pool:legacy"]
    assert len(rows) == 3 + 21
    assert pool_of("pool:bulk", FLEET) == "bulk"
    assert pool_of("a1c04f1d", FLEET) == "legacy"
    assert pool_of("", FLEET) == ""


def test_a_ghost_and_a_scaling_pool_are_visible() -> None:
    ghost = WorkerState("w1", "h", 1, ("forum",), "busy", "lost", ghost=True, heartbeat_age_s=44)
    bulk = replace(FLEET.pools[1], desired=20)
    by_key = {one.key: one for one in worker_rows(replace(FLEET, workers=(ghost,), pools=(bulk,)), LOOK)}
    assert by_key["w1"].cells["state"].text == "ghost"
    assert by_key["pool:bulk"].cells["actual"].text == "12 → 20"


# One queue.


def test_large_figures() -> None:
    assert [(one.label, one.text) for one in figures(queue("forum"), LOOK)] == [
        ("waiting", "1,204,442"),
        ("in/s", "5,012"),
        ("out/s", "600"),
        ("oldest", "17m48s"),
        ("wait p95", "1.1s"),
        ("clear in", "never"),
    ]


def test_tiers_and_policy_in_force() -> None:
    assert line_text(tiers(queue("forum"), LOOK)) == (
        " tiers    primary 48,112 ‹ surge 412,330 ‹ overflow 744,000 (29.8 MB) · shed store 12,480"
    )
    lines = [line_text(line) for line in policy(queue("forum"), LOOK)]
    assert lines[1] == ' mode     LIFO  by ana@mail-01 since 14:01 until 14:16  "newest digests first"'
    assert lines[3] == " pause    off   as the policy says"


def test_what_automation_decided_says_why() -> None:
    changed = replace(queue("legacy"), shed=Control(Switch.ON, by="auto", reason="pressure 0.93"))
    assert line_text(policy(changed, LOOK)[2]) == ' shed     on    by auto  "pressure 0.93"'


def test_an_override_without_expiry_says_so() -> None:
    changed = replace(queue("legacy"), pause=Control(Switch.ON, True, None, None, "ben"))
    assert line_text(policy(changed, LOOK)[3]) == " pause    on    by ben, no expiry"


def test_the_ledger_shows_every_counter_and_its_parts_add_up() -> None:
    for name in ("security", "payment", "welcome", "forum"):
        one, book = queue(name), queue(name).ledger
        living = one.backlog + one.in_flight + one.scheduled + one.deferred + one.failed
        gone = book.delivered + book.deleted + book.vanished + book.moved_out
        assert book.accepted + book.adopted + book.moved_in == gone + living
    lines = [line_text(line) for line in ledger(queue("forum"), LOOK)]
    assert lines[0] == " ledger   ✓ adds up   in: accepted 1,934,012"
    assert "waiting 1,204,442" in lines[1]
    assert "retries 431" in lines[2]


@pytest.mark.parametrize(
    ("book", "said"),
    [
        (Ledger(state=LedgerState.RESIDUE, residue=4), "✗ 4 missing"),
        (Ledger(state=LedgerState.RESIDUE, residue=-4), "✗ 4 too many"),
        (Ledger(state=LedgerState.PARTIAL), "partial"),
        (Ledger(), "nothing is counted"),
    ],
)
def test_a_ledger_that_does_not_add_up_says_so(book: Ledger, said: str) -> None:
    assert said in line_text(ledger(replace(queue("forum"), ledger=book), LOOK)[0])


def test_operations_under_way() -> None:
    drain = Operation("op1", "drain", "forum", "overflow", done=312_000, limit=412_000, started_s=fixed.NOW_S - 12)
    assert line_text(operations([drain], fixed.NOW_S, LOOK)[0]) == (
        " running  drain to overflow: 312,000 of 412,000 so far · 12s · x stops it"
    )


def test_jobs_heading() -> None:
    assert line_text(jobs_heading(queue("forum"), "queued", 20, 11, LOOK)) == (
        " JOBS queued 21-31 of 460,442 in claim order, newest first · tab: in flight"
    )
    assert line_text(jobs_heading(queue("legacy"), "failed", 0, 0, LOOK)) == " JOBS failed none of 7 · tab: finished"
