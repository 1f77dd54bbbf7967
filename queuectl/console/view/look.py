"""How words are dressed: signs and time zone of this terminal, and coloured pieces of a line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

from queuectl.console.glyphs import UNICODE, Glyphs
from queuectl.policy.findings import Severity

TONES = {Severity.INFO: "ok", Severity.WARN: "warn", Severity.BAD: "bad"}


@dataclass(frozen=True, slots=True)
class Look:
    """What the terminal can show, and where the operator's clock stands; `zone` None is the machine's own."""

    signs: Glyphs = UNICODE
    zone: tzinfo | None = None

    @property
    def dot(self) -> str:
        """What stands between two facts of a line."""
        return f" {self.signs.separator} "


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line in one tone."""

    text: str
    tone: str = ""
    bold: bool = False
    badge: bool = False
    """Drawn in reverse, as a label."""


Line = tuple[Span, ...]


def line_text(line: Line) -> str:
    return "".join(span.text for span in line)


def width(line: Line) -> int:
    """Cells; every sign of ours is one cell wide."""
    return sum(len(span.text) for span in line)


def cut(line: Line, limit: int, look: Look) -> Line:
    """At most `limit` cells, with a sign where something was left out."""
    if width(line) <= limit:
        return line
    kept: list[Span] = []
    room = max(limit - 1, 0)
    for span in line:
        if room <= 0:
            break
        kept.append(Span(span.text[:room], span.tone, span.bold, span.badge))
        room -= len(span.text)
    return (*kept, Span(look.signs.ellipsis, "muted"))


def severity_sign(severity: Severity, look: Look) -> str:
    return {Severity.INFO: look.signs.ok, Severity.WARN: look.signs.warn, Severity.BAD: look.signs.bad}[severity]
