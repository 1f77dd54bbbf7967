"""Pictures of every screen, compared with accepted ones; `--snapshot-update` accepts new ones.

A picture is kept as what it says, and a digest of its colours in each theme: a difference can be read as text.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from queuectl.console.app import ConsoleApp
from queuectl.console.shots import SCENES, Scene, fixed_app, main, settle, shoot
from queuectl.console.shots import SIZES as SHOT_SIZES

SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("queuectl-dark", "queuectl-light")


def drawn(app: ConsoleApp) -> tuple[str, str]:
    """The screen as text without trailing blanks, and a digest of it with its colours."""
    width, height = app.size
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor",
                      record=True, legacy_windows=False)  # fmt: skip
    console.print(app.screen._compositor.render_update(full=True, screen_stack=app._background_screens))
    coloured = sha256(console.export_text(styles=True, clear=False).encode()).hexdigest()[:12]
    text = "\n".join(line.rstrip() for line in console.export_text(styles=False).splitlines())
    return text, coloured


async def there(pilot: Pilot[None], scene: Scene) -> None:
    await settle(pilot.app)
    for key in scene.keys:
        await pilot.press(key)
        await settle(pilot.app)
        await pilot.pause()


async def steady(pilot: Pilot[None]) -> None:
    """Until what a resize or another theme asked for has been laid out and drawn."""
    for _ in range(3):
        await settle(pilot.app)
        await pilot.pause()


async def pictures(scene: Scene, app: ConsoleApp) -> str:
    """All sizes and themes out of one run."""
    shown = []
    async with app.run_test(size=SIZES[1]) as pilot:
        await there(pilot, scene)
        for columns, rows in SIZES:
            await pilot.resize_terminal(columns, rows)
            digests = []
            for theme in THEMES:
                app.theme = theme
                await steady(pilot)
                text, digest = drawn(app)
                digests.append(f"{theme} {digest}")
            shown.append("\n".join((f"--- {columns}x{rows}  {'  '.join(digests)}", text)))
    return "\n".join(shown)


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
def test_screenshot(snap_compare: Callable[..., bool], scene: Scene) -> None:
    """One size and theme also as the SVG that an operator saves, to look at in a browser."""
    app = fixed_app()
    assert snap_compare(app, terminal_size=(120, 40), run_before=lambda pilot: there(pilot, scene))


@pytest.mark.parametrize("scene", SCENES, ids=[scene.name for scene in SCENES])
async def test_screen(snapshot: SnapshotAssertion, scene: Scene) -> None:
    assert await pictures(scene, fixed_app()) == snapshot


async def test_fleet_in_ascii_without_colour(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = fixed_app(ascii_only=True, no_color=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await there(pilot, SCENES[0])
        text, digest = drawn(app)
    assert text.isascii()
    assert f"{digest}\n{text}" == snapshot


async def test_nothing_is_wider_or_higher_than_the_terminal() -> None:
    """No screen scrolls as a whole: what does not fit is cut with a sign."""
    for scene in SCENES:
        app = fixed_app()
        async with app.run_test(size=(80, 24)) as pilot:
            await there(pilot, scene)
            assert (app.screen.max_scroll_x, app.screen.max_scroll_y) == (0, 0), scene.name


async def test_a_picture_is_the_same_however_one_came_to_its_size() -> None:
    scene = next(scene for scene in SCENES if scene.name == "queue")
    grown = (await pictures(scene, fixed_app())).split("--- ")[3].partition("\n")[2]
    app = fixed_app()
    async with app.run_test(size=SIZES[2]) as pilot:
        await there(pilot, scene)
        await steady(pilot)
        assert drawn(app)[0].rstrip() == grown.rstrip()


def test_the_same_state_gives_the_same_picture() -> None:
    scene = next(scene for scene in SCENES if scene.name == "queue")
    assert asyncio.run(shoot(scene, (80, 24))) == asyncio.run(shoot(scene, (80, 24)))


def test_the_screenshot_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "shots")]) == 0
    expected = {f"{scene.name}-{columns}x{rows}.svg" for scene in SCENES for columns, rows in SHOT_SIZES}
    assert {path.name for path in (tmp_path / "shots").iterdir()} == expected
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
