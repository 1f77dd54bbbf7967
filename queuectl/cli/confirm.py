"""Take one action through the gate: show what it would do, ask, commit, say how to undo it."""

from __future__ import annotations

import sys
from typing import TextIO

from queuectl.cli.context import Context, interactive
from queuectl.cli.follow import follow
from queuectl.model import Action, Preview, RefusedError
from queuectl.store.client import Store

INDENT = "  "


def carry_out(context: Context, action: Action) -> int:
    """Preview, confirm, commit, follow. Returns the exit code; raises RefusedError when it may not be done."""
    args = context.args
    with context.store() as store:
        preview = store.run(context.gate().preview(action))
        if args.dry_run:
            return _dry_run(preview)
        if preview.refusal:
            raise RefusedError(preview.refusal)
        if preview.nothing:
            print(f"nothing to do: {preview.headline}")
            return 0
        typed = args.confirm if args.yes else _ask(preview)
        return _commit(context, store, preview, typed)


def _dry_run(preview: Preview) -> int:
    show(preview, sys.stdout)
    if preview.refusal:
        print(f"refused: {preview.refusal}")
        return RefusedError.exit_code
    if preview.confirm_word:
        print(f"asks for the word {preview.confirm_word!r} (--confirm {preview.confirm_word})")
    print("dry run: nothing was changed")
    return 0


def show(preview: Preview, out: TextIO) -> None:
    """Headline, effects, forecast."""
    print(preview.headline, file=out)
    for line in (*preview.effects, *preview.forecast):
        print(INDENT + line, file=out)
    if not preview.undoable:
        print(f"{INDENT}There is no undo.", file=out)


def _ask(preview: Preview) -> str:
    """What the operator typed. Raises RefusedError when the answer is no, or there is nobody to ask."""
    if not interactive():
        raise RefusedError(f"not confirmed, nothing was changed: {preview.headline}; "
                           "without a terminal give --yes (--dry-run only looks)")  # fmt: skip
    show(preview, sys.stderr)
    word = preview.confirm_word
    question = f"Type {word} to confirm: " if word else f"{preview.verb}? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer == word if word else answer.lower() in ("y", "yes"):
        return answer
    raise RefusedError("not confirmed, nothing was changed")


def _commit(context: Context, store: Store, preview: Preview, typed: str) -> int:
    args = context.args
    if preview.confirm_word and typed != preview.confirm_word:
        raise RefusedError(f"{preview.headline}: give --confirm {preview.confirm_word} with --yes; "
                           "nothing was changed")  # fmt: skip
    gate = context.gate()
    outcome = store.run(gate.commit(preview, reason=args.reason, typed=typed))
    number = f" (#{outcome.number})" if outcome.number else ""
    print(f"{outcome.done}{number}", flush=True)
    code = follow(store, gate, outcome.operation, wait=not args.no_wait) if outcome.operation else 0
    if outcome.number and preview.undoable:
        print(f"undo: queuectl undo {outcome.number}")
    return code
