"""The header and the alert line: where we are, whether the picture is fresh, and what is wrong.

The clock repaints the header every second, and each change of tone costs 40 bytes on the line: few tones, then.
"""

from __future__ import annotations

from queuectl.console import words
from queuectl.console.picture import Picture
from queuectl.console.view.look import TONES, Line, Look, Span, cut, severity_sign, width
from queuectl.model import FleetState, LedgerState, ServerState
from queuectl.policy.diagnosis import diagnose
from queuectl.policy.findings import Finding, Severity
from queuectl.settings import EnvironmentSettings

_COLOURS = {"red": "bad", "yellow": "warn", "green": "ok", "blue": "info", "purple": "protected", "cyan": "accent"}
_STEPS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_DAEMON = {"child": "daemon: this console's child", "observing": "observing, nothing is written", "none": "no daemon"}


def environment_tone(environment: EnvironmentSettings) -> str:
    """Its colour, as the theme has it."""
    return _COLOURS[environment.colour or ("red" if environment.production else "blue")]


def environment_badge(environment: EnvironmentSettings) -> Line:
    """The name of the environment, and READ-ONLY: on every screen and in every dialog."""
    spans = []
    if environment.name or environment.production:
        name = environment.name or "PRODUCTION"
        spans += [Span(f" {name} ", environment_tone(environment), bold=True, badge=True), Span(" ")]
    if environment.read_only:
        spans += [Span(" READ-ONLY ", "warn", bold=True, badge=True), Span(" ")]
    return tuple(spans)


def header(
    picture: Picture, look: Look, columns: int, *, environment: EnvironmentSettings, address: str, daemon: str
) -> tuple[Line, Line]:
    """Left and right part of the header in `columns` cells; the least important facts go first when it is narrow."""
    right = _freshness(picture, look)
    badge = environment_badge(environment)
    left: Line = (Span(" queuectl ", "title", bold=True), *badge)
    if width(left) + width(right) + 2 > columns and badge:
        left = (Span(" "), *badge)
    right = cut(right, max(columns - width(left) - 1, 1), look)
    facts = [(Span(words.plain(short_address(address), look.signs)),), *_facts(picture.fleet, daemon, look)]
    for fact in facts:
        longer = (*left, *fact) if left[-1].text.endswith(" ") else (*left, Span(look.dot), *fact)
        if width(longer) + width(right) + 4 > columns:
            left = (*left, Span(f" {look.signs.ellipsis}", "muted"))
            break
        left = longer
    return left, right


def short_address(address: str) -> str:
    """What tells this server from another, in few cells: host, port and database, or the end of a socket's path."""
    scheme, _, rest = address.partition("://")
    if scheme == "recording":
        return f"recording {rest}"
    if scheme == "unix":
        return f"unix {'/'.join(rest.partition('?')[0].rsplit('/', 2)[-2:])}"
    secure = " tls" if scheme == "rediss" else ""
    return f"redis {rest.rpartition('@')[2].removesuffix('/0')}{secure}"


def _facts(fleet: FleetState | None, daemon: str, look: Look) -> list[Line]:
    if fleet is None:
        return []
    facts: list[Line] = [ledger_mark(fleet, look)]
    facts.append((Span(_automation(fleet, daemon, look), "warn" if daemon in ("none", "observing") else ""),))
    if fleet.hosts:
        facts.append((Span(f"{len(fleet.hosts)} host{'s' if len(fleet.hosts) > 1 else ''}"),))
    facts.append((Span(_server(fleet.server, look)),))
    facts.append((Span(f"{fleet.server.product} {fleet.server.version}"),))
    return facts


def _automation(fleet: FleetState, daemon: str, look: Look) -> str:
    if daemon in _DAEMON and not (daemon == "none" and fleet.leader):
        return _DAEMON[daemon]
    return f"leader {words.plain(fleet.leader, look.signs)}" if fleet.leader else "no daemon"


def _server(server: ServerState, look: Look) -> str:
    """Its memory, and how long it takes to answer."""
    size = words.size(server.memory_bytes, look.signs)
    if server.memory_max_bytes:
        size = f"{words.percent(server.memory_bytes / server.memory_max_bytes, look.signs)} memory"
    trip = "" if server.round_trip_s is None else f"{look.dot}{_coarse_ms(server.round_trip_s)}"
    return f"{size}{trip}"


def _coarse_ms(seconds: float) -> str:
    """1, 2, 5, 10, … ms: a figure that changes with every picture would be painted with every picture."""
    ms = next((step for step in _STEPS_MS if seconds * 1000 <= step), None)
    return f"{seconds:.1f}s" if ms is None else f"{ms}ms"


