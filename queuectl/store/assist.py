"""Steering done for workers that know nothing of us: stock rq pops the head and checks no ages."""

from __future__ import annotations

from queuectl.model import Direction, QueueState, Switch, Tier
from queuectl.store import keys, tiers
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

ROTATE = load("rotate_newest")
ROTATE_JOBS = 800
"""Arrivals a call; a quarter as many of the oldest come with them."""
SHED_OWNERS = ("claim", "sweep")
"""Who stages stale messages: claims of our workers, and the sweep at the old end."""
ADMISSION_OWNER = "admission"
"""Who stages what the shed curve meets."""
ORDER_OWNER = "order"
"""Who stages stale messages with an ordering key, each with all that was held behind it."""
CUT_OWNERS = {ADMISSION_OWNER: "pressure", ORDER_OWNER: "max age"}
"""With reasons: what they stage is shed whatever happens meanwhile: the producer was told, or the key has gone on."""


def set_assist(queue: QueueState, assisted: bool) -> Steps[None]:
    """Tell the claim script whether the daemon rotates this LIFO queue; our own workers then take the head too."""
    key = keys.control(queue.name)
    if assisted:
        yield (command("HSET", key, "assist", "1"),)
    else:
        # settled_tail stays: a later LIFO must not turn over again what was brought to the head.
        yield (command("HDEL", key, "assist"),)


def rotate(queue: QueueState, *, fence: str) -> Steps[int]:
    """Bring the newest arrivals of a LIFO queue to the head. Returns how many were moved."""
    moved: int = yield from ask(
        script(ROTATE, (keys.queue(queue.name), keys.control(queue.name)), (fence, ROTATE_JOBS))
    )
    return moved


def shed(queue: QueueState, *, fence: str, sweep: bool) -> Steps[int]:
    """Sweep the stale head (`sweep`), and pack what claims and sweeps have staged. Returns messages packed.

    Where shedding has ended meanwhile, what is staged goes back to the head, but for CUT_OWNERS' part.
    """
    packed = 0
    for owner, reason in CUT_OWNERS.items():
        met = tiers.Staging(queue.name, owner, Tier.SHED, reason, queue.shed.cause, "head")
        packed += yield from tiers.pack_staged(met, fence=fence)
    if queue.shed.value != Switch.ON:
        for owner in SHED_OWNERS:
            yield from tiers.unstage(queue.name, owner, fence=fence, end="head")
        return packed
    if sweep:
        yield from tiers.sweep_stale(queue.name, fence=fence, max_age_s=queue.policy.max_age_s)
        if needs_rotation(queue):
            # The newest lie at the head then, and what has waited long at the tail.
            yield from tiers.sweep_stale(queue.name, fence=fence, max_age_s=queue.policy.max_age_s, end="tail")
    for owner in SHED_OWNERS:
        staging = tiers.Staging(queue.name, owner, Tier.SHED, "max age", queue.shed.cause, "head")
        packed += yield from tiers.pack_staged(staging, fence=fence)
    return packed


def needs_rotation(queue: QueueState) -> bool:
    """LIFO on a queue that stock workers serve."""
    return queue.direction.value == Direction.LIFO and queue.stock_workers > 0
