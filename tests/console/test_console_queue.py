"""The queue, workers and log screens under the keys."""

from __future__ import annotations

from dataclasses import replace

from console_support import Clock, ScriptedLink, main_screen, opened, settle, text_of, toasts
from textual.pilot import Pilot

from queuectl.console.app import ConsoleApp
from queuectl.console.bars import Lines
from queuectl.console.figures import Figures
from queuectl.console.screens.job import JobScreen
from queuectl.console.screens.panel import ActionPanel
from queuectl.console.screens.queue import QueueScreen
from queuectl.console.view import line_text
from queuectl.console.widgets.chart import Chart
from queuectl.model import JobDetail, JobView, Operation, Scale, ServerError, SetShed, Switch, Undo


async def go(app: ConsoleApp, pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(app)
        await pilot.pause()


def rows(app: ConsoleApp) -> list[str]:
    return [row.key for row in main_screen(app).table().rows]


async def test_everything_about_one_queue() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        assert main_screen(app).title_name == "queue"
        assert text_of(app, "#alert").startswith(" ▲ forum: growing 4.4k/s")
        facts = text_of(app, "#facts")
        for said in (
            "overflow 744,000 (29.8 MB)",
            "failed 12",
            "LIFO  by ana@mail-01 since 14:01 until 14:16",
            "✓ adds up",
        ):
            assert said in facts
        assert "newest first" in text_of(app, "#jobs-heading")
        assert "undo: 117" in text_of(app, "#queue-events")
        assert str(app.screen.query_one("#chart-1", Chart).border_title) == "forum: in / out per second"
        assert len(app.screen.query_one(Figures).render().plain.splitlines()) == 4


async def test_digits_are_plain_where_there_is_no_room_or_no_unicode() -> None:
    async with opened(size=(60, 24)) as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        assert "1,204,442" in app.screen.query_one(Figures).render().plain
    async with opened(ascii_only=True) as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        plain = app.screen.query_one(Figures).render().plain
        assert "1,204,442" in plain
        assert plain.isascii()


async def test_actions_are_about_the_queue_of_the_screen() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "enter", "s")
        assert isinstance(app.screen, ActionPanel)
        assert app.screen.preview is not None
        assert app.screen.preview.action == SetShed("forum", Switch.OFF, 900)
        assert link.committed == []


async def test_only_the_rows_in_sight_are_fetched() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "enter")
        screen = main_screen(app)
        assert isinstance(screen, QueueScreen)
        page = screen.page_rows
        assert link.pages[-1] == ("forum", "queued", 0, page)
        assert len(rows(app)) == page
        await go(app, pilot, "pagedown")
        assert link.pages[-1] == ("forum", "queued", page, page)
        assert f"{page + 1}-{2 * page} of 460,442" in text_of(app, "#jobs-heading")
        await go(app, pilot, "pageup")
        assert link.pages[-1][2] == 0
        assert {limit for _, _, _, limit in link.pages[2:]} == {page}


async def test_walking_off_the_page_fetches_the_next_row() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "enter")
        page = main_screen(app).page_rows
        await go(app, pilot, *["j"] * page)
        assert link.pages[-1][2] == 1
        await go(app, pilot, *["k"] * page)
        assert link.pages[-1][2] == 0


async def test_first_and_last_and_a_list_that_became_shorter() -> None:
    async with opened() as (app, pilot, link):
        link.change_queue("forum", depth=400, surge=0)
        await settle(app)
        await go(app, pilot, "G", "enter", "G")
        page = main_screen(app).page_rows
        assert link.pages[-1][2] == 400 - page
        await go(app, pilot, "g")
        assert link.pages[-1][2] == 0
        link.change_queue("forum", depth=100_000, surge=0)
        await settle(app)
        await go(app, pilot, "G")
        assert "of 100,000" in text_of(app, "#jobs-heading")
        assert app.return_code is None


async def test_the_cursor_stays_on_its_job_while_the_queue_moves() -> None:
    class MovingLink(ScriptedLink):
        shift = 0

        async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
            return await super().jobs(queue, state, offset + self.shift, limit)

    link = MovingLink()
    async with opened(link) as (app, pilot, _):
        await go(app, pilot, "G", "enter", "j", "j", "j", "j")
        key = main_screen(app).table().cursor_key
        link.shift = 2
        await settle(app)
        await settle(app)
        assert main_screen(app).table().cursor_key == key
        assert rows(app).index(key) == 2


async def test_tab_goes_through_the_states() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "enter", "tab")
        assert link.pages[-1][:2] == ("forum", "started")
        assert "JOBS in flight" in text_of(app, "#jobs-heading")
        assert "claim order" not in text_of(app, "#jobs-heading")
        await go(app, pilot, *["tab"] * 7)
        assert "JOBS queued" in text_of(app, "#jobs-heading")


