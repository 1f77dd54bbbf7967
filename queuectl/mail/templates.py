"""Mail templates: a file or stored blob of subject, text, HTML and more, rendered with sandboxed Jinja2.

The parts are plain Jinja2, with `trim_blocks` and `lstrip_blocks` so that `{% for %}` lines leave no blank lines in
the text. Only the HTML part is escaped. A variable that is not given is an error, never an empty string.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, TemplateSyntaxError, UndefinedError, meta
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment

from queuectl.model import QueuectlError, UsageError

_PARTS = ("sender", "subject", "text", "html", "unsubscribe")
_HEADERS = {"subject": "subject", "from": "sender", "unsubscribe": "unsubscribe"}
_LINE_BREAKS = re.compile(r"[\x00-\x20\x7f\x85\u2028\u2029]+")


class TemplateError(QueuectlError):
    """A template could not be rendered; the message names part, line and cause, never the recipient's data."""


@dataclass(frozen=True, slots=True)
class Template:
    """Jinja2 sources of one mail. All but `subject`, and one of `text` and `html`, may be empty."""

    template_id: str
    sender: str
    subject: str
    text: str
    html: str
    unsubscribe: str = ""
    """URL of the List-Unsubscribe header."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """One recipient's mail; `sender`, `subject` and `unsubscribe` are single lines."""

    sender: str
    subject: str
    text: str
    html: str
    unsubscribe: str = ""


def read_template(path: Path) -> Template:
    """Read a template file: `Subject:` and optional `From:` and `Unsubscribe:` lines, a blank line, then the text body.

    A sibling with the same stem and the suffix `.html` is the HTML part. Raises UsageError naming file and line.
    """
    sources, lines = _split(path, _read(path))
    for part, source in sources.items():
        _check_syntax(source, path, lines[part])
    html_path = path.with_suffix(".html")
    if html_path != path and html_path.is_file():
        sources["html"] = _read(html_path)
        _check_syntax(sources["html"], html_path, 1)
    return make_template(**sources)


def make_template(subject: str, text: str = "", html: str = "", sender: str = "", unsubscribe: str = "") -> Template:
    """A template from its sources; equal sources have equal ids."""
    content = json.dumps([sender, subject, text, html, *filter(None, [unsubscribe])]).encode()
    return Template(hashlib.sha256(content).hexdigest()[:12], sender, subject, text, html, unsubscribe)


def encode(template: Template) -> bytes:
    """The sources as JSON, for the store."""
    return json.dumps({part: getattr(template, part) for part in _PARTS}, ensure_ascii=False).encode()


def decode(template_id: str, blob: bytes) -> Template:
    """The reverse of `encode`; raises TemplateError on a blob it did not write."""
    try:
        sources = json.loads(blob)
        return Template(template_id, **{part: str(sources[part]) for part in _PARTS if part in sources})
    except (ValueError, KeyError, TypeError) as error:
        raise TemplateError(f"template {template_id}: what is stored is not a template") from error


def variables(template: Template) -> frozenset[str]:
    """Names the template expects to be given."""
    names: set[str] = set()
    for part in _PARTS:
        names |= meta.find_undeclared_variables(_PLAIN.parse(getattr(template, part)))
    return frozenset(names)


def check(template: Template, columns: Collection[str], name: str = "") -> None:
    """Raise UsageError when the template uses a variable that `columns` lacks; `name` is what the user calls it."""
    missing = sorted(variables(template) - set(columns))
    if missing:
        uses = ", ".join(f"{{{{ {variable} }}}}" for variable in missing)
        raise UsageError(f"template {name or template.template_id} uses {uses}, which the data does not have; "
                         f"columns are: {', '.join(sorted(columns)) or 'none'}")  # fmt: skip


class Renderer:
    """A template compiled once, rendered for many recipients."""

    def __init__(self, template: Template) -> None:
        """Raises TemplateError when a part is not valid Jinja2."""
        self._id = template.template_id
        self._parts = {part: self._compile(part, getattr(template, part)) for part in _PARTS}

    def render(self, params: Mapping[str, Any]) -> Rendered:
        """Raises TemplateError, which says what went wrong without the recipient's data."""
        parts = {part: template if isinstance(template, str) else self._render(part, template, params)
                 for part, template in self._parts.items()}  # fmt: skip
        return Rendered(_one_line(parts["sender"]), _one_line(parts["subject"]), parts["text"], parts["html"],
                        _one_line(parts["unsubscribe"]))  # fmt: skip

    def _compile(self, part: str, source: str) -> Compiled | str:
        if "{" not in source:
            return source
        try:
            compiled = (_HTML if part == "html" else _PLAIN).from_string(source)
        except TemplateSyntaxError as error:
            raise TemplateError(f"template {self._id}: {part} line {error.lineno}: {error.message}") from error
        # Jinja2 copies this chain of maps for every rendering; a plain dictionary is copied in a fifth of the time.
        compiled.globals = dict(compiled.globals)
        return compiled

    def _render(self, part: str, template: Compiled, params: Mapping[str, Any]) -> str:
        try:
            return template.render(params)
        except Exception as error:
            # The chained exception may hold the recipient's data: cut it off.
            raise TemplateError(f"template {self._id}: {part}: {_cause(error)}") from None


def _environment(autoescape: bool) -> Environment:
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=autoescape, trim_blocks=True,
                                         lstrip_blocks=True, keep_trailing_newline=True, cache_size=0)  # fmt: skip


_PLAIN = _environment(autoescape=False)
_HTML = _environment(autoescape=True)


def _one_line(value: str) -> str:
    """A line break that came in with a parameter would start a new header: make it a space."""
    return value if value.isprintable() else _LINE_BREAKS.sub(" ", value).strip()


_SAFE_CAUSE = re.compile(r"'[A-Za-z_]\w*' is undefined")


def _cause(error: Exception) -> str:
    if isinstance(error, UndefinedError) and _SAFE_CAUSE.fullmatch(str(error)):
        return str(error)
    return f"{type(error).__name__} while rendering"


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: not UTF-8 (byte 0x{error.object[error.start]:02x})") from error


def _split(path: Path, content: str) -> tuple[dict[str, str], dict[str, int]]:
    """Sources by part, and the line each starts on."""
    head, _, body = content.partition("\n\n")
    sources, lines = {"text": body}, {"text": head.count("\n") + 3}
    for number, line in enumerate(head.split("\n"), start=1):
        name, colon, value = line.partition(":")
        part = _HEADERS.get(name.strip().lower())
        if not colon or part is None:
            raise UsageError(f"{path}:{number}: {line[:40]!r} is not a header this file may have; "
                             "allowed before the blank line: Subject, From, Unsubscribe")  # fmt: skip
        if part in sources:
            raise UsageError(f"{path}:{number}: a second {name.strip()!r} line")
        sources[part], lines[part] = value.strip(), number
    if "subject" not in sources:
        raise UsageError(f"{path}:1: no `Subject:` line before the first blank line")
    return sources, lines


def _check_syntax(source: str, path: Path, first_line: int) -> None:
    try:
        _PLAIN.from_string(source)
    except TemplateSyntaxError as error:
        raise UsageError(f"{path}:{first_line + error.lineno - 1}: {error.message}") from error
