"""What automation keeps in Redis: the values it decided, the limits admission applies, and its memory."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from queuectl.model import AUTOMATION
from queuectl.policy.controller import States
from queuectl.policy.decision import ControlName, Decision, Latch
from queuectl.policy.scaling import ScalingState
from queuectl.store import audit, keys
from queuectl.store.client import Argument, Steps, ask, command, script
from queuectl.store.notes import note
from queuectl.store.scripts import load

REMEMBER = load("remember_automation")
LIMITS_LAST_S = 15.0
"""A limit lapses so long after its last renewal: a daemon that is gone sheds, refuses and diverts nothing."""
VERBS = {
    ControlName.SURGE: "surge",
    ControlName.OVERFLOW: "overflow",
    ControlName.SHED: "shed",
    ControlName.DIRECTION: "mode",
    ControlName.SCALE: "scale",
    ControlName.REFUSE: "refuse",
}
FIELDS = {
    ControlName.SURGE: "surge",
    ControlName.OVERFLOW: "overflow",
    ControlName.SHED: "shed",
    ControlName.DIRECTION: "direction",
    ControlName.SCALE: "desired",
}
"""What a control is called in its hash; where it is a queue's, in the settings too."""


OVERRIDABLE = frozenset({ControlName.SHED, ControlName.DIRECTION, ControlName.SCALE})
"""Controls that an operator's override outranks: undo of a decision is one."""
AUTOMATIC = "automatic"
"""Kind of an audit entry's payload, for undo."""


@dataclass(frozen=True, slots=True)
class Load:
    """A pool's busy slots, averaged, and the slot seconds a message costs; None until one was delivered."""

    busy: float = 0.0
    message_s: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What one second of automation hands to the next, whoever leads then."""

    states: States = field(default_factory=States)
    loads: Mapping[str, Load] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limit:
    """What admission applies to one queue. `cutoff` None: the shed curve meets nothing; `wall`: all are refused;
    `divert`: arrivals of a FIFO queue go to surge or overflow, empty: to the last tier that is not empty."""

    queue: str
    cutoff: float | None = None
    wall: bool = False
    divert: str = ""


def decide(decision: Decision, *, before: str, version: str, fence: str) -> Steps[int]:
    """Write a decided value with its audit entry; the entry's number, or 0 when an operator has acted meanwhile.

    `version`: what the decision was made on, '' for any. Raises LeaseLostError for an old `fence`.
    """
    reason = _explained(decision)
    verb = VERBS[decision.action]
    if decision.action not in FIELDS:
        return (yield from note(verb, decision.scope, after=decision.value, reason=reason, fence=fence))
    what = f"{FIELDS[decision.action]}_auto"
    key = keys.pool(decision.scope) if decision.action is ControlName.SCALE else keys.control(decision.scope)
    inputs = json.dumps(dict(decision.inputs), separators=(",", ":"))
    fields = (what, decision.value, f"{what}_since", "@now", f"{what}_reason", reason, f"{what}_cause", "@cause",
              f"{what}_inputs", inputs)  # fmt: skip
    payload = {"kind": AUTOMATIC, "what": FIELDS[decision.action], "inputs": dict(decision.inputs)}
    entry = ("who", AUTOMATION, "action", verb, "scope", decision.scope, "before", before, "after", decision.value,
             "reason", reason, "undoable", "1" if decision.action in OVERRIDABLE and before else "0",
             "payload", json.dumps(payload, separators=(",", ":")))  # fmt: skip
    arguments: list[Argument] = [fence, version, 0, len(fields), 0, *fields, *entry]
    reply = yield from ask(script(audit.COMMIT, (key, keys.AUDIT, keys.AUDIT_NUMBER, keys.AUDIT_UNDONE, ""), arguments))
    return int(reply[1]) if reply[0] == 1 else 0


def fields_of(control: ControlName) -> tuple[str, ...]:
    """Every field that a decision about this control leaves in the hash of its queue or pool."""
    what = f"{FIELDS[control]}_auto"
    return tuple(f"{what}{part}" for part in ("", "_since", "_reason", "_cause", "_inputs"))


def _explained(decision: Decision) -> str:
    numbers = ", ".join(f"{name} {number:.6g}" for name, number in decision.inputs.items())
    return f"{decision.reason} ({numbers})" if numbers else decision.reason


def recall() -> Steps[Memory]:
    """What the last leader remembered; nothing where that cannot be read."""
    raw = yield from ask(command("GET", keys.AUTOMATION))
    try:
        return decode(raw) if raw else Memory()
    except (ValueError, LookupError, TypeError, AttributeError):
        return Memory()


def remember(text: str, limits: Sequence[Limit], *, fence: str) -> Steps[None]:
    """Keep an encoded memory, and renew `limits`. Raises LeaseLostError for an old `fence`."""
    arguments: list[Argument] = [fence, text, LIMITS_LAST_S]
    for limit in limits:
        arguments += (
            limit.queue,
            "" if limit.cutoff is None else repr(limit.cutoff),
            "on" if limit.wall else "off",
            limit.divert,
        )
    yield (script(REMEMBER, (keys.AUTOMATION,), arguments),)


def encode(memory: Memory) -> str:
    """JSON; controls that rest in their first state are left out."""
    queues = {}
    for name, latches in memory.states.queues.items():
        moved = {control.value: _latch(latch) for control, latch in latches.items() if latch != Latch()}
        if moved:
            queues[name] = moved
    pools = {
        name: [state.changes, state.wanted, state.watched_since_s, _latch(state.bound)]
        for name, state in memory.states.pools.items()
        if state != ScalingState()
    }
    loads = {name: [round(load.busy, 3), load.message_s] for name, load in memory.loads.items()}
    return json.dumps({"queues": queues, "pools": pools, "loads": loads}, separators=(",", ":"))


def decode(text: str | bytes) -> Memory:
    """The reverse of `encode`. Raises ValueError, LookupError, TypeError or AttributeError for anything else."""
    stored = json.loads(text)
    queues = {
        name: {ControlName(control): _read_latch(latch) for control, latch in latches.items()}
        for name, latches in stored["queues"].items()
    }
    pools = {
        name: ScalingState(_timed(changes), _timed(wanted), since_s, _read_latch(bound))
        for name, (changes, wanted, since_s, bound) in stored["pools"].items()
    }
    loads = {name: Load(float(busy), message_s) for name, (busy, message_s) in stored["loads"].items()}
    return Memory(States(queues, pools), loads)


def _latch(latch: Latch) -> list[Any]:
    """JSON has no infinity: a control that never moved has no `since`."""
    return [latch.on, latch.since_s if math.isfinite(latch.since_s) else None, latch.met_since_s]


def _read_latch(stored: Sequence[Any]) -> Latch:
    on, since_s, met_since_s = stored
    return Latch(bool(on), -math.inf if since_s is None else float(since_s), met_since_s)


def _timed(stored: Sequence[Sequence[Any]]) -> tuple[tuple[float, int], ...]:
    return tuple((float(at_s), int(workers)) for at_s, workers in stored)
