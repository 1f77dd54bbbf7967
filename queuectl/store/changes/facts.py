"""What a change needs to know of its queue: policy, controls, counts, rates, in one round trip."""

from __future__ import annotations

import math
from dataclasses import dataclass

from queuectl.model import AUTOMATION, Policy, QueueState, UsageError
from queuectl.policy.forecast import Flow, eta_s
from queuectl.policy.rates import Rates
from queuectl.settings import Settings
from queuectl.store import keys, series
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.decode import queue_state, worker_state
from queuectl.store.reader import READ
from queuectl.store.scripts import load

COUNT_OLDER = load("count_older")


@dataclass(frozen=True, slots=True)
class Facts:
    """A queue now."""

    queue: QueueState
    now_s: float

    @property
    def flow(self) -> Flow | None:
        """The primary tier's flow; None while its rates are unknown."""
        state = self.queue
        if state.in_per_s is None:
            return None
        service = state.service_per_s if state.service_per_s is not None else (state.out_per_s or 0.0)
        return Flow(state.depth, state.in_per_s, service, state.workers)


def of_queue(name: str, settings: Settings) -> Steps[Facts]:
    """Read the queue. Raises UsageError when no such queue exists, naming those that do."""
    known, (row,), latest, policy_stored = yield (
        command("SMEMBERS", keys.QUEUES),
        script(READ, (), (name,)),
        command("GET", keys.LATEST),
        command("EXISTS", keys.policy(name)),
    )
    prefix = keys.queue("")
    names = {raw.decode().removeprefix(prefix) for raw in known} | set(settings.queues)
    names |= {queue for pool in settings.pools.values() for queue in pool.queues}
    if name not in names and not policy_stored and not any(row[1:7]):
        raise UsageError(f"no queue {name!r}; known queues: {', '.join(sorted(names)) or 'none'}")
    worker_keys = [raw.decode() for raw in row[17]]
    records = (yield tuple(command("HGETALL", key) for key in worker_keys)) if worker_keys else []
    now_s = float(row[18])
    workers = [worker_state(key, record, now_s) for key, record in zip(worker_keys, records, strict=True) if record]
    state, _ = queue_state(row, workers, configured_policy(name, settings))
    rates = series.published_rates(latest).get(name, Rates())
    return Facts(series.with_rates(state, rates), now_s)


def configured_policy(name: str, settings: Settings) -> Policy | None:
    configured = settings.queues.get(name)
    return configured.policy() if configured else None


def count_older(name: str, cutoff_s: float) -> Steps[int]:
    """About how many waiting messages were created before `cutoff_s` (server time)."""
    number: int = yield from ask(script(COUNT_OLDER, (keys.queue(name),), (f"{cutoff_s:.3f}",)))
    return number


def publish_policy(name: str, settings: Settings) -> Steps[None]:
    """Make the settings' policy of a queue known to the scripts, where none is stored yet: before a first change."""
    policy = configured_policy(name, settings)
    if policy is None or (yield from ask(command("EXISTS", keys.policy(name)))):
        return
    yield (command("HSET", keys.policy(name), *policy_fields(policy)),)


def policy_fields(policy: Policy) -> tuple[str, ...]:
    """Field arguments of a policy hash."""
    stored = {
        "class": policy.queue_class.value,
        "max_age_s": f"{policy.max_age_s:g}",
        "target_wait_s": f"{policy.target_wait_s:g}",
        "cap": str(policy.cap),
        "direction": AUTOMATION if policy.direction_auto else policy.direction.value,
        "shed": AUTOMATION if policy.shed_auto else policy.shed.value,
        "objective": policy.objective.value,
        "provider": policy.provider,
    }
    return tuple(part for pair in stored.items() for part in pair)


def humane_s(seconds: float | None) -> str:
    """17m48s, 4h, 2d3h; `never` for infinity, – for unknown."""
    if seconds is None:
        return "–"
    if math.isinf(seconds):
        return "never"
    whole = round(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if whole >= size or (unit == "s" and not parts):
            parts.append(f"{whole // size}{unit}")
            whole %= size
    return "".join(parts[:2])


def eta_words(flow: Flow | None) -> str:
    """When the backlog is gone, in words."""
    return "–" if flow is None else humane_s(eta_s(flow))
