"""Themes: TOML files in, Textual themes out. A bad file becomes an error line, never a console that does not start.

A file has `name`, `dark`, `ansi`, and the tables `[colors]` (Textual's base colours), `[tones]` (what our widgets
mean: ok, warn, bad, …), `[cursor]` (the selected row) and `[variables]` (any of Textual's own theme variables).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from textual.color import Color, ColorParseError
from textual.design import ColorSystem
from textual.theme import Theme

Tone = Literal["ok", "warn", "bad", "muted", "accent", "protected", "info", "title",
               "series-1", "series-2", "series-3", "series-4"]  # fmt: skip
TONES: tuple[Tone, ...] = ("ok", "warn", "bad", "muted", "accent", "protected", "info", "title",
                           "series-1", "series-2", "series-3", "series-4")  # fmt: skip
DEFAULT_THEME = "queuectl-dark"
COLOUR_FORMS = "'#rrggbb', '#rrggbbaa', 'rgb(r,g,b)', 'hsl(h,s%,l%)', a web colour name or 'ansi_blue'"
TEXT_STYLES = frozenset({"none", "bold", "dim", "italic", "underline", "reverse", "strike", "not"})


def _colour(text: str) -> str:
    try:
        Color.parse(text)
    except ColorParseError:
        raise ValueError(f"not a colour; allowed: {COLOUR_FORMS}") from None
    return text


Colour = Annotated[str, AfterValidator(_colour)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Colors(_Table):
    primary: Colour
    secondary: Colour | None = None
    accent: Colour | None = None
    foreground: Colour
    background: Colour
    surface: Colour | None = None
    panel: Colour | None = None
    success: Colour
    warning: Colour
    error: Colour


class _Tones(_Table):
    ok: Colour | None = None
    warn: Colour | None = None
    bad: Colour | None = None
    muted: Colour
    accent: Colour | None = None
    protected: Colour
    info: Colour
    title: Colour | None = None
    series_1: Colour = Field(alias="series-1")
    series_2: Colour = Field(alias="series-2")
    series_3: Colour = Field(alias="series-3")
    series_4: Colour = Field(alias="series-4")


class _Cursor(_Table):
    background: Colour
    foreground: Colour | None = None
    """Replaces every tone in the selected row; leave it out where tones stay legible on the background."""


class _File(_Table):
    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    dark: bool
    ansi: bool = False
    """Only the terminal's own 16 colours: every colour must be an `ansi_` one."""
    colors: _Colors
    tones: _Tones
    cursor: _Cursor
    variables: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _only_ansi_colours(self) -> _File:
        for key, value in _all_colours(self):
            if self.ansi and not value.startswith("ansi_"):
                raise ValueError(f"{key} = {value!r}: a theme with ansi = true takes 'ansi_…' colours only")
        return self

    @model_validator(mode="after")
    def _known_variables(self) -> _File:
        for key, value in self.variables.items():
            if key not in _textual_variables():
                raise ValueError(f"variables.{key}: unknown key; allowed: Textual's theme variables, such as 'border'")
            if key.endswith("-style"):
                if not TEXT_STYLES.issuperset(value.split()):
                    raise ValueError(f"variables.{key} = {value!r}: allowed: {', '.join(sorted(TEXT_STYLES))}")
            elif not _is_colour(value):
                raise ValueError(f"variables.{key} = {value!r}: not a colour; allowed: {COLOUR_FORMS}")
        return self


@dataclass(frozen=True, slots=True)
class ThemeError(Exception):
    """Why one theme file was refused; a line a problem."""

    lines: tuple[str, ...]


def load_themes(user_dir: Path | None) -> tuple[dict[str, Theme], tuple[str, ...]]:
    """All themes by name, shipped ones first, then the user's (same name replaces), and what was wrong, a line each.

    `user_dir` holds `*.toml` files and need not exist. There is always a theme called `queuectl-dark`.
    """
    themes: dict[str, Theme] = {DEFAULT_THEME: FALLBACK}
    errors: list[str] = []
    for source in (*_toml_files(shipped_themes()), *(_toml_files(user_dir) if user_dir else ())):
        try:
            theme = read_theme(source)
        except ThemeError as error:
            errors.extend(error.lines)
        else:
            themes[theme.name] = theme
    return themes, tuple(errors)


