"""One step of a drain or refill: at most a segment, in calls that never hold the server for long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from queuectl.model import Tier
from queuectl.policy.replay import rate_words
from queuectl.store import damage, dead_letters, jobs, keys, tiers
from queuectl.store.aside import waiting_list
from queuectl.store.client import OverflowServerError, Steps, ask, command, script
from queuectl.store.ids import PREFIX
from queuectl.store.notes import note
from queuectl.store.operation_plans import Plan
from queuectl.store.scripts import load
from queuectl.store.segments import Selection

MOVE = load("move_jobs")
LOOKS = 20
"""Calls in which one step looks for messages that it may take."""
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Result:
    """What a step did. `idle`: there was nothing to do yet."""

    moved: int = 0
    finished: bool = False
    note: str = ""
    idle: bool = False
    skipped: int = 0
    damaged: int = 0
    stored: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Fields of the operation that change."""


def step(plan: Plan, fence: str, now_s: float) -> Steps[Result]:
    """Carry the operation on by one step. Where the overflow server is away it is stopped, at the safe side."""
    view = plan.view
    if view.stopped:
        yield from _leave(plan, fence)
        return Result(finished=True, note="stopped")
    if plan.due(now_s) < 1:
        return Result(note=f"at {rate_words(view.rate_per_s or 0)}/s", idle=True)
    try:
        if view.kind == "refill":
            return (yield from _refill(plan, fence, now_s))
        if view.kind in ("retry", "delete"):
            return (yield from _failed(plan, fence, now_s))
        if view.target in set(Tier):
            return (yield from _drain_to_tier(plan, fence))
        return (yield from _drain_to_queue(plan, fence))
    except OverflowServerError as error:
        yield from _leave(plan, fence)
        yield from note(view.kind, view.queue, after="stopped", reason=str(error), fence=fence)
        return Result(finished=True, note=f"stopped: {error}", stored={"stopped": "1", "failed": "1"})


def _leave(plan: Plan, fence: str) -> Steps[str]:
    """Put back what a drain holds between its places; returns why messages stay that it passed over."""
    if plan.view.kind != "drain":
        return ""
    yield from tiers.unstage(plan.view.queue, plan.view.op_id, fence=fence)
    spared = yield from tiers.put_back(plan.view.queue, plan.view.op_id, fence=fence)
    return f"{spared:,} with an ordering key stay in the queue" if spared else ""


def _drain_to_tier(plan: Plan, fence: str) -> Steps[Result]:
    view = plan.view
    staging = tiers.Staging(view.queue, view.op_id, Tier(view.target), "operator", view.cause, plan.end)
    packed = yield from tiers.pack_staged(staging, fence=fence)
    if packed:
        return Result(packed)
    room = tiers.SEGMENT_JOBS if view.limit is None else min(tiers.SEGMENT_JOBS, view.limit - view.done)
    staged, exhausted = yield from _stage(plan, room, fence, shedding=view.target == Tier.SHED)
    if not staged and (exhausted or room <= 0):
        return Result(finished=True, note=(yield from _leave(plan, fence)))
    return Result((yield from tiers.pack_staged(staging, fence=fence)))


def _stage(plan: Plan, room: int, fence: str, *, shedding: bool) -> Steps[tuple[int, bool]]:
    """Stage up to `room` in a few calls; (staged, nothing is left that could be)."""
    view, total = plan.view, 0
    for _ in range(LOOKS):
        most = min(tiers.STAGE_JOBS, room - total)
        if most <= 0:
            break
        staged, looked_at = yield from tiers.stage(
            view.queue, view.op_id, fence=fence, end=plan.end, most=most, cutoff_s=view.cutoff_s, shedding=shedding,
            keep=shedding,
        )  # fmt: skip
        total += staged
        if looked_at < most:
            return total, True
    return total, False


