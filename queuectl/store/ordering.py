"""Keep ordering keys going: where the active message is gone or ended elsewhere, and where it blocks others for too
long. Called by the leading daemon only; every call is bounded."""

from __future__ import annotations

from queuectl.model import OrderBlock, QueueState
from queuectl.store import keys
from queuectl.store.client import Steps, ask, script
from queuectl.store.notes import note
from queuectl.store.scripts import load

SWEEP = load("sweep_order")
END = load("end_blocking")
SWEEP_KEYS = 300
END_KEYS = 200
START = "0"
"""The cursor a sweep begins with and ends at."""


def sweep(queue: str, cursor: str, *, fence: str) -> Steps[tuple[str, int]]:
    """Look through the next few ordering keys; the cursor to go on from, and how many keys could go on."""
    reply = yield from ask(script(SWEEP, (keys.order(queue), keys.gone(queue)), (fence, queue, cursor, SWEEP_KEYS)))
    return reply[0].decode(), reply[1]


def end_blocking(queue: QueueState, *, fence: str) -> Steps[int]:
    """Supersede or skip heads that block for longer than the queue's policy allows, with an audit entry. How many."""
    policy = queue.policy
    if policy.on_order_block is OrderBlock.KEEP:
        return 0
    ended: int = yield from ask(
        script(
            END,
            (keys.blocked(queue.name), keys.order(queue.name), keys.registry("scheduled", queue.name),
             keys.ledger(queue.name)),
            (fence, queue.name, f"{policy.order_block_s:.3f}", policy.on_order_block.value, END_KEYS),
        )
    )  # fmt: skip
    if ended:
        done = "superseded" if policy.on_order_block is OrderBlock.SUPERSEDE else "skipped"
        reason = f"tried again for {policy.order_block_s:g} s, others of the same ordering key waited"
        yield from note("order", queue.name, after=f"{ended:,} {done}", reason=reason, fence=fence)
    return ended
