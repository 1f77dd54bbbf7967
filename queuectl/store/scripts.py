"""Load Lua scripts: one file a script, `-- @include name` puts a file of lua/lib in, prefixes are filled in."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from queuectl.store import keys

FOLDER = Path(__file__).parent / "lua"
_INCLUDE = re.compile(r"^-- @include (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text as sent to the server, and its SHA1 as EVALSHA wants it."""

    name: str
    source: str
    sha: str


def load(name: str) -> Script:
    """Read lua/NAME.lua; raises FileNotFoundError for a name that is not there (a programming error)."""
    text = (FOLDER / f"{name}.lua").read_text("utf-8")
    text = _INCLUDE.sub(lambda match: (FOLDER / "lib" / f"{match[1]}.lua").read_text("utf-8"), text)
    text = text.replace("@RQ@", keys.RQ).replace("@OURS@", keys.OURS)
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