def ledger_mark(fleet: FleetState, look: Look) -> Line:
    """`ledger ✓`, the residue in red, or a dash where nothing is counted."""
    residues = [queue.ledger.residue for queue in fleet.queues if queue.ledger.state is LedgerState.RESIDUE]
    if residues:
        return (Span(f"ledger {look.signs.no} {sum(map(abs, residues)):,} unaccounted", "bad", bold=True),)
    if any(queue.ledger.state is LedgerState.BALANCED for queue in fleet.queues):
        return (Span(f"ledger {look.signs.yes}", "ok"),)
    return (Span(f"ledger {look.signs.dash}", "muted"),)


def _freshness(picture: Picture, look: Look) -> Line:
    if picture.failure:
        return (
            Span(
                f" disconnected {words.duration(int(picture.age_s))}{look.dot}retrying ", "bad", bold=True, badge=True
            ),
        )
    if picture.fleet is None:
        return (Span("connecting" + look.signs.ellipsis + " ", "warn"),)
    spans: list[Span] = []
    if picture.frozen:
        spans += [Span(" FROZEN ", "warn", bold=True, badge=True), Span(" ")]
    elif picture.stale:
        spans += [Span(f" stale {words.duration(int(picture.age_s))} ", "warn", bold=True, badge=True), Span(" ")]
    every = "refresh off" if picture.interval_s is None else f"every {picture.interval_s:g}s"
    slow = f"slow terminal{look.dot}" if picture.lagging else ""
    spans.append(Span(f"{slow}{every}{look.dot}{words.clock(picture.fleet.taken_at_s, look.zone)} "))
    return tuple(spans)


def alert(picture: Picture, look: Look, columns: int) -> Line:
    """The worst things first, in one line; when nothing is wrong, the answer to "is mail getting through?"."""
    if picture.fleet is None:
        return (Span(f" {look.signs.warn} {picture.failure or 'waiting for the first picture'}", "warn"),)
    if picture.failure:
        return cut((Span(f" {look.signs.bad} {words.plain(picture.failure, look.signs)}", "bad"),), columns, look)
    findings = diagnose(picture.fleet)
    if findings and findings[0].severity > Severity.INFO:
        return findings_line(findings, look, columns)
    well: Line = (Span(f" {look.signs.ok} ", "ok"), Span(_all_well(picture.fleet, look)))
    if not findings:
        return cut(well, columns, look)
    return (*well, *findings_line(findings, look, max(columns - width(well), 1), follows=True))


def findings_line(findings: tuple[Finding, ...], look: Look, columns: int, *, follows: bool = False) -> Line:
    """As many findings as fit, and how many more there are; `follows`: something stands before them."""
    ordered = _together(findings)
    line: Line = ()
    for index, finding in enumerate(ordered):
        piece = _finding(finding, ordered[index - 1] if index else None, look, follows=follows)
        after = len(ordered) - index - 1
        room = columns - (len(_more(after, look)) if after else 0)
        if width(line) + width(piece) > room:
            shown = line or cut(piece, room, look)
            return (*shown, Span(_more(after + (1 if line else 0), look), "muted"))
        line = (*line, *piece)
    return line


def _more(count: int, look: Look) -> str:
    return f"{look.dot}+{count} more" if count else ""


def _together(findings: tuple[Finding, ...]) -> list[Finding]:
    """A queue's findings stand together, where its worst one stands."""
    places = {finding.queue: index for index, finding in reversed(list(enumerate(findings)))}
    return sorted(findings, key=lambda finding: places[finding.queue])


def _finding(finding: Finding, before: Finding | None, look: Look, *, follows: bool) -> Line:
    tone = TONES[finding.severity] if finding.severity > Severity.INFO else ""
    text = Span(words.plain(finding.text, look.signs), tone)
    lead = Span(look.dot if before or follows else " ", "muted")
    if before is not None and before.queue == finding.queue:
        return (lead, text)
    name = f"{words.plain(finding.queue, look.signs)}: " if finding.queue else ""
    sign = severity_sign(finding.severity, look) if finding.severity > Severity.INFO else ""
    return (lead, Span(f"{sign} " if sign else "", tone), Span(name, tone, bold=True), text)


def _all_well(fleet: FleetState, look: Look) -> str:
    known = [queue.out_per_s for queue in fleet.queues if queue.out_per_s is not None]
    waiting = sum(queue.backlog for queue in fleet.queues)
    if not fleet.queues:
        return "no queues on this server yet"
    if not known:
        return f"{waiting:,} waiting; no rate is known yet"
    return f"mail is getting through at {words.rate(sum(known))}/s{look.dot}{waiting:,} waiting"
