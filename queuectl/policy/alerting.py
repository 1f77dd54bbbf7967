"""When somebody is told of trouble: pure, from one picture's findings after another.

An alert is about a place (a queue, or the fleet as a whole), not about a sentence, whose numbers change every second:
however the trouble of one place shifts, it is told once, and its end once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from queuectl.policy.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Standing:
    """One place's trouble. Times in seconds of one clock."""

    since_s: float
    seen_s: float
    """When it was last seen."""
    texts: tuple[str, ...]
    told: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """What to tell. `place` is a queue's name, or empty for the fleet; `lasted_s` counts from the first sight."""

    place: str
    texts: tuple[str, ...]
    lasted_s: float
    over: bool = False


Standings = Mapping[str, Standing]


def alert(
    before: Standings, findings: Iterable[Finding], now_s: float, after_s: float
) -> tuple[Standings, tuple[Alert, ...]]:
    """Trouble is told when it has stood for `after_s`, and its end when it has been away for as long."""
    after = {**before, **_seen(before, findings, now_s)}
    alerts = []
    for place, standing in list(after.items()):
        away_s = now_s - standing.seen_s
        if away_s > 0 and (away_s >= after_s or not standing.told):
            del after[place]
            if standing.told:
                alerts.append(Alert(place, standing.texts, standing.seen_s - standing.since_s, over=True))
        elif not standing.told and now_s - standing.since_s >= after_s:
            after[place] = replace(standing, told=True)
            alerts.append(Alert(place, standing.texts, now_s - standing.since_s))
    return after, tuple(alerts)


def _seen(before: Standings, findings: Iterable[Finding], now_s: float) -> dict[str, Standing]:
    texts: dict[str, list[str]] = {}
    for finding in findings:
        if finding.severity is Severity.BAD:
            texts.setdefault(finding.queue, []).append(finding.text)
    return {
        place: replace(before.get(place) or Standing(now_s, now_s, ()), seen_s=now_s, texts=tuple(said))
        for place, said in texts.items()
    }
