from pathlib import Path

import pytest
from textual.app import App
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from queuectl.console import theme as theme_module
from queuectl.console.theme import DEFAULT_THEME, TONES, load_themes, shipped_themes, tone_variables

THEMES, ERRORS = load_themes(None)
SHIPPED = ["ansi-16", "colour-blind-safe", "high-contrast", "queuectl-dark", "queuectl-light", "winter-harbour"]
GOOD = """
name = "mine"
dark = true
[colors]
primary = "#6ea8d8"
foreground = "#cdd6df"
background = "#12161b"
success = "#7fb98a"
warning = "#e6b266"
error = "#ee7b78"
[tones]
muted = "#8f9aa6"
protected = "#b596d8"
info = "#6ea8d8"
series-1 = "#6ea8d8"
series-2 = "#e6b266"
series-3 = "#62c0b4"
series-4 = "#b596d8"
[cursor]
background = "#22303e"
"""


def _contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    light, dark = sorted((_luminance(Color.parse(one)), _luminance(Color.parse(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    channels = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    ]  # fmt: skip
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def _user_theme(folder: Path, text: str, name: str = "mine.toml") -> tuple[dict[str, Theme], tuple[str, ...]]:
    (folder / name).write_text(text, "utf-8")
    return load_themes(folder)


def test_all_shipped_themes_load():
    assert sorted(THEMES) == SHIPPED
    assert ERRORS == ()
    assert shipped_themes().is_dir()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_tone_has_a_colour(name: str):
    for tone in TONES:
        Color.parse(THEMES[name].variables[f"tone-{tone}"])


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "ansi-16"])
def test_every_tone_is_legible_on_the_ground_and_in_the_selected_row(name: str):
    theme = THEMES[name]
    needed = 7.0 if name == "high-contrast" else 4.5
    for tone in TONES:
        colour = theme.variables[f"tone-{tone}"]
        forced = theme.variables["row-cursor-foreground"]
        assert _contrast(colour, theme.background or "") >= needed, tone
        selected = colour if forced == "auto" else forced
        assert _contrast(selected, theme.variables["row-cursor-background"]) >= needed * 0.98, tone


def test_the_16_colour_theme_leaves_colours_to_the_terminal():
    theme = THEMES["ansi-16"]
    assert theme.ansi
    assert all(Color.parse(theme.variables[f"tone-{tone}"]).ansi is not None for tone in TONES)


class EmptyApp(App[None]):
    CSS = "Screen { color: $tone-ok; border: round $tone-series-4; background: $row-cursor-background; }"

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.register_theme(theme)
        self.theme = theme.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return tone_variables(self.current_theme)


@pytest.mark.parametrize("theme", [*THEMES.values(), theme_module.FALLBACK, *BUILTIN_THEMES.values()],
                         ids=lambda theme: theme.name)  # fmt: skip
async def test_textual_starts_with_every_theme_and_knows_the_tones(theme: Theme):
    async with EmptyApp(theme).run_test(size=(20, 5)) as pilot:
        await pilot.pause()


def test_a_user_theme_is_added_and_derives_what_it_leaves_out(tmp_path: Path):
    themes, errors = _user_theme(tmp_path, GOOD)
    assert errors == ()
    assert themes["mine"].variables["tone-ok"] == "#7fb98a"
    assert set(SHIPPED) < set(themes)


def test_a_user_theme_replaces_the_shipped_one_of_its_name(tmp_path: Path):
    themes, _ = _user_theme(tmp_path, GOOD.replace('"mine"', '"queuectl-dark"'))
    assert themes[DEFAULT_THEME].background == "#12161b"
    assert themes[DEFAULT_THEME].surface is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('error = "#ee7b78"', 'error = "reddish"'), "colors.error = 'reddish': not a colour; allowed: '#rrggbb'"),
        (
            ("[cursor]", '[cursor]\nborder = "#fff"'),
            "unknown key 'cursor.border'; allowed here: background, foreground",
        ),
        (("series-4", "series-5"), "unknown key 'tones.series-5'"),
        (('muted = "#8f9aa6"', ""), "tones.muted is missing"),
        (("dark = true", "dark = true\nansi = true"), "colors.primary = '#6ea8d8': a theme with ansi = true"),
        (("dark = true", "dark = 7"), "dark = 7:"),
        (('name = "mine"', 'name = "My Theme!"'), "name = 'My Theme!':"),
        (("[cursor]", '[variables]\nborders = "#fff"\n[cursor]'), "variables.borders: unknown key"),
        (("[cursor]", '[variables]\nborder = "#ggg"\n[cursor]'), "variables.border = '#ggg': not a colour"),
        (("[cursor]", '[variables]\nlink-style = "blink"\n[cursor]'), "variables.link-style = 'blink': allowed: bold"),
        (("[cursor]", "[cursor"), "not valid TOML"),
    ],
)
def test_a_bad_theme_is_refused_by_file_key_and_value(tmp_path: Path, change: tuple[str, str], says: str):
    themes, errors = _user_theme(tmp_path, GOOD.replace(*change, 1))
    assert "mine" not in themes
    assert any(line.startswith(f"{tmp_path / 'mine.toml'}: ") and says in line for line in errors), errors


def test_files_that_cannot_be_read_are_reported_and_the_rest_loads(tmp_path: Path):
    (tmp_path / "latin.toml").write_bytes(b'name = "\xff"')
    (tmp_path / "folder.toml").mkdir()
    themes, errors = _user_theme(tmp_path, GOOD)
    assert "mine" in themes
    assert len(errors) == 2
    assert any("latin.toml: not UTF-8 at byte 8" in line for line in errors)
    assert any("folder.toml: cannot be read" in line for line in errors)


def test_no_folder_is_no_error(tmp_path: Path):
    assert load_themes(tmp_path / "absent")[1] == ()


def test_without_any_file_there_is_still_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(theme_module, "shipped_themes", lambda: tmp_path / "absent")
    themes, errors = load_themes(None)
    assert list(themes) == [DEFAULT_THEME]
    assert errors == ()
