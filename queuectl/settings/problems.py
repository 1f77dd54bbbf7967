"""What pydantic found wrong in a file, in an operator's words: source, key, value, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import ValidationError

Allowed = Callable[[list[str | int]], list[str]]
"""The keys of the table at a path."""


def told(source: str, error: ValidationError, allowed: Allowed) -> str:
    """One line a problem."""
    return "\n".join(_explain(source, problem, allowed) for problem in _own(error.errors()))


def _own(problems: Sequence[Any]) -> Iterator[Any]:
    """Without "too short" for a list that only lacks the items reported on their own."""
    return (problem for problem in problems if not (problem["type"] == "too_short" and problem["input"]))


def _explain(source: str, problem: Any, allowed: Allowed) -> str:
    path = [part for part in problem["loc"] if part != "[key]"]
    key = ".".join(str(part) for part in path)
    if problem["type"] == "extra_forbidden":
        return f"{source}: unknown key {key!r}; allowed here: {', '.join(allowed(path[:-1]))}"
    if problem["type"] == "missing":
        return f"{source}: {key} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    value = f" = {problem['input']!r}" if isinstance(problem["input"], str | int | float | bool) else ""
    return f"{source}: {f'{key}{value}: ' if key else ''}{message}"
