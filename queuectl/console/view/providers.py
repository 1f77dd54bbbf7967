"""Providers as rows: how much of what is allowed goes out, and what holds it back."""

from __future__ import annotations

from queuectl.console import words
from queuectl.console.view.look import Line, Look, Span, cut
from queuectl.console.widgets.table import Cell, Column, Row
from queuectl.model import FleetState, ProviderState, ReplyHistory

COLUMNS: tuple[Column, ...] = (
    Column("name", "PROVIDER", 14, "left", 0),
    Column("state", "STATE", 12, "left", 0),
    Column("used", "USED/s", 7, "right", 0),
    Column("allowed", "ALLOWED/s", 9, "right", 0),
    Column("share", "USE", 5, "right", 1),
    Column("factor", "FACTOR", 6, "right", 2),
    Column("rate", "LIMIT/s", 7, "right", 4),
    Column("connections", "CONNS", 7, "right", 3),
    Column("until", "UNTIL", 8, "left", 2),
    Column("why", "WHY", 24, "left", 1, True),
    Column("fallback", "FALLBACK", 10, "left", 6),
    Column("queues", "QUEUES", 20, "left", 5),
)
NEAR_LIMIT = 0.9
BAR_CELLS = 30
_TONES = {"open": "ok", "held": "warn", "recovering": "warn", "probing": "warn", "suspended": "bad"}


def rows(fleet: FleetState, look: Look, *, dim: bool = False) -> list[Row]:
    """One row a provider, in the settings' order."""
    served = {provider.name: _queues(fleet, provider.name) for provider in fleet.providers}
    return [_row(provider, served[provider.name], look, dim) for provider in fleet.providers]


def _queues(fleet: FleetState, provider: str) -> str:
    """Names of the queues it delivers; a queue whose provider is not configured goes to the default one."""
    known = {one.name for one in fleet.providers}
    chosen = {queue.name: queue.policy.provider for queue in fleet.queues}
    return " ".join(
        name for name, wanted in sorted(chosen.items()) if (wanted if wanted in known else "default") == provider
    )


def use(provider: ProviderState) -> float | None:
    """Used / allowed; None where there is no limit."""
    return provider.used_per_s / provider.allowed_per_s if provider.allowed_per_s else None


def facts(provider: ProviderState, fleet: FleetState, look: Look, columns: int) -> list[Line]:
    """The selected provider in words, nothing cut but by the edge of the terminal."""
    signs = look.signs
    limit = "no limit of its own" if provider.rate_per_s is None else f"limit {words.rate(provider.rate_per_s)}/s"
    factor = f" x {provider.factor:.2f} while it recovers" if provider.factor < 1 else ""
    most = f" of {provider.max_connections:,}" if provider.max_connections else ""
    until = f"until {words.clock(provider.until_s, look.zone)}" if provider.until_s else "no back-off"
    lines: list[tuple[str, str]] = [
        ("rate", f"{words.rate(provider.used_per_s)}/s used{look.dot}{limit}{factor}"),
        ("connections", f"{provider.connections:,}{most} open over all workers"),
        ("back-off", f"{until}{look.dot}{words.plain(provider.reason, signs)}" if provider.reason else until),
        ("fallback", words.plain(provider.fallback, signs) or "none: its messages wait"),
        ("queues", words.plain(_queues(fleet, provider.name), signs) or "none"),
    ]
    heading: Line = (Span(f" {words.plain(provider.name, signs)}", "title", bold=True), _bar(provider, look))
    shown: list[Line] = [heading, *((Span(f"  {name:<12} ", "muted"), Span(text)) for name, text in lines)]
    return [cut(line, columns, look) for line in shown]


def reply_texts(replies: ReplyHistory, look: Look, columns: int, rows: int) -> list[Line]:
    """What was answered: the classes with their numbers, then the most frequent texts."""
    totals = sorted(replies.totals.items(), key=lambda item: (-item[1], item[0]))
    if not totals:
        return []
    sums = look.dot.join(f"{kind} {number:,}" for kind, number in totals if number)
    lines: list[Line] = [(Span(f"  {'replies':<12} ", "muted"), Span(sums or "none"))]
    for text, number in replies.texts[:rows]:
        lines.append((Span(f"  {number:>12,} ", "muted"), Span(words.plain(text, look.signs))))
    return [cut(line, columns, look) for line in lines]


def _bar(provider: ProviderState, look: Look) -> Span:
    """How much of what is allowed is used."""
    share = use(provider)
    if share is None:
        return Span("")
    cells = min(BAR_CELLS, round(share * BAR_CELLS))
    full, empty = ("#", ".") if look.signs.ascii else ("█", "░")
    tone = "warn" if share >= NEAR_LIMIT else "ok"
    return Span(f"  {full * cells}{empty * (BAR_CELLS - cells)} {words.percent(share)} of what is allowed", tone)


def _row(provider: ProviderState, queues: str, look: Look, dim: bool) -> Row:
    signs, share = look.signs, use(provider)
    limit = "none" if provider.rate_per_s is None else words.rate(provider.rate_per_s, signs)
    allowed = "no limit" if provider.allowed_per_s is None else words.rate(provider.allowed_per_s, signs)
    most = f"/{provider.max_connections:,}" if provider.max_connections else ""
    until = words.clock(provider.until_s, look.zone) if provider.until_s else ""
    cells = {
        "name": Cell(words.plain(provider.name, signs), "", True),
        "state": Cell(f"{_sign(provider, look)} {provider.condition}", _TONES.get(provider.condition, "warn"), False),
        "used": Cell(words.rate(provider.used_per_s, signs), "", True),
        "allowed": Cell(allowed, "" if provider.allowed_per_s is not None else "muted", False),
        "share": Cell(words.percent(share, signs), "warn" if share is not None and share >= NEAR_LIMIT else "", False),
        "factor": Cell(f"{provider.factor:.2f}", "warn" if provider.factor < 1 else "muted", False),
        "rate": Cell(limit, "muted", False),
        "connections": Cell(f"{provider.connections:,}{most}", "", False),
        "until": Cell(until, "warn", False),
        "why": Cell(words.plain(provider.reason, signs), "warn", False),
        "fallback": Cell(words.plain(provider.fallback, signs), "", False),
        "queues": Cell(words.plain(queues, signs), "muted", False),
    }
    return Row(provider.name, cells, dim)


def _sign(provider: ProviderState, look: Look) -> str:
    tone = _TONES.get(provider.condition, "warn")
    return {"ok": look.signs.ok, "warn": look.signs.warn, "bad": look.signs.bad}[tone]
