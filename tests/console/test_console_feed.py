"""The refresh loop: one poll at a time, a failure keeps the picture, a reconnect fills the gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from console_support import Clock, ScriptedLink

from queuectl.console.feed import INTERVALS_S, Feed
from queuectl.console.fixed import NOW_S, audit


def feed(link: ScriptedLink, clock: Clock | None = None, interval_s: float | None = None) -> tuple[Feed, asyncio.Event]:
    painted = asyncio.Event()
    return Feed(link, interval_s, painted.set, clock or Clock()), painted


@asynccontextmanager
async def running(one: Feed) -> AsyncIterator[None]:
    task = asyncio.create_task(one.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_history_at_attach_then_one_sample_a_poll() -> None:
    link = ScriptedLink()
    one, _ = feed(link)
    await one.poll()
    assert [sample.at_s for sample in one.picture().samples] == [NOW_S], "the picture does not wait for the history"
    await one.loaded()
    samples = one.picture().samples
    assert (samples[0].at_s, samples[-1].at_s, len(samples)) == (NOW_S - 900, NOW_S, 901)
    link.state = replace(link.state, taken_at_s=NOW_S + 5)
    await one.poll()
    samples = one.picture().samples
    assert (samples[0].at_s, samples[-1].at_s) == (NOW_S - 895, NOW_S + 5)
    assert link.histories == 1


async def test_a_failure_keeps_the_picture_and_its_age_grows() -> None:
    link, clock = ScriptedLink(), Clock()
    one, _ = feed(link, clock)
    await one.poll()
    link.away = "Connection refused"
    clock.now_s += 12
    await one.poll()
    picture = one.picture()
    assert picture.fleet == link.state
    assert (picture.failure, picture.age_s, picture.stale) == ("Connection refused", 12, True)


async def test_after_a_failure_the_history_is_fetched_anew() -> None:
    link = ScriptedLink()
    one, _ = feed(link)
    await one.poll()
    await one.loaded()
    link.away = "gone"
    await one.poll()
    link.away = ""
    await one.poll()
    await one.loaded()
    assert link.histories == 2
    assert not one.picture().failure


async def test_a_pause_is_filled_from_the_history() -> None:
    link = ScriptedLink()
    one, _ = feed(link)
    await one.poll()
    await one.loaded()
    link.state = replace(link.state, taken_at_s=NOW_S + 300)
    await one.poll()
    await one.loaded()
    assert link.histories == 2


async def test_another_range_is_read_once_and_merged() -> None:
    link = ScriptedLink()
    one, _ = feed(link)
    await one.poll()
    await one.loaded()
    assert one.next_span() == 3600
    one.show_span(3600)
    one.show_span(21_600)
    await one.loaded()
    picture = one.picture()
    assert (picture.span_s, picture.history, len(picture.samples)) == (21_600, 2, 39)
    assert picture.samples[-1].at_s == NOW_S
    assert max(sample.queues["forum"].backlog for sample in picture.samples) == 1_204_442
    one.show_span(86_400)
    assert one.next_span() == 300


async def test_a_long_range_has_the_events_of_all_of_it() -> None:
    link = ScriptedLink()
    link.state = replace(link.state, events=link.state.events[:2])
    one, _ = feed(link)
    await one.poll()
    assert len(one.picture().events) == 2
    link.audited = audit()
    one.show_span(3600)
    await one.loaded()
    await one.poll()
    assert [entry.number for entry in one.picture().events] == [119, 118, 117, 116, 115, 114]


async def test_a_history_that_cannot_be_read_is_tried_again_with_the_next_poll() -> None:
    link = ScriptedLink()
    one, _ = feed(link)
    await one.poll()
    link.away = "gone"
    await one.loaded()
    assert len(one.picture().samples) == 1
    link.away = ""
    await one.poll()
    await one.loaded()
    assert len(one.picture().samples) == 901


async def test_an_unexpected_error_is_shown_and_does_not_end_the_loop() -> None:
    class BrokenLink(ScriptedLink):
        async def operations(self):
            raise ValueError("boom")

    one, _ = feed(BrokenLink())
    await one.poll()
    assert "boom" in one.picture().failure


async def test_there_is_never_more_than_one_poll_under_way() -> None:
    link = ScriptedLink()
    one, painted = feed(link)
    async with running(one):
        await asyncio.wait_for(painted.wait(), 10)
        link.hold = asyncio.Event()
        one.poke()
        await until(lambda: link.open_polls == 1)
        for _ in range(5):
            one.poke()
            await asyncio.sleep(0)
        link.hold.set()
        await until(lambda: link.polls == 3)
        assert link.most_open_polls == 1


async def test_interval_goes_round_and_off_waits_to_be_woken() -> None:
    link = ScriptedLink()
    one, _ = feed(link, interval_s=1.0)
    seen = []
    for _ in INTERVALS_S:
        one.cycle_interval()
        seen.append(one.interval_s)
    assert seen == [2.0, 5.0, 10.0, None, 0.5, 1.0]


async def test_frozen_polls_nothing_and_changes_nothing() -> None:
    link = ScriptedLink()
    one, painted = feed(link)
    async with running(one):
        await asyncio.wait_for(painted.wait(), 10)
        one.toggle_frozen()
        polls = link.polls
        one.poke()
        await _turns(20)
        assert link.polls == polls
        one.toggle_frozen()
        await until(lambda: link.polls == polls + 1)


async def test_a_poll_that_was_under_way_when_it_froze_is_not_painted() -> None:
    link = ScriptedLink()
    one, painted = feed(link)
    link.hold = asyncio.Event()
    poll: Awaitable[None] = asyncio.create_task(one.poll())
    await until(lambda: link.open_polls == 1)
    one.frozen = True
    link.hold.set()
    await poll
    assert not painted.is_set()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
