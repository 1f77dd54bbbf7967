"""Pictures of the fixed states, compared with accepted ones; `--snapshot-update` accepts new ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from queuectl.console.shots import SCENES, SIZES, Scene, fixed_app, main, settle, shoot

BY_NAME = {scene.name: scene for scene in SCENES}


def walk(scene: Scene) -> Callable[[Pilot[None]], object]:
    async def there(pilot: Pilot[None]) -> None:
        await settle(pilot.app)
        for key in scene.keys:
            await pilot.press(key)
            await settle(pilot.app)
            await pilot.pause()

    return there


@pytest.mark.parametrize("theme", ["queuectl-dark", "queuectl-light"])
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("fleet", (80, 24)),
        ("fleet", (120, 40)),
        ("queue", (120, 40)),
        ("panel", (80, 24)),
        ("help", (80, 24)),
        ("workers", (120, 40)),
        ("providers", (120, 40)),
        ("jobs", (120, 40)),
        ("jobs", (80, 24)),
        ("log", (80, 24)),
    ],
)
def test_screen(snap_compare: Callable[..., bool], name: str, size: tuple[int, int], theme: str) -> None:
    assert snap_compare(fixed_app(theme), terminal_size=size, run_before=walk(BY_NAME[name]))


def test_fleet_in_ascii_without_colour(snap_compare: Callable[..., bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = fixed_app(ascii_only=True, no_color=True)
    assert snap_compare(app, terminal_size=(80, 24), run_before=walk(BY_NAME["fleet"]))


def test_the_same_state_gives_the_same_picture() -> None:
    scene = BY_NAME["queue"]
    assert asyncio.run(shoot(scene, (80, 24))) == asyncio.run(shoot(scene, (80, 24)))


def test_the_screenshot_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "shots")]) == 0
    expected = {f"{scene.name}-{columns}x{rows}.svg" for scene in SCENES for columns, rows in SIZES}
    assert {path.name for path in (tmp_path / "shots").iterdir()} == expected
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
