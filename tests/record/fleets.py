"""Pictures of a deployment in a spike, second by second."""

from __future__ import annotations

import math
from dataclasses import replace

from queuectl.model import (
    AuditEntry,
    Control,
    Direction,
    FleetState,
    Ledger,
    LedgerState,
    Policy,
    PoolState,
    QueueClass,
    QueueState,
    ServerState,
    Switch,
    WorkerState,
)

START_S = 1_764_000_000.0

EVENTS = (
    AuditEntry(1, START_S - 500, "ben@mail-02", "pause", "legacy", "off", "on", "release", undone_by=2),
    AuditEntry(2, START_S + 12.5, "ana@mail-01", "shed", "forum", "off", "on", "spike; told by eve@example.org", True),
    AuditEntry(3, START_S + 40.25, "auto", "repair", "bulk-07", "", "201 requeued", "no heartbeat for 30s"),
)


def fleet(second: int) -> FleetState:
    """The picture `second` seconds after START_S."""
    at_s = START_S + second
    forum = QueueState(
        "forum", Policy(QueueClass.BULK, 4 * 3600, 600, direction=Direction.LIFO),
        shed=Control(Switch.ON, True, at_s + 60, START_S, "ana@mail-01", "why", 2), depth=100 * second, in_flight=50,
        oldest_s=float(second), in_per_s=600.0, out_per_s=500.0, wait_p95_s=1.5, failed=second // 10, eta_s=math.inf,
        workers=4, slots=200, busy=180,
        ledger=Ledger(accepted=600 * second, delivered=500 * second, moved_out=second, state=LedgerState.BALANCED),
    )  # fmt: skip
    return FleetState(
        at_s,
        ServerState("redis://10.0.0.5:6379/0", "valkey", "9.1", 1_000_000, 0),
        queues=(forum, QueueState("empty", oldest_s=None, eta_s=None)),
        workers=(WorkerState("w1", "mail-01", 4711, ("forum", "empty"), "busy", stock=True),),
        pools=(PoolState("bulk", ("forum",), None, 1, until_s=None),),
        hosts=("mail-01",),
        leader="mail-01:1",
        managed=True,
        events=tuple(event for event in reversed(EVENTS) if event.at_s <= at_s),
    )


def without_queues(second: int) -> FleetState:
    return replace(fleet(second), queues=())
