"""Text and HTML bodies: transfer encoding, and a readable text from HTML."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from html.parser import HTMLParser

MAX_LINE = 998
"""RFC 5322 §2.1.1, without CRLF."""


@dataclass(frozen=True, slots=True)
class Body:
    """An encoded body: ASCII, CRLF line ends, the last line ended."""

    encoding: str
    """Content-Transfer-Encoding: 7bit, quoted-printable or base64."""
    payload: str


def encode_body(text: str) -> Body:
    """7bit where it fits; else quoted-printable, or base64 where that is shorter (most non-Latin text)."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.endswith("\n"):
        text += "\n"
    if text.isascii() and "\0" not in text and max(map(len, text.split("\n"))) <= MAX_LINE:
        return Body("7bit", text.replace("\n", "\r\n"))
    data = text.encode()
    if len(data) > len(text) * 1.17 or b"\0" in data:
        return Body("base64", _base64(data))
    quoted = binascii.b2a_qp(data, quotetabs=False, istext=True, header=False).decode("ascii")
    return Body("quoted-printable", quoted.replace("\n", "\r\n"))


def _base64(data: bytes) -> str:
    return base64.encodebytes(data.replace(b"\n", b"\r\n")).decode("ascii").replace("\n", "\r\n")


def text_from_html(html: str) -> str:
    """Readable plain text for mail that has only HTML: blocks become lines, links show where they lead.

    By the standard library's tolerant parser: mail needs no more of it than this, and html2text writes Markdown, which
    is not what a reader of plain text expects, while inscriptis lays out tables with lxml and a heavier tree.
    """
    reader = _TextReader()
    reader.feed(html)
    reader.close()
    return reader.text()


_HIDDEN = frozenset({"head", "script", "style", "title", "template"})
_BLOCKS = frozenset({
    "address", "article", "blockquote", "div", "dl", "dd", "dt", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "main", "nav", "ol", "p", "pre", "section", "table", "ul",
})  # fmt: skip
_LINES = frozenset({"br", "li", "tr"})


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._hidden = 0
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in _HIDDEN:
            self._hidden += 1
        elif tag == "a":
            self._links.append((values.get("href") or "", len(self._pieces)))
        elif tag == "img" and values.get("alt"):
            self.handle_data(values["alt"] or "")
        self._break(tag)
        if tag == "li":
            self._pieces.append("- ")

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(0, self._hidden - 1)
        elif tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in ("td", "th"):
            self._pieces.append(" ")
        if tag != "br":
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(re.sub(r"\s+", " ", data))

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._pieces.append("\n\n")
        elif tag in _LINES:
            self._pieces.append("\n")

    def _end_link(self, href: str, start: int) -> None:
        label = "".join(self._pieces[start:]).strip()
        if href.startswith(("http://", "https://")) and href != label:
            self._pieces.append(f" ({href})")

    def text(self) -> str:
        text = re.sub(r"[ \t]*\n[ \t]*", "\n", "".join(self._pieces))
        return re.sub(r"[ \t]{2,}", " ", re.sub(r"\n{3,}", "\n\n", text)).strip() + "\n"
