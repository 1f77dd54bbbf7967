"""Carry on an operation (drain, refill, retry, delete) from the command line, or watch the process that does."""

from __future__ import annotations

import sys

from queuectl.cli.context import process_name
from queuectl.cli.interruption import Interruption
from queuectl.cli.progress import Meter, meter
from queuectl.model import Operation, StopOperation
from queuectl.store import lease, operations
from queuectl.store.client import Store
from queuectl.store.gate import Gate

INTERRUPTED = 130
WATCH_S = 0.5
IDLE_S = 0.1
"""Pause after a step that had nothing to do yet: the operation is held to a rate, or waits for another."""


def follow(store: Store, gate: Gate, op_id: str, *, wait: bool) -> int:
    """Drive the operation to its end. Returns the exit code; prints how it ended."""
    if not wait:
        leader = store.run(lease.leader())
        print(f"carried on by the daemon {leader}" if leader
              else "no daemon leads: it goes on when one starts", file=sys.stderr)  # fmt: skip
        return 0
    try:
        with Interruption().held() as interruption, meter("working") as bar:
            ended = _drive(store, op_id, bar, interruption)
    except KeyboardInterrupt:
        return _interrupted(store, gate, op_id)
    print(_ended(ended) if ended else "its record is gone")
    return int(ended is not None and ended.failed)


def _drive(store: Store, op_id: str, bar: Meter, interruption: Interruption) -> Operation | None:
    me = process_name()
    while True:
        step = store.run(operations.drive(op_id, driver=me))
        driven_by_me = step is not None
        if step is None:
            step = store.run(operations.read(op_id))
        if step is None or step.finished:
            return step
        bar.update(step.done, step.limit, _note(step, driven_by_me))
        interruption.sleep(WATCH_S if not driven_by_me else IDLE_S if step.idle else 0)


def _note(step: Operation, driven_by_me: bool) -> str:
    elsewhere = "" if driven_by_me else "driven by another process"
    return " ".join(part for part in (f"{step.done:,} messages", step.note, elsewhere) if part)


def _interrupted(store: Store, gate: Gate, op_id: str) -> int:
    """A daemon carries it on; where none leads it is stopped, so that nothing stays half moved."""
    leader = store.run(lease.leader())
    if leader:
        print(f"\nqueuectl: interrupted; the daemon {leader} carries it on", file=sys.stderr)
        return INTERRUPTED
    stopping = store.run(gate.preview(StopOperation(op_id)))
    store.run(gate.commit(stopping, reason="interrupted", typed=stopping.confirm_word))
    ended = store.run(operations.drive(op_id, driver=process_name()))
    moved = f"{ended.done:,} messages were done" if ended else "another process was driving it"
    print(f"\nqueuectl: interrupted; no daemon leads, so it was stopped: {moved}", file=sys.stderr)
    return INTERRUPTED


def _ended(step: Operation) -> str:
    became = {"drain": f"moved to {step.target}", "refill": f"moved back from {step.target}", "retry": "queued again",
              "delete": "deleted"}[step.kind]  # fmt: skip
    what = f"{step.done:,} messages {became}"
    return f"{what} ({step.note})" if step.note else what
