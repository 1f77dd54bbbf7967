"""Make any text safe and exactly as wide as it must be. Names and subjects come from others: they may hold escapes."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from queuectl.console.glyphs import Glyphs
from queuectl.console.widgets.rows import Align


@lru_cache(maxsize=4096)
def clean(text: str, ascii: bool) -> str:
    """Unprintable characters, which the terminal would obey, as "?"; in ASCII mode everything else beyond it too."""
    if text.isprintable() and (text.isascii() or not ascii):
        return text
    return "".join(char if char.isprintable() and (not ascii or char.isascii()) else "?" for char in text)


@lru_cache(maxsize=4096)
def fit_text(text: str, width: int, align: Align, glyphs: Glyphs) -> str:
    """`text` in exactly `width` cells, padded, or cut with the sign for it."""
    if width <= 0:
        return ""
    text = clean(text, glyphs.ascii)
    missing = width - cell_len(text)
    if missing >= 0:
        return " " * missing + text if align == "right" else text + " " * missing
    return set_cell_size(text, width - 1) + glyphs.ellipsis
