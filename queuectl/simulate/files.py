"""Scenarios from TOML: by file or by the name of one that comes with queuectl, one extending another."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from queuectl.model import UsageError
from queuectl.settings.problems import told
from queuectl.simulate.scenario import Scenario


def load_scenario(name: str) -> Scenario:
    """Read a file, or a scenario that comes with queuectl. `extends = "NAME"` at its top takes every top-level key
    that the file lacks from another scenario. Raises UsageError naming file, key, value and what is allowed."""
    source, table = _table(name, ())
    try:
        return Scenario.model_validate(table)
    except ValidationError as error:
        raise UsageError(told(source, error, _allowed)) from None


def scenario_names() -> list[str]:
    """The scenarios that come with queuectl."""
    folder = files(__package__).joinpath("scenarios")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _table(name: str, below: tuple[str, ...]) -> tuple[str, dict[str, Any]]:
    source, text = _read(name, below[-1] if below else "")
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source}: not valid TOML: {error}") from None
    base = table.pop("extends", None)
    if base is None:
        return source, table
    if not isinstance(base, str):
        raise UsageError(f"{source}: extends = {base!r}: the name or the path of a scenario is allowed")
    if base in (*below, name):
        raise UsageError(f"{source}: extends = {base!r}: it would extend itself")
    return source, _table(base, (*below, name))[1] | table


def _read(name: str, wanted_by: str) -> tuple[str, str]:
    if name in scenario_names():
        return f"scenario {name}", files(__package__).joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    try:
        return name, Path(name).read_text("utf-8")
    except FileNotFoundError:
        known = ", ".join(scenario_names())
        where = f"{wanted_by}: extends: " if wanted_by else ""
        raise UsageError(f"{where}no scenario and no file is named {name!r}; scenarios are: {known}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


def _allowed(path: list[str | int]) -> list[str]:
    """The keys of the table at `path`."""
    model: Any = Scenario
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = _field_type(model, str(part))
        else:
            model = model.__args__[0 if model.__origin__ is tuple else 1]
    if isinstance(model, type) and issubclass(model, BaseModel):
        own = sorted(field.alias or name for name, field in model.model_fields.items())
        return [*own, "extends"] if model is Scenario else own
    return ["any name"]


def _field_type(model: type[BaseModel], key: str) -> Any:
    return next(field.annotation for name, field in model.model_fields.items() if key in (name, field.alias))
