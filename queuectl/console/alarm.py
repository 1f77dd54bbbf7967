"""When to ring the terminal's bell and what to write into its title: pure, from one picture after another."""

from __future__ import annotations

from collections.abc import Callable

from queuectl.model import FleetState
from queuectl.policy.diagnosis import diagnose
from queuectl.policy.findings import Finding, Severity

CALM = "queuectl"


class Alarm:
    """Remembers which queues mail does not get through on, so that each trouble rings once."""

    def __init__(self) -> None:
        self._known: frozenset[str] | None = None

    def hear(self, fleet: FleetState) -> tuple[bool, str]:
        """(ring now, the title). What is wrong already when a console attaches is on screen and does not ring."""
        bad = [finding for finding in diagnose(fleet) if finding.severity is Severity.BAD]
        places = frozenset(finding.queue for finding in bad)
        ring = self._known is not None and not places <= self._known
        self._known = places
        return ring, _title(bad)


def _title(bad: list[Finding]) -> str:
    if not bad:
        return CALM
    first = bad[0]
    where = f"{first.queue}: " if first.queue else ""
    more = f" +{len(bad) - 1}" if len(bad) > 1 else ""
    text = f"! {where}{first.text}{more} - {CALM}"
    return "".join(char if char.isprintable() else " " for char in text)


class Bell:
    """Rings and writes the title of one terminal."""

    def __init__(self, ring: Callable[[], None], write_title: Callable[[str], None]) -> None:
        self._alarm = Alarm()
        self._ring = ring
        self._write_title = write_title
        self._title = ""

    def hear(self, fleet: FleetState) -> None:
        ring, title = self._alarm.hear(fleet)
        if ring:
            self._ring()
        self._write(title)

    def rest(self) -> None:
        """The console leaves: a title that was changed becomes calm again."""
        if self._title:
            self._write(CALM)

    def _write(self, title: str) -> None:
        if title != self._title:
            self._title = title
            self._write_title(title)
