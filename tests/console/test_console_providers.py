"""The providers screen, and what the queue screen tells from a sample."""

from __future__ import annotations

from dataclasses import replace

from console_support import Clock, ScriptedLink, main_screen, opened, settle, text_of, toasts
from test_console_jobs import go

from queuectl.console import fixed
from queuectl.console.view import Look, line_text
from queuectl.console.view.insight import age_lines, error_lines
from queuectl.console.view.providers import rows
from queuectl.model import ProviderState, QueueSamples, ServerError, WaitingSample

LOOK = Look()


async def test_every_provider_with_what_holds_it_back() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "4", "j")
        shown = {row.key: row.cells for row in main_screen(app).table().rows}
        assert list(shown) == ["default", "ses", "postmark"]
        ses = shown["ses"]
        assert (ses["state"].text, ses["share"].text, ses["share"].tone) == ("▲ recovering", "96%", "warn")
        assert (ses["connections"].text, ses["until"].text) == ("120/200", "14:03:11")
        assert shown["default"]["allowed"].text == "no limit"
        facts = text_of(app, "#provider")
        assert "limit 1,000/s x 0.62 while it recovers" in facts
        assert "454 4.7.0 throttling failure: maximum sending rate exceeded" in facts
        assert "forum" in facts
        await go(app, pilot, "enter", "y", "slash", *"recov", "enter")
        assert toasts(app) == ["ses: 454 4.7.0 throttling failure: maximum sending rate exceeded", "copied ses"]
        assert [row.key for row in main_screen(app).table().rows] == ["ses"]


def test_a_queue_of_an_unknown_provider_is_the_defaults() -> None:
    fleet = replace(fixed.fleet(), providers=(ProviderState("default"), ProviderState("other")))
    shown = {row.key: row.cells["queues"].text for row in rows(fleet, LOOK)}
    assert shown == {"default": "forum legacy payment security welcome", "other": ""}


async def test_a_server_without_providers() -> None:
    link = ScriptedLink()
    link.state = replace(link.state, providers=())
    async with opened(link, ascii_only=True) as (app, pilot, _):
        await go(app, pilot, "4", "enter")
        assert text_of(app, "#provider") == ""


# The queue screen's sample.


async def test_errors_and_ages_where_there_is_room() -> None:
    async with opened() as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        errors, ages = text_of(app, "#errors"), text_of(app, "#ages")
        assert "≈ newest 200 of 222" in errors
        assert "114 550 5.1.1 mailbox unavailable: …@example.…" in errors
        assert "≈ sampled" in ages
        assert "48,112" in ages
        assert "example.org" in ages
    async with opened(size=(80, 24)) as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        assert not main_screen(app).query_one("#insight").display


async def test_the_sample_is_taken_now_and_then_and_survives_a_lost_server() -> None:
    class CountingLink(ScriptedLink):
        samplings = 0

        async def samples(self, queue: str) -> QueueSamples:
            self.samplings += 1
            if self.samplings > 1:
                raise ServerError("gone")
            return await super().samples(queue)

    clock, link = Clock(), CountingLink()
    async with opened(link, clock=clock) as (app, pilot, _):
        await go(app, pilot, "G", "enter")
        await settle(app)
        assert link.samplings == 1
        clock.now_s += 11
        await settle(app)
        await settle(app)
        assert link.samplings == 2
        assert "newest 200" in text_of(app, "#errors")
        await go(app, pilot, "escape", "g", "enter")
        assert text_of(app, "#errors") == ""


def test_errors_say_how_many_more_reasons_there_are() -> None:
    reasons = tuple(f"reason {'x' * number}" for number in range(9))
    lines = [line_text(line) for line in error_lines(QueueSamples((), 0, reasons, 9, 9), 6, 40, LOOK)]
    assert len(lines) == 6
    assert lines[0] == " LAST ERRORS 9 jobs"
    assert lines[-1] == "     5 for 5 other reasons"
    assert "none failed" in line_text(error_lines(QueueSamples(), 6, 60, LOOK)[1])
    assert "no reasons known" in line_text(error_lines(QueueSamples(troubled=3, troubled_read=3), 6, 60, LOOK)[1])


def test_ages_add_up_the_domains_that_do_not_fit() -> None:
    waiting = tuple(WaitingSample(1.0, f"d{number}.example") for number in range(9))
    lines = [line_text(line) for line in age_lines(QueueSamples(waiting, 9), 6, 71, LOOK)]
    assert len(lines) == 6
    assert lines[-1].split()[:4] == ["6", "other", "domains", "6"]
    assert max(map(len, lines)) <= 71
    assert line_text(age_lines(QueueSamples(), 6, 71, LOOK)[0]) == " WAITING BY AGE nothing waits"
