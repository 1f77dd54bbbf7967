"""Which server answers: an address can come to mean another one, by failover, restart or a changed name."""

from __future__ import annotations

from queuectl.store.client import Steps, ask, command


def run_id() -> Steps[str]:
    """The identity of the server process itself."""
    info = yield from ask(command("INFO", "server"))
    return str(info.get("run_id", ""))
