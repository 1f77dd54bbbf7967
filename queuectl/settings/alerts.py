"""Who is told outside of the console when mail stops getting through."""

from __future__ import annotations

from pydantic import Field

from queuectl.settings.section import Section


class AlertSettings(Section):
    """Messages to a chat, a pager or a web hook, sent by the leading daemon."""

    urls_env: str = Field(default="", pattern=r"^$|^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds Apprise URLs (slack://…, mailto://…, json://host/hook), separated by
    spaces; they hold secrets, so they are never written to a file of ours. Empty: nobody is told. Needs the extra
    `alerts`."""
    after_s: float = Field(default=30.0, ge=0, le=3600)
    """Trouble that lasts less is not told; neither is its end before it has been away for as long."""
