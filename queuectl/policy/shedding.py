"""Shedding and refusal: when they start and end, and which message they meet."""

from __future__ import annotations

import hashlib

from queuectl.policy.decision import ControlName, Decision, Latch, Mode, advance, transition
from queuectl.policy.pressure import Signals, pressure, strongest
from queuectl.policy.thresholds import QueueControls, ShedThresholds


def shed(latch: Latch, signals: Signals, controls: QueueControls, now_s: float) -> tuple[Latch, Decision | None]:
    """Quick in, slow out. A protected queue stays off whatever its mode."""
    limits = controls.shedding
    mode = Mode.OFF if controls.policy.protected else controls.shed
    level = pressure(signals, controls.policy, controls.wall.enter_memory_share)
    after = advance(latch, mode, enter=level > limits.enter_pressure, leave=level < limits.leave_pressure,
                    dwell=limits.dwell, now_s=now_s)  # fmt: skip
    if after.on is latch.on:
        return after, None
    cause = strongest(signals, controls.policy, controls.wall.enter_memory_share)
    bound = (f"over {limits.enter_pressure:g} for {limits.enter_for_s:g} s" if after.on
             else f"under {limits.leave_pressure:g} for {limits.leave_for_s:g} s")  # fmt: skip
    inputs = {
        "pressure": level,
        "wait_s": signals.wait_s,
        "staleness_s": signals.staleness_s,
        "backlog": signals.backlog,
        "memory_share": signals.memory_share,
    }
    return after, transition(signals.queue, ControlName.SHED, after.word, mode=mode,
                             reason=f"pressure {level:.2f} ({cause}), {bound}", inputs=inputs)  # fmt: skip


def refuse(latch: Latch, signals: Signals, controls: QueueControls, now_s: float) -> tuple[Latch, Decision | None]:
    """The wall: producers are told to come back later. A part of the memory stays free for protected queues."""
    limits, protected = controls.wall, controls.policy.protected
    reserve = limits.protected_reserve_share if protected else 0.0
    full, room = limits.enter_memory_share + reserve, limits.leave_memory_share + reserve
    memory = signals.memory_share
    overflowing = 0.0 if protected else signals.overflow_share
    after = advance(latch, controls.refuse, enter=memory >= full or overflowing >= 1.0,
                    leave=memory < room and overflowing < limits.overflow_leave_share, dwell=limits.dwell,
                    now_s=now_s)  # fmt: skip
    if after.on is latch.on:
        return after, None
    reason = ("overflow is full" if after.on and memory < full
              else f"memory is at {memory:.0%}, the limit is {full:.0%}" if after.on
              else f"memory is at {memory:.0%}, under {room:.0%}, and overflow has room")  # fmt: skip
    inputs = {"memory_share": memory, "overflow_share": signals.overflow_share}
    return after, transition(
        signals.queue, ControlName.REFUSE, after.word, mode=controls.refuse, reason=reason, inputs=inputs
    )


def cutoff(level: float, limits: ShedThresholds) -> float:
    """How expendable a message may be at this pressure, 100 (all stay) to 0: 100 (1 − x³), x over the curve's span."""
    x = (level - limits.enter_pressure) / (1.0 - limits.enter_pressure)
    return 100.0 * (1.0 - min(max(x, 0.0), 1.0) ** 3)


def sheds(priority: int, campaign: str, cutoff_now: float, *, protected: bool) -> bool:
    """Whether the curve meets a message. `priority` as producers give it: 0 is shed first, 100 never.

    Messages of the priority that the cutoff runs through are met campaign by campaign, so that one campaign is
    treated alike.
    """
    if protected:
        return False
    expendable = 100 - priority
    return expendable - 1 + campaign_place(campaign) > cutoff_now


def campaign_place(campaign: str) -> float:
    """The campaign's stable place, in (0, 1], among equals; the first 32 bits of SHA-1, which Lua can compute too."""
    digest = hashlib.sha1(campaign.encode(), usedforsecurity=False).digest()
    return (int.from_bytes(digest[:4], "big") + 1) / 2**32
