"""A pool's own command: which placeholders it may hold, and what they become."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter

QUEUES = "{queues}"
PLACEHOLDERS = ("name", "queues", "pool", "concurrency")


def check_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError for one that could not be filled in, or whose workers could not be known again."""
    if not command:
        return command
    named = {name for part in command for name in _names(part)}
    if "url" in named:
        raise ValueError(
            "no {url}: arguments are shown by `ps`, and it may hold a password; the worker finds it in RQ_REDIS_URL"
        )
    if unknown := named - set(PLACEHOLDERS):
        allowed = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise ValueError(f"unknown placeholder {{{min(unknown)}}}; allowed: {allowed}; write a brace as {{{{ or }}}}")
    if any(QUEUES in part and part != QUEUES for part in command):
        raise ValueError(f"{QUEUES} has to be an argument of its own: it becomes one argument a queue")
    if "name" not in named:
        example = '["rq", "worker", "--name", "{name}", "{queues}"]'
        raise ValueError(f"needs {{name}}, as in {example}: by it the pool's workers are known again")
    return command


def _names(part: str) -> list[str]:
    try:
        found = [field for field in Formatter().parse(part) if field[1] is not None]
        # What a placeholder says beyond its name is part of the name here: none is known so.
        return [f"{name}{'!' + kind if kind else ''}{':' + form if form else ''}" for _, name, form, kind in found]
    except ValueError as error:
        raise ValueError(f"{part!r}: {error}; write a brace as {{{{ or }}}}") from None


def filled(command: Sequence[str], *, name: str, pool: str, queues: Sequence[str], concurrency: int) -> tuple[str, ...]:
    """The arguments to start one worker with."""
    arguments: list[str] = []
    for part in command:
        if part == QUEUES:
            arguments += queues
        else:
            arguments.append(part.format(name=name, pool=pool, concurrency=concurrency))
    return tuple(arguments)
