"""Shed, direction and pause of a queue; the desired size of a pool."""

from __future__ import annotations

from queuectl.model import Preview, Scale, SetDirection, SetPause, SetShed, Switch, UsageError
from queuectl.policy.forecast import with_workers, without
from queuectl.settings import Settings
from queuectl.store import keys
from queuectl.store.changes.change import Change
from queuectl.store.changes.facts import Facts, count_older, eta_words, humane_s, of_queue
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
    effects, forecast, affected = yield from _consequences(action, facts, wanted)
    same = now.value == wanted and now.overridden == (action.value is not None) and action.for_s is None
    preview = Preview(
        action=action,
        headline=_headline(action, wanted, now.value),
        verb=_button(action, wanted),
        effects=effects,
        forecast=forecast,
        affected=affected,
        approximate=affected > 0,
        refusal=_refusal(action, facts, wanted),
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
        fields=_override_fields(what, None if action.value is None else wanted, action.for_s, facts.now_s),
        expected_version=str(facts.queue.version),
        payload={
            "kind": "control",
            "what": what,
            "restore": {f"{what}{part}": stored.get(f"{what}{part}", "\0") for part in _PARTS},
            "replay": what == "shed" and wanted == "on",
        },
    )


def _override_fields(what: str, value: str | None, for_s: float | None, now_s: float) -> dict[str, str]:
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


def _consequences(
    action: ControlAction, facts: Facts, wanted: str
) -> Steps[tuple[tuple[str, ...], tuple[str, ...], int]]:
    """(effects, forecast, messages affected now)."""
    queue, flow = facts.queue, facts.flow
    match action:
        case SetShed() if wanted == "on":
            stale = yield from count_older(queue.name, facts.now_s - queue.policy.max_age_s)
            after = without(flow, stale) if flow else None
            return (
                (
                    f"About {stale:,} messages older than {humane_s(queue.policy.max_age_s)} go to the shed store.",
                    "They are kept there and come back with undo.",
                    f"New messages are refused while {queue.policy.cap:,} or more wait.",
                ),
                (
                    f"waiting {queue.depth:,} → {queue.depth - stale:,}",
                    f"clears in {eta_words(flow)} → {eta_words(after)}",
                ),
                stale,
            )
        case SetShed():
            return ("No message is dropped or refused any more.", "What was shed stays in the shed store."), (), 0
        case SetDirection() if wanted == "lifo":
            assisted = ("Stock workers only take the head: the daemon brings the newest there every second.",)
            return (
                (
                    "The newest message is delivered first; nothing is moved.",
                    f"The oldest ({humane_s(queue.oldest_s)}) wait until the backlog is gone.",
                    *(assisted if queue.stock_workers else ()),
                ),
                (f"wait of a new message {humane_s(queue.wait_p50_s)} → about 0s",),
                queue.depth,
            )
        case SetDirection():
            return ("The oldest message is delivered first; nothing is moved.",), (), queue.depth
        case SetPause() if wanted == "on":
            return (
                ("Workers finish what is in flight and claim nothing more.", "Messages are still accepted and wait."),
                (),
                queue.depth,
            )
        case SetPause():
            return ("Workers claim again.",), (f"clears in {eta_words(flow)}",), queue.depth


def _refusal(action: ControlAction, facts: Facts, wanted: str) -> str:
    stock = facts.queue.stock_workers
    if isinstance(action, SetPause) and wanted == "on" and stock:
        return (
            f"{stock} stock rq workers serve {action.queue} and would go on: they can only be suspended "
            "all together, with `rq suspend`, or drained of work: `queuectl drain`"
        )
    return ""


def of_pool(action: Scale, settings: Settings) -> Steps[Change]:
    """Change how many workers a pool should have."""
    names, record, worker_keys, now = yield (
        command("SMEMBERS", keys.POOLS),
        command("HGETALL", keys.pool(action.pool)),
        command("SMEMBERS", keys.WORKERS),
        command("TIME"),
    )
    if not record:
        known = ", ".join(sorted(raw.decode() for raw in names))
        raise UsageError(
            f"no pool {action.pool!r}; "
            + (
                f"known pools: {known}"
                if known
                else "no daemon manages pools here: name them under [pools] in the settings"
            )
        )
    worker_records = (yield tuple(command("HGETALL", key) for key in sorted(worker_keys))) if worker_keys else []
    now_s = int(now[0]) + int(now[1]) / 1e6
    workers = [
        worker_state(key.decode(), found, now_s)
        for key, found in zip(sorted(worker_keys), worker_records, strict=True)
        if found
    ]
    stored = text_map(record)
    pool = pool_state(action.pool, record, workers, now_s)
    wanted = pool.configured if action.workers is None else action.workers
    lines = yield from _pool_forecast(pool.queues, settings, pool.desired or 0, wanted)
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
        fields=_override_fields("desired", None if action.workers is None else str(wanted), action.for_s, now_s),
        expected_version=stored.get("version", "0"),
        payload={
            "kind": "pool",
            "what": "desired",
            "restore": {f"desired{part}": stored.get(f"desired{part}", "\0") for part in _PARTS},
        },
    )


def _scale_effects(actual: int, wanted: int, concurrency: int) -> tuple[str, ...]:
    if wanted > actual:
        return (f"{wanted - actual} workers are started: {(wanted - actual) * concurrency:,} more messages in flight.",)
    if wanted < actual:
        return (f"{actual - wanted} workers finish what they have in flight and leave; nothing is killed.",)
    return (f"{actual} workers stay.",)


def _pool_forecast(queues: tuple[str, ...], settings: Settings, before: int, after: int) -> Steps[tuple[str, ...]]:
    lines = []
    for name in queues:
        facts = yield from of_queue(name, settings)
        flow = facts.flow
        if flow and flow.backlog and before:
            grown = with_workers(with_workers(flow, before), after)
            lines.append(f"{name} clears in {eta_words(flow)} → at best {eta_words(grown)}")
    return tuple(lines)
