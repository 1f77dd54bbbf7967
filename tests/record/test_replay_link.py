"""The console's link on a recording: its clock, and that nothing can be changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fleets import EVENTS, START_S, fleet

from queuectl.console.link import Link
from queuectl.console.replay_link import ReplayLink
from queuectl.model import Preview, RefusedError, SetShed, Switch
from queuectl.record.player import Recording
from queuectl.record.recorder import Recorder


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def link(tmp_path: Path, clock: Clock) -> Iterator[ReplayLink]:
    with Recorder(tmp_path / "spike.qrec") as recorder:
        for second in range(61):
            recorder.add(fleet(second))
    with Recording(tmp_path / "spike.qrec") as recording:
        yield ReplayLink(recording, clock)


def shown(link: ReplayLink) -> float:
    return link.position_s - START_S


async def test_it_is_a_link_that_shows_the_recorded_second(link: ReplayLink, clock: Clock) -> None:
    as_link: Link = link
    clock.now_s += 20.5
    picture = await as_link.fleet()
    forum = picture.queues[0]
    assert replace(picture, queues=()) == replace(fleet(20), queues=())
    assert replace(forum, depth_history=()) == fleet(20).queues[0]
    assert forum.depth_history == tuple(range(0, 2001, 100))
    assert as_link.address == "recording://spike.qrec"


async def test_history_ends_at_the_time_shown(link: ReplayLink, clock: Clock) -> None:
    clock.now_s += 30
    samples = await link.history(10)
    assert [sample.at_s - START_S for sample in samples] == list(range(20, 31))


async def test_the_log_knows_only_what_had_happened(link: ReplayLink) -> None:
    link.seek(START_S + 20)
    assert await link.audit(10) == (EVENTS[1], EVENTS[0])
    link.seek(START_S + 60)
    assert await link.audit(2) == (EVENTS[2], EVENTS[1])


def test_the_clock_runs_holds_and_stops_at_the_end(link: ReplayLink, clock: Clock) -> None:
    clock.now_s += 10
    link.toggle_playing()
    clock.now_s += 100
    assert shown(link) == 10
    link.toggle_playing()
    clock.now_s += 100
    assert shown(link) == 60
    link.toggle_playing()
    assert (shown(link), link.playing) == (0, True)


def test_speed_changes_from_here_on(link: ReplayLink, clock: Clock) -> None:
    clock.now_s += 2
    link.change_speed(+1)
    clock.now_s += 3
    assert shown(link) == 8
    for _ in range(9):
        link.change_speed(+1)
    assert link.speed == 60
    for _ in range(9):
        link.change_speed(-1)
    assert (link.speed, shown(link)) == (0.5, 8)


def test_stepping_holds(link: ReplayLink, clock: Clock) -> None:
    clock.now_s += 5.4
    link.step(1)
    assert (shown(link), link.playing) == (6, False)
    link.step(-2)
    assert shown(link) == 4
    link.skip(-99)
    assert shown(link) == 0


def test_jumping_from_event_to_event(link: ReplayLink) -> None:
    link.toggle_playing()
    assert link.jump(+1)
    assert shown(link) == 13
    assert link.jump(+1)
    assert shown(link) == 41
    assert not link.jump(+1)
    assert link.jump(-1)
    assert shown(link) == 13
    assert not link.jump(-1)
    assert shown(link) == 13


async def test_every_change_is_refused(link: ReplayLink) -> None:
    action = SetShed("forum", Switch.ON)
    preview = Preview(action, "", "")
    for change in (link.preview(action), link.commit(preview, reason="", typed=""), link.stop_operation("1"),
                   link.job("x", "forum", "queued")):  # fmt: skip
        with pytest.raises(RefusedError, match="this is a recording"):
            await change
    assert await link.jobs("forum", "queued", 0, 10) == []
    assert await link.operations() == ()
