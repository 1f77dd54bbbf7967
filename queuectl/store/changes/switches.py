"""Shed, direction and pause of a queue; the desired size of a pool."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from queuectl.model import (
    Preview,
    QueuectlError,
    QueueState,
    RefusedError,
    Scale,
    SetDirection,
    SetPause,
    SetShed,
    Switch,
    UsageError,
    WorkerState,
)
from queuectl.policy.forecast import Flow, with_workers
from queuectl.policy.forecast_words import humane_s
from queuectl.settings import Settings
from queuectl.store import aside, keys, lease, providers
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import count_older, of_queue
from queuectl.store.client import Steps, ask, command
from queuectl.store.decode import automatic_of, control_of, pool_state, text_map, worker_state

ControlAction = SetShed | SetDirection | SetPause
_PARTS = ("", "_until", "_by", "_reason", "_since", "_cause")
_WHAT = {SetShed: ("shed", "shed"), SetDirection: ("direction", "mode"), SetPause: ("pause", "pause")}
POOL_READ_LIMIT = 1000


def of_control(action: ControlAction, settings: Settings) -> Steps[Change]:
    """Switch one control of one queue."""
    facts = yield from of_queue(action.queue, settings)
    what, verb = _WHAT[type(action)]
    stored = text_map((yield from ask(command("HGETALL", keys.control(action.queue)))))
    policy = facts.queue.policy
    standing, automatic = {
        "shed": (policy.shed.value, policy.shed_auto),
        "direction": (policy.direction.value, policy.direction_auto),
        "pause": (Switch.OFF.value, False),
    }[what]
    now = control_of(stored, what, standing, facts.now_s, automatic=automatic)
    auto = automatic_of(stored, what, standing).value if automatic else standing
    wanted = auto if action.value is None else action.value.value
    stale = 0
    if what == "shed" and wanted == "on":
        stale = yield from count_older(action.queue, facts.now_s - policy.max_age_s)
    effects = yield from _effects(action, facts.queue, wanted, stale)
    affected = stale if what == "shed" else facts.queue.depth
    same = now.value == wanted and now.overridden == (action.value is not None) and action.for_s is None
    preview = Preview(
        action=action,
        headline=_headline(action, wanted, now.value),
        verb=_button(action, wanted),
        effects=effects,
        forecast=facts.forecast(lambda flow: switched(flow, what, wanted), stale=stale),
        affected=affected,
        approximate=affected > 0,
        confirm_word=action.queue if facts.queue.policy.protected and wanted == "on" and what != "pause" else "",
        nothing=same and now.until_s is None,
        token=str(facts.queue.version),
    )
    return Change(
        preview=preview,
        key=keys.control(action.queue),
        scope=action.queue,
        verb=verb,
        before=now.value,
        after=wanted if action.value is not None else f"{wanted} (auto)",
        fields=override_fields(what, None if action.value is None else wanted, action.for_s, facts.now_s),
        expected_version=str(facts.queue.version),
        payload={
            "kind": "control",
            "what": what,
            "restore": {f"{what}{part}": stored.get(f"{what}{part}", "\0") for part in _PARTS},
            "replay": what == "shed" and wanted == "on",
        },
        follow_up=_set_aside(action.queue, preview.headline) if isinstance(action, SetPause) else None,
    )


def _set_aside(queue: str, headline: str) -> Steps[str]:
    yield from aside.obey(queue)
    return headline


def override_fields(what: str, value: str | None, for_s: float | None, now_s: float) -> dict[str, str]:
    if value is None:
        return {f"{what}{part}": "\0" for part in _PARTS[:-1]} | {f"{what}_cause": "@cause"}
    return {
        what: value,
        f"{what}_until": "" if for_s is None else f"{now_s + for_s:.3f}",
        f"{what}_by": "@by",
        f"{what}_reason": "@reason",
        f"{what}_since": "@now",
        f"{what}_cause": "@cause",
    }


def _headline(action: ControlAction, wanted: str, now: str) -> str:
    limit = f" for {humane_s(action.for_s)}" if action.for_s else ""
    auto = " (auto)" if action.value is None else ""
    match action:
        case SetShed():
            return f"Shedding of {action.queue}: {now} → {wanted}{auto}{limit}"
        case SetDirection():
            return f"Direction of {action.queue}: {now.upper()} → {wanted.upper()}{auto}{limit}"
        case SetPause():
            done = "Pause" if wanted == "on" else "Resume"
            return f"{done} {action.queue}{limit}"


def _button(action: ControlAction, wanted: str) -> str:
    match action:
        case SetShed():
            return f"{'Shed stale mail of' if wanted == 'on' else 'Stop shedding'} {action.queue}"
        case SetDirection():
            return f"Switch {action.queue} to {wanted.upper()}"
        case SetPause():
            return f"{'Pause' if wanted == 'on' else 'Resume'} {action.queue}"


def _effects(action: ControlAction, queue: QueueState, wanted: str, stale: int) -> Steps[tuple[str, ...]]:
    """What will happen; `stale` messages are past their max age now."""
    match action:
        case SetShed() if wanted == "on":
            return (
                f"About {stale:,} messages older than {humane_s(queue.policy.max_age_s)} go to the shed store.",
                "They are kept there and come back with undo.",
                f"New messages are refused while {queue.policy.cap:,} or more wait.",
            )
        case SetShed():
            return "No message is dropped or refused any more.", "What was shed stays in the shed store."
        case SetDirection() if wanted == "lifo":
            assisted = ("Stock workers only take the head: the daemon brings the newest there every second.",)
            return (
                "The newest message is delivered first; nothing is moved.",
                f"The oldest ({humane_s(queue.oldest_s)}) wait until the backlog is gone.",
                *(assisted if queue.stock_workers else ()),
            )
        case SetDirection():
            return ("The oldest message is delivered first; nothing is moved.",)
        case SetPause() if wanted == "on":
            return (
                "Workers finish what is in flight and claim nothing more.",
                "Messages are still accepted and wait.",
                *(yield from _pause_by_assistance(queue)),
            )
        case SetPause():
            back = (f"{queue.aside:,} set aside for stock workers come back in their order.",) if queue.aside else ()
            return ("Workers claim again.", *back)


def switched(flow: Flow, what: str, value: str) -> Flow:
    """The flow with one control (shed, direction, pause) at another value."""
    match what:
        case "shed":
            return replace(flow, shedding=value == "on")
        case "direction":
            return replace(flow, newest_first=value == "lifo")
        case _:
            return replace(flow, paused=value == "on")


def _pause_by_assistance(queue: QueueState) -> Steps[tuple[str, ...]]:
    """What a pause means for workers that know nothing of it."""
    if not queue.stock_workers:
        return ()
    effects = (
        f"{queue.stock_workers} stock rq workers cannot be told: what waits is set aside, and comes back in its order.",
    )
    if (yield from lease.leader()):
        return effects
    return (
        *effects,
        "No daemon runs: stock workers still take what arrives, and when the pause expires nothing comes back by "
        "itself, only by resume or undo.",
    )


def of_pool(action: Scale, settings: Settings) -> Steps[Change]:
    """Change how many workers a pool should have."""
    names, record, worker_keys, now = yield (
        command("SMEMBERS", keys.POOLS),
        command("HGETALL", keys.pool(action.pool)),
        command("SMEMBERS", keys.WORKERS),
        command("TIME"),
    )
    worker_records = (yield tuple(command("HGETALL", key) for key in sorted(worker_keys))) if worker_keys else []
    now_s = int(now[0]) + int(now[1]) / 1e6
    workers = [
        worker_state(key.decode(), found, now_s)
        for key, found in zip(sorted(worker_keys), worker_records, strict=True)
        if found
    ]
    if not record:
        raise _no_pool(action.pool, sorted(raw.decode() for raw in names), workers)
    stored = text_map(record)
    pool = pool_state(action.pool, record, workers, now_s)
    wanted = pool.configured if action.workers is None else action.workers
    lines = yield from pool_forecast(pool.queues, settings, pool.desired or 0, wanted)
    limit = f" for {humane_s(action.for_s)}" if action.for_s else ""
    preview = Preview(
        action=action,
        headline=f"Pool {action.pool}: {pool.desired} → {wanted} workers{limit}",
        verb=f"Scale {action.pool} to {wanted}",
        effects=_scale_effects(pool.actual, wanted, pool.concurrency),
        forecast=lines,
        affected=abs(wanted - (pool.desired or 0)),
        nothing=wanted == pool.desired and action.for_s is None and pool.until_s is None,
        refusal="a pool takes 0 to 1,000 workers" if not 0 <= wanted <= POOL_READ_LIMIT else "",
        token=stored.get("version", "0"),
    )
    return Change(
        preview=preview,
        key=keys.pool(action.pool),
        scope=action.pool,
        verb="scale",
        before=str(pool.desired),
        after=str(wanted) if action.workers is not None else f"{wanted} (auto)",
        fields=override_fields("desired", None if action.workers is None else str(wanted), action.for_s, now_s),
        expected_version=stored.get("version", "0"),
        payload={
            "kind": "pool",
            "what": "desired",
            "restore": {f"desired{part}": stored.get(f"desired{part}", "\0") for part in _PARTS},
        },
    )


def _no_pool(name: str, known: Sequence[str], workers: Sequence[WorkerState]) -> QueuectlError:
    """Running stock workers cannot be scaled as they are: nobody knows how they were started."""
    stock = [worker for worker in workers if worker.stock and name in worker.queues and not worker.ghost]
    if stock:
        queues = ", ".join(f'"{queue}"' for queue in stock[0].queues)
        return RefusedError(
            f"{len(stock)} stock rq workers serve {name}, and no settings say how they are started; put [pools.{name}] "
            f'with queues = [{queues}], workers = {len(stock)} and command = ["rq", "worker", "--name", "{{name}}", '
            f'"{{queues}}"] into the settings of a daemon, then stop those that run now'
        )
    where = f"known pools: {', '.join(known)}" if known else "no daemon manages pools here: name them under [pools] " \
        "in the settings"  # fmt: skip
    return UsageError(f"no pool {name!r}; {where}")


def _scale_effects(actual: int, wanted: int, concurrency: int) -> tuple[str, ...]:
    if wanted > actual:
        return (f"{wanted - actual} workers are started: {(wanted - actual) * concurrency:,} more messages in flight.",)
    if wanted < actual:
        return (f"{actual - wanted} workers finish what they have in flight and leave; nothing is killed.",)
    return (f"{actual} workers stay.",)


def pool_forecast(queues: Sequence[str], settings: Settings, before: int, after: int) -> Steps[tuple[str, ...]]:
    """Before → after of every queue of a pool. More workers do not help beyond what a provider takes."""
    allowed = yield from _allowed_per_s(settings)
    lines = []
    for name in queues:
        facts = yield from of_queue(name, settings)
        most_per_s = allowed.get(settings.provider_name(facts.queue.policy.provider), math.inf)
        found = facts.forecast(lambda flow: _resized(flow, before, after), most_per_s=most_per_s)
        lines += [f"{name}: {line}" for line in found]
    return tuple(lines)


def _allowed_per_s(settings: Settings) -> Steps[dict[str, float]]:
    """Messages a second by provider; those without a limit are left out."""
    now = yield from ask(command("TIME"))
    replies = yield providers.state_calls(tuple(settings.providers))
    states = providers.states(settings.providers, replies, int(now[0]) + int(now[1]) / 1e6)
    return {state.name: state.allowed_per_s for state in states if state.allowed_per_s is not None}


def _resized(flow: Flow, before: int, after: int) -> Flow:
    """The pool's own number counts: it may still be starting or stopping workers. A pool without any has no measure."""
    return with_workers(replace(flow, workers=before), after) if before else replace(flow, workers=after)
