from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from queuectl.policy.alerting import Alert, Standings, alert
from queuectl.policy.findings import Finding, Severity

AFTER_S = 30.0


def stalled(queue: str = "forum", text: str = "stalled") -> Finding:
    return Finding(Severity.BAD, text, queue)


def told(pictures: list[list[Finding]], step_s: float = 10.0) -> list[tuple[float, Alert]]:
    standings: Standings = {}
    found = []
    for number, findings in enumerate(pictures):
        standings, alerts = alert(standings, findings, number * step_s, AFTER_S)
        found += [(number * step_s, one) for one in alerts]
    return found


def test_lasting_trouble_is_told_once_and_its_end_once() -> None:
    pictures = [[stalled(text=f"{number} waiting")] for number in range(6)] + [[]] * 6
    (began_s, began), (ended_s, ended) = told(pictures)
    assert (began_s, began) == (30.0, Alert("forum", ("3 waiting",), 30.0))
    assert (ended_s, ended) == (80.0, Alert("forum", ("5 waiting",), 50.0, over=True))


def test_what_passes_quickly_is_not_told() -> None:
    assert told([[stalled()]] * 3 + [[]] * 6) == []


def test_a_short_break_neither_ends_trouble_nor_begins_it_anew() -> None:
    pictures = [[stalled()]] * 4 + [[]] * 2 + [[stalled()]] * 4
    assert [one.over for _, one in told(pictures)] == [False]


def test_warnings_are_not_told() -> None:
    assert told([[Finding(Severity.WARN, "growing", "forum")]] * 9) == []


def test_places_stand_for_themselves() -> None:
    pictures = [[stalled(), stalled("welcome"), stalled("", "no memory left")]] * 4
    assert {one.place for _, one in told(pictures)} == {"forum", "welcome", ""}


@given(st.lists(st.booleans(), max_size=200))
def test_begin_and_end_take_turns_and_lie_apart(wrong: list[bool]) -> None:
    alerts = told([[stalled()] if bad else [] for bad in wrong])
    assert all(one.over is bool(number % 2) for number, (_, one) in enumerate(alerts))
    assert all(after_s - before_s >= AFTER_S for (before_s, _), (after_s, _) in pairwise(alerts))
