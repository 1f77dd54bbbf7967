"""Fewer bytes, the same picture: a small terminal is shown what Textual writes and what we make of it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from queuectl.console.thrift import thrifty

COLOURS = ["8;5;188", "8;5;16", "8;2;10;20;30", "1", "7"]
attributes = st.lists(st.sampled_from(["1", "2", "3", "4", "7", "9"]), unique=True).map(sorted)
styles = st.builds(
    lambda codes, front, back: ";".join([*codes, *(f"3{c}" for c in front), *(f"4{c}" for c in back)]),
    attributes, st.lists(st.sampled_from(COLOURS), max_size=1), st.lists(st.sampled_from(COLOURS), max_size=1),
)  # fmt: skip
segments = st.builds(
    lambda place, style, text: place + (f"\x1b[{style}m{text}\x1b[0m" if style else text),
    st.sampled_from(["", "\x1b[4;1H", "\n", "\x1b[?2026h"]), styles, st.sampled_from(["mail-01 ", "▇█ ", "0.7/s"]),
)  # fmt: skip
TURNED_OFF_BY = {"22": {"1", "2"}}


def shown(data: str) -> list[tuple[str, frozenset[str]]]:
    """Everything that is not a style, each with the style in force."""
    found, style = [], dict[str, str]()
    for code, other in re.findall(r"\x1b\[([\d;]*)m|(\x1b\[[?\d;]+[A-Za-z]|.)", data, re.DOTALL):
        if other:
            found.append((other, frozenset() if other.startswith("\x1b") else frozenset(style.values())))
        else:
            _apply(style, code)
    return found


def _apply(style: dict[str, str], code: str) -> None:
    for part in re.findall(r"[34]8;2;\d+;\d+;\d+|[34]8;5;\d+|\d+", code):
        if part == "0":
            style.clear()
        elif part in TURNED_OFF_BY:
            for off in TURNED_OFF_BY[part]:
                style.pop(off, None)
        else:
            style[{"3": "front", "4": "back"}[part[0]] if len(part) > 1 else part] = part


@given(st.lists(segments, max_size=12).map("".join))
def test_the_picture_is_the_same(data: str) -> None:
    assert shown(thrifty(data)) == shown(data)
    assert len(thrifty(data)) <= len(data)


def test_what_stays_is_not_said_again() -> None:
    data = ("\x1b[1;38;5;108;48;5;16mmail-00\x1b[0m\x1b[38;5;108;48;5;16mok\x1b[0m"
            "\x1b[5;1H\x1b[38;5;188;48;5;16mFIFO\x1b[0m")  # fmt: skip
    assert thrifty(data) == "\x1b[1;38;5;108;48;5;16mmail-00\x1b[22mok\x1b[5;1H\x1b[38;5;188mFIFO\x1b[0m"
