"""The jobs screen: any list of any queue, marks, and which jobs a panel is about."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_support import ScriptedLink, main_screen, opened, settle, text_of, toasts
from textual.pilot import Pilot
from textual.widgets import Button

from queuectl.console import fixed_jobs
from queuectl.console.app import ConsoleApp
from queuectl.console.bars import Lines
from queuectl.console.choice import Choice
from queuectl.console.screens.job import JobScreen
from queuectl.console.screens.jobs import JobsScreen
from queuectl.console.screens.panel import ActionPanel
from queuectl.console.view import Look, line_text
from queuectl.console.view.jobs import STATES, tabs, total
from queuectl.model import DeleteFailed, JobView, RetryFailed, UsageError


async def go(app: ConsoleApp, pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(app)
        await pilot.pause()


def rows(app: ConsoleApp) -> list[str]:
    return [row.key for row in main_screen(app).table().rows]


FIRST = fixed_jobs.JOBS[0].job_id
SECOND = fixed_jobs.JOBS[1].job_id


async def test_the_failed_jobs_of_the_selected_queue_come_first() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5")
        assert main_screen(app).title_name == "jobs"
        assert link.pages[-1] == ("forum", "failed", 0, main_screen(app).page_rows)
        assert " failed 12 " in text_of(app, "#jobs-tabs")
        assert "1-12 of 12" in text_of(app, "#jobs-heading")
        await go(app, pilot, "1", "g", "j", "5")
        assert link.pages[-1][:2] == ("security", "queued")


async def test_tab_goes_through_every_state_and_back() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5")
        seen = []
        for _ in STATES:
            seen.append(link.pages[-1][1])
            await go(app, pilot, "tab")
        assert sorted(seen) == sorted(STATES)
        assert link.pages[-1][1] == "failed"
        await go(app, pilot, "shift+tab")
        assert link.pages[-1][1] == "held"


async def test_n_goes_through_the_queues_in_the_same_state() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5", "n")
        assert link.pages[-1][:2] == ("payment", "failed")
        await go(app, pilot, "N", "N")
        assert link.pages[-1][:2] == ("welcome", "failed")
        await go(app, pilot, "colon", *"jobs legacy", "enter")
        assert link.pages[-1][:2] == ("legacy", "failed")


async def test_only_the_rows_in_sight_are_fetched_and_packed_ones_once() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5", "tab", "tab")
        assert link.pages[-1][1] == "overflow"
        fetched = len(link.pages)
        await settle(app)
        await settle(app)
        assert len(link.pages) == fetched
        link.change_queue("forum", overflow=743_000)
        await settle(app)
        assert len(link.pages) == fetched + 1
        assert {limit for *_, limit in link.pages} == {main_screen(app).page_rows}


async def test_the_filter_says_what_it_is_about() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "5", "slash", *"spam", "enter")
        assert "filter 'spam': 3 of the 12 in sight" in text_of(app, "#jobs-heading")
        assert len(rows(app)) == 3
        await go(app, pilot, "escape")
        assert len(rows(app)) == 12


@pytest.mark.parametrize(
    ("keys", "options", "action"),
    [
        ("R", ("the selected one", "all 12 failed of forum"), RetryFailed("forum", (FIRST,))),
        ("space space R", ("2 marked", "all 12 failed of forum"), RetryFailed("forum", tuple(sorted((FIRST, SECOND))))),
        ("space D", ("1 marked", "all 12 failed of forum"), DeleteFailed("forum", (FIRST,))),
        ("a delete", ("12 marked", "all 12 failed of forum"),
         DeleteFailed("forum", tuple(sorted(job.job_id for job in fixed_jobs.JOBS[:12])))),
        ("space space k space R", ("1 marked", "all 12 failed of forum"), RetryFailed("forum", (FIRST,))),
    ],
)  # fmt: skip
async def test_the_panel_says_which_and_how_many(keys: str, options: tuple[str, ...], action: object) -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5", *keys.split())
        assert isinstance(app.screen, ActionPanel)
        assert app.screen.query_one("#field-which", Choice)._options == options
        assert app.screen.preview is not None
        assert app.screen.preview.action == action
        assert f"{len(action.job_ids):,} failed messages of forum" in text_of(app, "#headline")
        app.screen.query_one("#confirm", Button).press()
        await settle(app)
        await pilot.pause()
        assert [done for done, _, _ in link.committed] == [action]
        assert main_screen(app).table().marked == frozenset()


async def test_all_is_another_choice_and_matching_a_third() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "5", "space", "slash", *"spam", "enter", "R")
        choice = app.screen.query_one("#field-which", Choice)
        assert choice._options == ("1 marked", "3 matching in sight", "all that match spam", "all 12 failed of forum")
        choice.focus()
        await go(app, pilot, "right")
        assert len(app.screen.preview.action.job_ids) == 3
        await go(app, pilot, "right")
        assert app.screen.preview.action == RetryFailed("forum", match="spam")
        await go(app, pilot, "right")
        assert app.screen.preview.action == RetryFailed("forum")
        assert "Retry 12 failed messages" in text_of(app, "#headline")


async def test_a_typed_command_is_about_the_whole_queue() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "5", "space", "colon", *"delete forum", "enter")
        assert app.screen.preview.action == DeleteFailed("forum")


async def test_in_another_list_only_all_failed_are_offered() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "5", "tab", "space", "R")
        assert app.screen.query_one("#field-which", Choice)._options == ("all 12 failed of forum",)


async def test_marks_are_counted_kept_while_paging_and_taken_away() -> None:
    class ManyLink(ScriptedLink):
        async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
            jobs = await super().jobs(queue, "queued", offset, limit)
            return [replace(job, state=state) for job in jobs]

    async with opened(ManyLink()) as (app, pilot, link):
        link.change_queue("forum", failed=400)
        await settle(app)
        await go(app, pilot, "G", "5", "space", "pagedown", "space")
        assert "2 marked" in text_of(app, "#jobs-heading")
        await go(app, pilot, "escape")
        assert "marked" not in text_of(app, "#jobs-heading")
        assert isinstance(main_screen(app), JobsScreen)
        await go(app, pilot, "a", "a", "space", "n")
        assert main_screen(app).table().marked == frozenset()
        await go(app, pilot, "escape")
        assert main_screen(app).title_name == "fleet"


async def test_a_job_in_full_with_its_text_also_from_a_packed_tier() -> None:
    class NotingLink(ScriptedLink):
        asked: tuple[str, ...] = ()

        async def job(self, job_id: str, queue: str, state: str):
            self.asked = (job_id, queue, state)
            return await super().job(job_id, queue, state)

    link = NotingLink()
    async with opened(link) as (app, pilot, _):
        await go(app, pilot, "G", "5", "tab", "tab", "enter")
        assert isinstance(app.screen, JobScreen)
        assert link.asked == (FIRST, "forum", "overflow")
        assert "14 new answers in your threads" in "\n".join(one.render().plain for one in app.screen.query(Lines))


async def test_what_cannot_be_listed_is_said() -> None:
    class ShortLink(ScriptedLink):
        async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
            if offset:
                raise UsageError("only the first 100,000 jobs in overflow can be looked at")
            return await super().jobs(queue, "queued", offset, limit)

    async with opened(ShortLink()) as (app, pilot, _):
        await go(app, pilot, "G", "5", "tab", "tab", "pagedown")
        assert "only the first 100,000" in text_of(app, "#jobs-heading")
        assert rows(app)


async def test_marking_is_for_jobs_only_and_says_nothing_elsewhere() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "space", "R")
        assert toasts(app) == ["retry: not on the fleet screen"]


async def test_the_id_goes_to_the_clipboard() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "5", "j", "y")
        assert app.clipboard == SECOND
        assert toasts(app) == [f"copied {SECOND}"]
        await go(app, pilot, "1", "y")
        assert app.clipboard == "forum"


async def test_a_queue_that_disappears() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5")
        link.state = replace(link.state, queues=())
        await settle(app)
        assert "queue 'forum' is not there" in text_of(app, "#jobs-tabs")
        await go(app, pilot, "1", "5")
        assert toasts(app)[-1] == "there is no queue yet"


def test_tabs_that_do_not_fit_keep_the_chosen_one_and_a_sign() -> None:
    queue = ScriptedLink().queue("forum")
    look = Look()
    for state in STATES:
        whole = line_text(tabs(queue, state, look, 200))
        assert all(f"{total(queue, one):,}" in whole for one in STATES)
        narrow = line_text(tabs(queue, state, look, 40))
        assert len(narrow) <= 40
        assert narrow.endswith("›")
        assert f"{total(queue, state):,} " in narrow


async def test_an_address_is_revealed_by_a_key_of_its_own() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "5", "enter")
        shown = app.screen.query_one("#job-lines", Lines)
        assert not any("ana.keller@" in line_text(line) for line in shown.lines)
        await go(app, pilot, "R")
        assert line_text(shown.lines[0]).split()[:2] == ["to", "ana.keller@example.org"]
        assert link.revealed == [FIRST]