def read_theme(source: Traversable) -> Theme:
    """One theme file. Raises ThemeError with lines that name file, key, value and what is allowed."""
    try:
        tree = tomllib.loads(source.read_text("utf-8"))
        return to_textual(_File.model_validate(tree))
    except tomllib.TOMLDecodeError as error:
        raise ThemeError((f"{source}: not valid TOML: {error}",)) from None
    except UnicodeDecodeError as error:
        raise ThemeError((f"{source}: not UTF-8 at byte {error.start}",)) from None
    except OSError as error:
        raise ThemeError((f"{source}: cannot be read: {error.strerror}",)) from None
    except ValidationError as error:
        raise ThemeError(tuple(f"{source}: {line}" for line in _explain(error))) from None


def to_textual(file: _File) -> Theme:
    """The Textual theme; tones and cursor become the variables `tone-…` and `row-cursor-…`."""
    given = file.tones.model_dump(by_alias=True, exclude_none=True)
    colors = file.colors
    theme = Theme(
        name=file.name, dark=file.dark, ansi=file.ansi, primary=colors.primary, secondary=colors.secondary,
        accent=colors.accent, foreground=colors.foreground, background=colors.background, surface=colors.surface,
        panel=colors.panel, success=colors.success, warning=colors.warning, error=colors.error,
    )  # fmt: skip
    theme.variables = {
        # Textual's own stylesheet needs these two of an ANSI theme, and does not start without.
        **({"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"} if file.ansi else {}),
        **tone_variables(theme),
        **{f"tone-{tone}": colour for tone, colour in given.items()},
        **{f"row-cursor-{key}": colour for key, colour in file.cursor.model_dump(exclude_none=True).items()},
        **file.variables,
    }
    return theme


def tone_variables(theme: Theme) -> dict[str, str]:
    """`tone-…` and `row-cursor-…` derived from base colours.

    For `App.get_theme_variable_defaults()`, so that Textual's own themes work too. `row-cursor-foreground` is
    "auto" where tones keep their colour in the selected row.
    """
    primary, dark = theme.primary, theme.dark
    secondary, accent = theme.secondary or primary, theme.accent or primary
    tones = {
        "ok": theme.success or "ansi_green", "warn": theme.warning or "ansi_yellow", "bad": theme.error or "ansi_red",
        "muted": "ansi_bright_black" if theme.ansi else "#808890", "accent": accent, "protected": secondary,
        "info": primary, "title": theme.foreground or ("#e0e0e0" if dark else "#202020"),
        "series-1": primary, "series-2": accent, "series-3": theme.success or primary, "series-4": secondary,
    }  # fmt: skip
    cursor = "ansi_blue" if theme.ansi else "#30363d" if dark else "#d8dee4"
    return {
        **{f"tone-{tone}": colour for tone, colour in tones.items()},
        "row-cursor-background": cursor,
        "row-cursor-foreground": "ansi_bright_white" if theme.ansi else "auto",
    }


def shipped_themes() -> Traversable:
    """The folder of our own themes: inside the installed package, or at the root of a checkout."""
    installed = files("queuectl") / "_themes"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "themes"


def _toml_files(folder: Traversable) -> list[Traversable]:
    try:
        return sorted((item for item in folder.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    except OSError:
        return []


def _explain(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"unknown key {key!r}; allowed here: {', '.join(_allowed(problem['loc'][:-1]))}"
        elif problem["type"] == "missing":
            yield f"{key} is missing"
        elif key and not isinstance(problem["input"], Mapping):
            yield f"{key} = {problem['input']!r}: {_message(problem['msg'])}"
        else:
            yield _message(f"{key}: {problem['msg']}" if key else problem["msg"])


def _message(text: str) -> str:
    return text.replace("Value error, ", "")


def _allowed(section: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = _File
    for part in section:
        annotation = model.model_fields[str(part)].annotation
        assert isinstance(annotation, type)  # noqa: S101 - only tables are nested
        model = annotation
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _all_colours(file: _File) -> Iterator[tuple[str, str]]:
    for table in ("colors", "tones", "cursor"):
        for key, value in getattr(file, table).model_dump(by_alias=True, exclude_none=True).items():
            yield f"{table}.{key}", value
    for key, value in file.variables.items():
        if not key.endswith("-style"):
            yield f"variables.{key}", value


def _is_colour(text: str) -> bool:
    try:
        Color.parse(text)
    except ColorParseError:
        return False
    return True


@cache
def _textual_variables() -> frozenset[str]:
    return frozenset(ColorSystem("#000000").generate())


FALLBACK = Theme(
    name=DEFAULT_THEME, dark=True, primary="#7aa2c8", secondary="#c39ac9", accent="#e0b074", foreground="#d5dae0",
    background="#14181d", surface="#1a1f26", panel="#222932", success="#86b38a", warning="#e0b074", error="#e0787a",
)  # fmt: skip
"""Used when not even the shipped files can be read."""
FALLBACK.variables = tone_variables(FALLBACK)
