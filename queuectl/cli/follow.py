"""Carry on a drain or refill from the command line, or watch the process that does."""

from __future__ import annotations

import sys

from queuectl.cli.context import process_name
from queuectl.cli.interruption import Interruption
from queuectl.cli.progress import Meter, meter
from queuectl.model import Operation
from queuectl.store import lease, operations
from queuectl.store.client import Store

INTERRUPTED = 130
WATCH_S = 0.5
IDLE_S = 0.1
"""Pause after a step that moved nothing: the operation is held to a rate, or waits for another."""


def follow(store: Store, op_id: str, *, wait: bool) -> int:
    """Drive the operation to its end. Returns the exit code; prints how it ended."""
    if not wait:
        leader = store.run(lease.leader())
        print(f"carried on by the daemon {leader}" if leader
              else "no daemon leads: it goes on when one starts", file=sys.stderr)  # fmt: skip
        return 0
    try:
        with Interruption().held() as interruption, meter("moving") as bar:
            ended = _drive(store, op_id, bar, interruption)
    except KeyboardInterrupt:
        return _interrupted(store, op_id)
    print(_ended(ended) if ended else "its record is gone")
    return 0


def _drive(store: Store, op_id: str, bar: Meter, interruption: Interruption) -> Operation | None:
    me, before = process_name(), -1
    while True:
        step = store.run(operations.drive(op_id, driver=me))
        driven_by_me = step is not None
        if step is None:
            step = store.run(operations.read(op_id))
        if step is None or step.finished:
            return step
        bar.update(step.done, step.limit, _note(step, driven_by_me))
        interruption.sleep(WATCH_S if not driven_by_me else IDLE_S if step.done == before else 0)
        before = step.done


def _note(step: Operation, driven_by_me: bool) -> str:
    elsewhere = "" if driven_by_me else "driven by another process"
    return " ".join(part for part in (f"{step.done:,} messages", step.note, elsewhere) if part)


def _interrupted(store: Store, op_id: str) -> int:
    """A daemon carries it on; where none leads it is stopped, so that nothing stays half moved."""
    leader = store.run(lease.leader())
    if leader:
        print(f"\nqueuectl: interrupted; the daemon {leader} carries it on", file=sys.stderr)
        return INTERRUPTED
    store.run(operations.stop(op_id))
    ended = store.run(operations.drive(op_id, driver=process_name()))
    moved = f"{ended.done:,} messages were moved" if ended else "another process was driving it"
    print(f"\nqueuectl: interrupted; no daemon leads, so it was stopped: {moved}", file=sys.stderr)
    return INTERRUPTED


def _ended(step: Operation) -> str:
    what = f"{step.done:,} messages moved {'to' if step.kind == 'drain' else 'back from'} {step.target}"
    return f"{what} ({step.note})" if step.note else what