def _drain_to_queue(plan: Plan, fence: str) -> Steps[Result]:
    """From the head to the tail at once; else all is collected first, so that it arrives in the queue's order."""
    view = plan.view
    staged = (yield from tiers.staged_owners(view.queue)).get(view.op_id, 0)
    if plan.end == "head" and plan.push_end == "tail" and not plan.marked_by:
        return (yield from _drain_at_once(plan, staged, fence))
    if plan.collected:
        moved = yield from _move(plan, fence)
        return Result(moved) if staged else Result(finished=True, note=(yield from _leave(plan, fence)))
    if plan.marked_by:
        return (yield from _collect_marked(plan, fence))
    room = (view.limit or 0) - view.done - staged
    found, exhausted = yield from _stage(plan, min(room, LOOKS * tiers.STAGE_JOBS), fence, shedding=True)
    over = exhausted or room - found <= 0
    return Result(note="collects them", stored={"collected": "1"} if over else _NOTHING)


def _drain_at_once(plan: Plan, staged: int, fence: str) -> Steps[Result]:
    view, exhausted = plan.view, False
    room = min(tiers.SEGMENT_JOBS, (view.limit or 0) - view.done - staged)
    if not staged:
        staged, exhausted = yield from _stage(plan, room, fence, shedding=True)
    if not staged and (exhausted or room <= 0):
        return Result(finished=True, note=(yield from _leave(plan, fence)))
    return Result((yield from _move(plan, fence)))


def _collect_marked(plan: Plan, fence: str) -> Steps[Result]:
    view, around = plan.view, plan.around
    if around is None:
        around = yield from ask(command("LLEN", (yield from waiting_list(view.queue))))
    for _ in range(LOOKS):
        if around <= 0:
            break
        _, looked_at = yield from tiers.stage(
            view.queue, view.op_id, fence=fence, end=plan.end, most=min(tiers.STAGE_JOBS, around), cutoff_s=None,
            shedding=False, marked_by=plan.marked_by,
        )  # fmt: skip
        around -= looked_at or around
    return Result(stored={"around": str(around), **({} if around > 0 else {"collected": "1"})})


def _move(plan: Plan, fence: str) -> Steps[int]:
    """Move up to a segment's worth of what is staged."""
    view, total = plan.view, 0
    for _ in range(tiers.SEGMENT_JOBS // tiers.STAGE_JOBS):
        moved, taken = yield from ask(
            script(
                MOVE,
                (keys.staging(view.queue, view.op_id), keys.queue(view.target), keys.staged(view.queue),
                 keys.ledger(view.queue), keys.ledger(view.target), keys.QUEUES),
                (fence, view.op_id, view.target, plan.push_end, tiers.STAGE_JOBS, PREFIX),
            )
        )  # fmt: skip
        total += moved
        if taken < tiers.STAGE_JOBS:
            break
    return total


def _refill(plan: Plan, fence: str, now_s: float) -> Steps[Result]:
    view, tier = plan.view, Tier(plan.view.target)
    room = tiers.SEGMENT_JOBS if view.limit is None else view.limit - view.done
    if room <= 0:
        return Result(finished=True)
    if not view.done and not plan.cursor:
        yield from damage.reconsider(view.queue, tier, fence=fence)
    restored = yield from tiers.restore_next(
        view.queue, tier, fence=fence, only_cause=view.only_cause, to_head=plan.end == "head",
        most=int(min(room, plan.due(now_s))), which=Selection(0, view.packed_after_s, view.reason), cursor=plan.cursor,
    )  # fmt: skip
    return Result(
        restored.jobs,
        finished=restored.segments_left == 0,
        skipped=restored.skipped,
        damaged=1 if restored.damaged else 0,
        stored={"cursor": restored.cursor} if restored.cursor != plan.cursor else _NOTHING,
    )


def _failed(plan: Plan, fence: str, now_s: float) -> Steps[Result]:
    """A page of failed jobs. Those that fail again meanwhile stand behind what was there as it began: not twice."""
    view, passed, around = plan.view, int(plan.cursor or 0), plan.around
    if around is None:
        around = yield from ask(command("ZCARD", keys.registry("failed", view.queue)))
    rows = yield from jobs.page(view.queue, "failed", passed, min(around, dead_letters.PAGE))
    ids, looked_at = dead_letters.leading(rows, view.match, plan.due(now_s))
    act = dead_letters.retry if view.kind == "retry" else dead_letters.delete
    done, gone = yield from act(view.queue, ids, fence=fence)
    left = around - looked_at
    stored = {"around": str(left), "cursor": str(passed + looked_at - gone)}
    return Result(done, finished=left <= 0 or not rows, stored=stored)
