"""Screenshots of fixed states as SVG: `python -m queuectl.console.shots DIRECTORY`. The same every time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from queuectl.console.app import ConsoleApp
from queuectl.console.fixed import FixedLink
from queuectl.settings import Settings

SIZES = ((120, 40), (80, 24))


@dataclass(frozen=True, slots=True)
class Scene:
    """A state of the console, and the keys that lead there."""

    name: str
    keys: tuple[str, ...] = ()


SCENES = (
    Scene("fleet", ("G",)),
    Scene("queue", ("G", "enter")),
    Scene("panel", ("G", "d")),
    Scene("plot", ("G", "enter", "v")),
    Scene("workers", ("3",)),
    Scene("providers", ("4", "j")),
    Scene("jobs", ("G", "5", "space", "space")),
    Scene("log", ("6",)),
    Scene("help", ("question_mark",)),
)


def fixed_app(theme: str = "queuectl-dark", *, ascii_only: bool = False, no_color: bool = False) -> ConsoleApp:
    """The console on the fixed deployment, with the clock standing still."""
    settings = Settings.model_validate({"console": {"theme": theme}, "environment": {"name": "demo"}})
    return ConsoleApp(FixedLink(), settings, ascii_only=ascii_only, no_color=no_color, zone=UTC, monotonic=lambda: 0.0)


async def settle(app: ConsoleApp) -> None:
    """Wait until everything asked of the link has been answered and painted."""
    await app.feed.poll()
    await app.feed.loaded()
    while asked := [worker for worker in app.workers if worker.group != "feed" and not worker.is_finished]:
        await asyncio.gather(*(worker.wait() for worker in asked), return_exceptions=True)


async def shoot(scene: Scene, size: tuple[int, int], theme: str = "queuectl-dark") -> str:
    """One scene as SVG."""
    app = fixed_app(theme)
    async with app.run_test(size=size) as pilot:
        await settle(app)
        for key in scene.keys:
            await pilot.press(key)
            await settle(app)
            await pilot.pause()
        return app.export_screenshot(title="queuectl")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m queuectl.console.shots DIRECTORY\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for scene in SCENES:
        for columns, rows in SIZES:
            svg = asyncio.run(shoot(scene, (columns, rows)))
            (folder / f"{scene.name}-{columns}x{rows}.svg").write_text(svg, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