async def test_a_job_in_full() -> None:
    async with opened(environment={"name": "PROD"}) as (app, pilot, _):
        await go(app, pilot, "G", "enter", "j", "enter")
        assert isinstance(app.screen, JobScreen)
        title, body = (line_text(one.lines[0]) for one in app.screen.query(Lines))
        assert "PROD" in title
        assert "job forum-nov-899999" in title
        assert "queue" in body
        await pilot.press("j", "k", "escape")
        assert not isinstance(app.screen, JobScreen)


async def test_a_job_that_is_gone_and_one_that_holds_escape_codes() -> None:
    class OddLink(ScriptedLink):
        async def job(self, job_id: str, queue: str, state: str) -> JobDetail:
            view = JobView(job_id, "forum", "failed", 3.0, 2, "x\x1b[2J", "ValueError: [/b]")
            return JobDetail(view, {"a\x1b": "b\x07"}, "0: PROTO\n1: STOP", "pickle", ("ok [red]",))

    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        main_screen(app)._open("nosuch")
        await settle(app)
        await pilot.pause()
        assert toasts(app) == ["there is no job 'nosuch' any more"]
    async with opened(OddLink()) as (app, pilot, _):
        await go(app, pilot, "G", "enter", "enter")
        text = "\n".join(one.render().plain for one in app.screen.query(Lines))
        assert "\x1b" not in text
        assert "body (pickle)" in text
        assert "ok [red]" in text


async def test_jobs_that_cannot_be_read_keep_the_last_page() -> None:
    class FlakyLink(ScriptedLink):
        broken = False

        async def jobs(self, queue: str, state: str, offset: int, limit: int) -> list[JobView]:
            if self.broken:
                raise ServerError("time-out")
            return await super().jobs(queue, state, offset, limit)

    link = FlakyLink()
    async with opened(link) as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        before = rows(app)
        link.broken = True
        await settle(app)
        await settle(app)
        assert rows(app) == before
        assert "time-out" in text_of(app, "#jobs-heading")


async def test_operations_and_their_progress() -> None:
    async with opened() as (app, pilot, link):
        began_s = link.state.taken_at_s - 9
        link.running = (Operation("op7", "refill", "forum", "overflow", done=12_000, started_s=began_s),)
        await go(app, pilot, "G", "enter")
        assert "refill from overflow: 12,000 so far · 9.0s · x stops it" in text_of(app, "#facts")
        await go(app, pilot, "x")
        assert link.running == ()


async def test_a_queue_that_disappears_is_said() -> None:
    async with opened() as (app, pilot, link):
        await go(app, pilot, "G", "enter")
        link.state = replace(link.state, queues=link.state.queues[:2])
        await settle(app)
        assert "queue 'forum' is no longer there" in text_of(app, "#facts")
        await go(app, pilot, "s")
        assert toasts(app) == ["queue 'forum' does not exist"]


async def test_disconnected_on_the_queue_screen() -> None:
    clock = Clock()
    async with opened(clock=clock) as (app, pilot, link):
        await go(app, pilot, "G", "enter")
        pages = len(link.pages)
        link.away = "gone"
        await settle(app)
        assert all(row.dim for row in main_screen(app).table().rows)
        assert len(link.pages) == pages
        assert "gone" in text_of(app, "#alert")


# Workers and log.


async def test_workers_and_scaling_from_there() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "3", *["j"] * 7, "w")
        assert isinstance(app.screen, ActionPanel)
        assert app.screen.preview is not None
        assert app.screen.preview.action == Scale("bulk", 12, 900)
        await go(app, pilot, "escape", "g", "enter")
        assert app.screen.preview.action == Scale("critical", 4, 900)
        await go(app, pilot, "escape", "slash", *"rq", "enter")
        assert len(rows(app)) == 5


async def test_the_log_filters_and_undoes_what_is_selected() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "6")
        assert rows(app) == ["119", "118", "117", "116", "115", "114"]
        await go(app, pilot, "j", "j", "u")
        assert isinstance(app.screen, ActionPanel)
        assert app.screen.preview is not None
        assert app.screen.preview.action == Undo(117)
        await go(app, pilot, "escape", "G", "u", "k", "u")
        assert toasts(app) == ["114 cannot be undone: undone by 115", "115 cannot be undone"]
        await go(app, pilot, "slash", *"ben", "enter")
        assert rows(app) == ["115", "114"]


async def test_the_log_is_read_again_only_when_something_happened() -> None:
    class CountingLink(ScriptedLink):
        reads = 0

        async def audit(self, limit: int):
            self.reads += 1
            return await super().audit(limit)

    link = CountingLink()
    async with opened(link) as (app, pilot, _):
        await go(app, pilot, "6")
        reads = link.reads
        await settle(app)
        assert link.reads == reads
        newest = replace(link.state.events[0], number=120)
        link.state = replace(link.state, events=(newest, *link.state.events))
        await settle(app)
        await settle(app)
        assert link.reads == reads + 1
        assert rows(app)[0] == "120"
