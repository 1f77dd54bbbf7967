"""Reports tell what the evidence holds, need nothing from elsewhere, and let no word of others do harm."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fleets import EVENTS, START_S, fleet

from queuectl.model import AuditEntry, FleetState, Policy, QueueSample, QueueState, Sample, ServerState
from queuectl.policy.history import sample_of
from queuectl.record.charts import AGE, AMOUNT, Curve, Frame, Marker, chart
from queuectl.record.incident import Evidence, Happening, incident
from queuectl.record.report import html_report, markdown_report
from queuectl.record.wording import age, count, short, zone_name


def evidence(seconds: int = 60, **changes: object) -> Evidence:
    pictures = [fleet(second) for second in range(seconds)]
    samples = tuple(sample_of(one) for one in pictures)
    to_s = START_S + seconds - 1
    whole = Evidence("recording spike.qrec", START_S, to_s, samples, EVENTS[1:], pictures[-1], pictures[0])
    return replace(whole, **changes)  # type: ignore[arg-type]


def happened(of: Evidence) -> list[str]:
    return [f"{one.at_s - START_S:g} {one.who or 'seen'}: {one.what}" for one in incident(of).timeline]


# Facts.


def test_numbers_between_two_pictures_are_counted_from_the_ledger() -> None:
    forum = next(one for one in incident(evidence()).queues if one.queue.name == "forum")
    assert (forum.came, forum.delivered, forum.estimated) == (600 * 59, 500 * 59, False)
    assert forum.failed == 5
    assert forum.backlog and (forum.backlog.value, forum.backlog.at_s) == (5900, START_S + 59)
    assert forum.staleness and forum.staleness.value == 59


def test_without_a_picture_of_the_start_they_are_summed_up_from_rates() -> None:
    forum = next(one for one in incident(evidence(first=None)).queues if one.queue.name == "forum")
    assert (forum.came, forum.delivered, forum.estimated, forum.shed) == (600.0 * 59, 500.0 * 59, True, None)


def test_nothing_is_summed_up_over_a_gap_in_the_samples() -> None:
    samples = [Sample(START_S + at, {"q": QueueSample(1, 1, 0, 10.0, 10.0, 1.0, 1.0)}) for at in (0, 1, 1000, 1001)]
    last = FleetState(START_S + 1001, ServerState("x"), (QueueState("q"),))
    (figures,) = incident(Evidence("x", START_S, START_S + 1001, tuple(samples), (), last)).queues
    assert figures.came == 10 * (1 + 60 + 1)


def test_the_timeline_is_in_order_with_who_and_why() -> None:
    timeline = incident(evidence()).timeline
    assert [one.at_s for one in timeline] == sorted(one.at_s for one in timeline)
    acted = [one for one in timeline if one.number]
    assert acted[0] == Happening(EVENTS[1].at_s, "ana@mail-01", "shed forum: off → on", EVENTS[1].reason, 2)
    assert acted[1].what == "repair bulk-07: 201 requeued"


def curve(*values: tuple[float, float, float]) -> Evidence:
    """(seconds, oldest, out per second) of a queue with a target of 10 s and a max age of 100 s."""
    queue = QueueState("q", Policy(max_age_s=100, target_wait_s=10))
    samples = tuple(
        Sample(START_S + at, {"q": QueueSample(5, 5, 0, 1.0, out, oldest, None)}) for at, oldest, out in values
    )
    to_s = START_S + values[-1][0]
    return Evidence("x", START_S, to_s, samples, (), FleetState(to_s, ServerState("x"), (queue,)))


def test_a_queue_that_misses_its_target_is_seen_coming_and_going() -> None:
    seen = happened(curve(*((at, 50.0 if 100 <= at < 200 else 1.0, 1.0) for at in range(0, 400, 10))))
    assert seen == [
        "0 seen: q: most messages waiting, 5",
        "100 seen: q: waits longer than its target of 10s",
        "190 seen: q: back within its target wait",
    ]


def test_staleness_and_standstill_are_seen_and_short_ones_are_not() -> None:
    seen = happened(curve(*((at, 150.0 if at >= 300 else 1.0, 0.0 if at >= 250 else 1.0) for at in range(0, 400, 10))))
    assert "300 seen: q: oldest message past its max age of 1m40s" in seen
    assert "250 seen: q: nothing goes out though mail waits" in seen
    assert happened(curve(*((at, 150.0 if at == 100 else 1.0, 1.0) for at in range(0, 400, 10)))) == []


# The page.


class Page(HTMLParser):
    """Every tag and attribute, and whether the tags close."""

    VOID = frozenset({"meta", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    text = html_report(evidence(), UTC)
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(page.tags)
    assert not {"src", "href", "onclick", "style"} & {name for name, _ in page.attributes}
    assert "http://" not in text.replace("http-equiv", "")
    assert "url(" not in text
    assert page.tags.count("svg") == 6


def test_the_page_tells_the_incident() -> None:
    text = Page(html_report(evidence(), UTC)).text
    told = ("2025-11-24 16:00:00", "35,400", "29,500", "shed forum: off → on", "ana@mail-01", "16:00:12", "5,900",
            "✓ balances")  # fmt: skip
    for words in told:
        assert words in text


@pytest.mark.parametrize("write", [html_report, markdown_report])
def test_addresses_are_masked(write: object) -> None:
    text = write(evidence(), UTC)  # type: ignore[operator]
    assert "eve@example" not in text
    assert "e…@example.org" in text.replace("\\", "")


def test_words_of_others_do_no_harm() -> None:
    evil = "<script>alert(1)</script>\"'>|\n# x"
    event = AuditEntry(7, START_S + 1, evil, "shed", evil, "", evil, evil)
    picture = fleet(59)
    last = replace(picture, queues=(replace(picture.queues[0], name=evil),))
    samples = (Sample(START_S, {evil: QueueSample(9, 9, 0, 1.0, 1.0, 1.0, 1.0)}),
               Sample(START_S + 1, {evil: QueueSample(9, 9, 0, 1.0, 1.0, 1.0, 1.0)}))  # fmt: skip
    of = evidence(events=(event,), last=last, samples=samples, source=evil, notes=(evil,))
    page = Page(html_report(of, UTC))
    assert "script" not in page.tags
    text = markdown_report(of, UTC)
    assert "<script" not in text.replace("\\<", "")
    assert "\n# x" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6, 9, 11}


def test_a_time_without_samples_is_told_as_such() -> None:
    text = Page(html_report(evidence(samples=(), events=(), first=None), UTC)).text
    assert "Nobody sampled in this time" in text
    assert "Nobody changed anything" in text


def test_an_empty_server_makes_a_report() -> None:
    last = FleetState(START_S, ServerState("redis://x"))
    of = Evidence("redis://x", START_S - 60, START_S, (), (), last)
    assert "What happened" in html_report(of, UTC)
    assert "What happened" in markdown_report(of, UTC)


def test_many_queues_stay_one_bounded_page() -> None:
    picture = fleet(59)
    queues = tuple(replace(picture.queues[0], name=f"queue-{number:03}") for number in range(60))
    samples = tuple(sample_of(replace(picture, taken_at_s=START_S + second, queues=queues)) for second in range(3600))
    of = evidence(last=replace(picture, queues=queues), samples=samples, to_s=START_S + 3600)
    text = html_report(of, UTC)
    assert len(text) < 1_500_000
    assert "48 more queues had mail waiting" in text


# Curves.

FRAME = Frame(0.0, 100.0, 5.0, UTC, (), 400, 200)


def path_of(svg: str) -> str:
    found = re.search(r'class="line c0" d="([^"]*)"', svg)
    assert found
    return found[1]


def test_a_line_is_broken_where_nothing_is_known() -> None:
    points = [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 1.0), (50.0, 1.0)]
    assert path_of(chart("x", [Curve("a", points)], FRAME, AMOUNT)).count("M") == 3


def test_thinning_never_loses_a_peak() -> None:
    points = [(at / 100, 7.0 if at == 5_003 else 1.0) for at in range(10_000)]
    path = path_of(chart("x", [Curve("a", points)], FRAME, AMOUNT))
    assert len(re.findall("[ML]", path)) <= 400
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]
    assert min(heights) == pytest.approx(178 - 7 / 8 * 164, abs=0.1)


@pytest.mark.parametrize(("highest", "top"), [(0, 1), (1, 1), (1.5, 2), (4_700, 8_000), (1_204_442, 2_000_000)])
def test_axes_end_at_round_numbers(highest: float, top: float) -> None:
    assert AMOUNT.top(highest) == top


@pytest.mark.parametrize(("highest_s", "top_s"), [(0, 1), (1068, 1200), (15_000, 28_800), (400_000, 8 * 86_400)])
def test_axes_of_ages_end_at_round_ages(highest_s: float, top_s: float) -> None:
    assert AGE.top(highest_s) == top_s


def test_markers_carry_number_and_words() -> None:
    frame = replace(FRAME, markers=(Marker(50.0, "117", "#117 ana: shed <forum>", "operator"),))
    svg = chart("x", [], frame, AMOUNT)
    assert "<title>#117 ana: shed &lt;forum&gt;</title>" in svg
    assert ">117</text>" in svg


def test_wording() -> None:
    assert [age(seconds) for seconds in (None, 0, 0.34, 9.97, 60, 1068, 86_400 * 2, float("inf"))] == [
        "–", "0s", "0.3s", "10s", "1m", "17m48s", "2d", "never"
    ]  # fmt: skip
    assert [count(None), count(1234.4), count(1234.4, estimated=True)] == ["–", "1,234", "≈1,234"]
    assert [short(0), short(4412), short(250_000), short(2e6)] == ["0", "4.4k", "250k", "2M"]
    assert zone_name(START_S, timezone(timedelta(hours=-3, minutes=-30), "NST")) == "NST (UTC-03:30)"


def test_templates_are_shipped_with_the_package() -> None:
    import queuectl.record

    names = {path.name for path in (Path(queuectl.record.__file__).parent / "templates").iterdir()}
    assert names == {"incident.html", "incident.md"}
