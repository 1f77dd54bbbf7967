"""Our worker, as the benches run it."""

from __future__ import annotations

from pathlib import Path

from tests.bench.world import World, module

NULL = '[providers.default]\ntransport = "null"\n'
SMTP = """\
[providers.default]
host = "127.0.0.1"
port = {port}
connections = {connections}
"""


def null_settings(world: World) -> Path:
    """Settings that deliver nowhere."""
    return _written(world, "null.toml", NULL)


def smtp_settings(world: World, port: int, connections: int) -> Path:
    return _written(world, f"smtp-{port}.toml", SMTP.format(port=port, connections=connections))


def worker(world: World, settings: Path, queue: str, concurrency: int, *, burst: bool = True) -> list[str]:
    """The command line an operator would use; `burst` ends it when nothing waits."""
    return module("queuectl", "--url", world.url, "--config", settings, "worker", queue, "--concurrency", concurrency,
                  *(["--burst"] if burst else []))  # fmt: skip


def _written(world: World, name: str, text: str) -> Path:
    path = world.directory / name
    path.write_text(text)
    return path
