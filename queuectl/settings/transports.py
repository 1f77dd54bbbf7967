"""The transports a provider may name: ours, and those of installed packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

GROUP = "queuectl.transports"
OWN = ("maildir", "null", "smtp")


def installed() -> dict[str, EntryPoint]:
    """What installed packages bring, by name; ours cannot be replaced."""
    return {found.name: found for found in entry_points(group=GROUP) if found.name not in OWN}


def unknown(name: str) -> str:
    """Why `name` is no transport; empty: it is one."""
    if name in OWN or name in (others := installed()):
        return ""
    return f"no transport {name!r} is installed; there are: {', '.join(sorted((*OWN, *others)))}"
