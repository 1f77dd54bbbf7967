"""Signs the console draws with, once in Unicode and once in plain ASCII."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of signs. Each is one cell wide; a state is always shown as word, glyph and colour together."""

    ok: str
    warn: str
    bad: str
    stock: str
    """A queue with stock producers or workers (assisted)."""
    up: str
    down: str
    left: str
    right: str
    sort_up: str
    sort_down: str
    yes: str
    """The ledger balances."""
    no: str
    """The ledger has a residue."""
    cursor: str
    """The selected row."""
    mark: str
    """A marked row."""
    ellipsis: str
    separator: str
    dash: str
    """Unknown."""
    approx: str
    """Estimated."""
    arrow: str
    """From one state to another; may be two cells wide in ASCII."""
    more: str
    """There is more to the right."""
    line: str
    """A horizontal rule."""
    bar: str
    """A vertical rule."""
    tick: str
    """A tick on a vertical axis."""
    marker: str
    """A dashed vertical rule: an event in a chart."""
    ascii: bool
    """Plain ASCII: no braille, no block characters."""


UNICODE = Glyphs(
    ok="●", warn="▲", bad="■", stock="◌", up="▲", down="▼", left="‹", right="›", sort_up="↑", sort_down="↓",
    yes="✓", no="✗", cursor="▌", mark="◆", ellipsis="…", separator="·", dash="–", approx="≈", arrow="→", more="›",
    line="─", bar="│", tick="┤", marker="┊", ascii=False,
)  # fmt: skip
ASCII = Glyphs(
    ok="o", warn="!", bad="X", stock="?", up="^", down="v", left="<", right=">", sort_up="^", sort_down="v",
    yes="+", no="x", cursor=">", mark="*", ellipsis="~", separator="-", dash="-", approx="~", arrow="->", more=">",
    line="-", bar="|", tick="+", marker=":", ascii=True,
)  # fmt: skip


def glyphs(ascii: bool) -> Glyphs:
    """The set for this terminal."""
    return ASCII if ascii else UNICODE
