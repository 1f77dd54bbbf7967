"""The report of an incident: one HTML file that needs nothing but a browser, or Markdown for a ticket."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from queuectl import __version__
from queuectl.model import QueueSample
from queuectl.policy.masking import mask_text
from queuectl.record import wording
from queuectl.record.charts import AGE, AMOUNT, Curve, Frame, Marker, chart
from queuectl.record.incident import Evidence, Incident, QueueFigures, incident, longest_gap_s

MOST_CURVES = 6
MOST_QUEUE_CHARTS = 12
LARGE, SMALL = (940, 220), (320, 150)
"""Width and height of a chart, px."""
MOST_MARKERS = 60


def html_report(evidence: Evidence, zone: tzinfo | None = None) -> str:
    """A whole page. Every word of others is escaped, addresses are masked; `zone` None is the machine's own."""
    environment = _environment(autoescape=True, zone=zone)
    found = incident(evidence)
    return environment.get_template("incident.html").render(report=found, charts=_Charts(found, zone), **_words(found))


def markdown_report(evidence: Evidence, zone: tzinfo | None = None) -> str:
    """The same facts without the curves."""
    environment = _environment(autoescape=False, zone=zone)
    environment.finalize = _markdown
    found = incident(evidence)
    return environment.get_template("incident.md").render(report=found, **_words(found))


def _environment(*, autoescape: bool, zone: tzinfo | None) -> Environment:
    templates = files("queuectl.record") / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (templates / name).read_text("utf-8")),
        autoescape=autoescape,  # noqa: S701 - False for Markdown alone, where `finalize` escapes
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": wording.count,
        "age": wording.age,
        "clock": lambda at_s: wording.clock(at_s, zone),
        "moment": lambda at_s: wording.moment(at_s, zone),
        "zone": lambda at_s: wording.zone_name(at_s, zone),
        "masked": mask_text,
    }
    return environment


def _markdown(value: Any) -> str:
    """A value as inert Markdown in one line, also within a table's cell."""
    line = " ".join(str(value).split())
    return re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", line)


def _words(found: Incident) -> dict[str, Any]:
    evidence = found.evidence
    ledgers = [queue.ledger.residue for queue in evidence.last.queues]
    return {
        "version": __version__,
        "evidence": evidence,
        "length_s": evidence.to_s - evidence.from_s,
        "delivered": _total(found.queues, lambda one: one.delivered),
        "came": _total(found.queues, lambda one: one.came),
        "estimated": any(one.estimated and one.delivered is not None for one in found.queues),
        "waiting": sum(queue.backlog for queue in evidence.last.queues),
        "residue": sum(map(abs, ledgers)),
        "worst": found.queues[0] if found.queues and found.queues[0].backlog else None,
        "oldest": max((one for one in found.queues if one.staleness),
                      key=lambda one: one.staleness.value if one.staleness else 0.0, default=None),
    }  # fmt: skip


def _total(queues: Sequence[QueueFigures], figure: Callable[[QueueFigures], float | None]) -> float | None:
    known = [value for one in queues if (value := figure(one)) is not None]
    return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class _Charts:
    """Draws what the page asks for."""

    found: Incident
    zone: tzinfo | None

    def fleet(self) -> list[Markup]:
        """Waiting and oldest of the worst queues, and all mail in and out."""
        names = [one.queue.name for one in self.found.queues[:MOST_CURVES]]
        frame = self._frame(None)
        return [
            chart("Waiting", self._by_queue(names, lambda one: one.backlog), frame, AMOUNT),
            chart("All mail, messages a second", self._in_and_out(None), frame, AMOUNT),
            chart("Age of the oldest waiting message", self._by_queue(names, lambda one: one.oldest_s), frame, AGE),
        ]  # fmt: skip

    def queues(self) -> list[tuple[str, list[Markup]]]:
        """The same for each queue that had something waiting, the worst first."""
        shown = [one.queue.name for one in self.found.queues if one.backlog][:MOST_QUEUE_CHARTS]
        return [(name, self._of_queue(name)) for name in shown]

    @property
    def left_out(self) -> int:
        return max(0, sum(one.backlog is not None for one in self.found.queues) - MOST_QUEUE_CHARTS)

    def _of_queue(self, name: str) -> list[Markup]:
        frame = self._frame(name)
        ages = [*self._by_queue([name], lambda one: one.oldest_s, "oldest"),
                *self._by_queue([name], lambda one: one.wait_p95_s, "wait p95")]  # fmt: skip
        return [
            chart("Waiting", self._by_queue([name], lambda one: one.backlog, "waiting"), frame, AMOUNT),
            chart("In and out /s", self._in_and_out(name), frame, AMOUNT),
            chart("Age", ages, frame, AGE),
        ]

    def _frame(self, queue: str | None) -> Frame:
        evidence = self.found.evidence
        width, height = SMALL if queue else LARGE
        return Frame(evidence.from_s, evidence.to_s, longest_gap_s(evidence.samples), self.zone,
                     self._markers(queue), width, height)  # fmt: skip

    def _markers(self, queue: str | None) -> list[Marker]:
        chosen = [entry for entry in self.found.evidence.events if queue in (None, entry.scope)]
        return [
            Marker(entry.at_s, str(entry.number), f"#{entry.number} {entry.who}: {entry.action} {entry.scope}",
                   "auto" if entry.who == "auto" else "operator")
            for entry in chosen[-MOST_MARKERS:]
        ]  # fmt: skip

    def _by_queue(
        self, names: Sequence[str], reading: Callable[[QueueSample], float | None], label: str = ""
    ) -> list[Curve]:
        return [Curve(label or name, self._points(name, reading)) for name in names]

    def _points(self, name: str, reading: Callable[[QueueSample], float | None]) -> list[tuple[float, float | None]]:
        return [
            (sample.at_s, reading(one) if (one := sample.queues.get(name)) else None)
            for sample in self.found.evidence.samples
        ]

    def _in_and_out(self, queue: str | None) -> list[Curve]:
        return [Curve("in", self._rates(queue, lambda one: one.in_per_s)),
                Curve("out", self._rates(queue, lambda one: one.out_per_s))]  # fmt: skip

    def _rates(
        self, queue: str | None, rate: Callable[[QueueSample], float | None]
    ) -> list[tuple[float, float | None]]:
        points: list[tuple[float, float | None]] = []
        for sample in self.found.evidence.samples:
            chosen = sample.queues.values() if queue is None else filter(None, [sample.queues.get(queue)])
            known = [value for one in chosen if (value := rate(one)) is not None]
            points.append((sample.at_s, sum(known) if known else None))
        return points
