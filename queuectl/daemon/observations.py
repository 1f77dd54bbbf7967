"""What automation sees of the fleet each second: pictures and settings become signals, thresholds and holds."""

from __future__ import annotations

import math
from collections.abc import Mapping

from queuectl.model import AUTOMATION, Direction, FleetState, PoolState, ProviderState, QueueState, ServerState, Switch
from queuectl.policy.controller import Observations, PoolObservation, QueueObservation
from queuectl.policy.decision import ControlName
from queuectl.policy.pressure import Signals
from queuectl.policy.scaling import PoolSignals
from queuectl.policy.thresholds import (
    DirectionThresholds,
    QueueControls,
    ScalingThresholds,
    ShedThresholds,
    TierThresholds,
)
from queuectl.settings import Settings
from queuectl.settings.model import AutomationSettings
from queuectl.store.automatic import Load
from queuectl.store.decode import is_heard

SMOOTHING = 0.1
"""Weight of the newest second in a pool's busy slots."""
MEASURABLE_PER_S = 0.05
"""Deliveries slower than this say nothing about what a message costs."""
AT_LIMIT_SHARE = 0.9
"""A provider that is used to this share of its rate holds its workers back."""
SUSPENDED = frozenset({"suspended", "probing"})
JUDGED_BY_DELIVERY = frozenset({ControlName.SHED, ControlName.DIRECTION})


def observe(fleet: FleetState, settings: Settings, loads: Mapping[str, Load]) -> Observations:
    """Everything, as of the picture."""
    queues = [observe_queue(queue, fleet, settings) for queue in fleet.queues]
    pools = [observe_pool(pool, fleet, settings, loads.get(pool.name, Load())) for pool in fleet.pools]
    return Observations(queues, pools)


def observe_queue(queue: QueueState, fleet: FleetState, settings: Settings) -> QueueObservation:
    """A queue. What is parked in overflow waits for a refill by hand, not for workers: it is no pressure."""
    packed = queue.returning + queue.arriving
    signals = Signals(
        queue=queue.name,
        depth=queue.depth,
        surge=queue.surge,
        overflow=packed,
        staleness_s=queue.oldest_s or 0.0,
        arrivals_per_s=queue.in_per_s or 0.0,
        completions_per_s=queue.out_per_s or 0.0,
        service_per_s=queue.service_per_s,
        memory_share=memory_share(fleet.server),
        diverted=queue.direction.value != Direction.LIFO and queue.surge + packed > 0,
    )
    return QueueObservation(signals, queue_controls(queue, settings.automation), _held(queue, fleet, settings))


def _held(queue: QueueState, fleet: FleetState, settings: Settings) -> frozenset[ControlName]:
    """Controls that automation leaves as they are."""
    free = {
        ControlName.SURGE: queue.policy.surge,
        ControlName.OVERFLOW: queue.policy.overflow,
        ControlName.SHED: queue.policy.shed_auto and not queue.shed.overridden,
        ControlName.DIRECTION: queue.policy.direction_auto and not queue.direction.overridden,
    }
    held = frozenset(control for control, is_free in free.items() if not is_free)
    return held | JUDGED_BY_DELIVERY if halted(queue, fleet, settings) else held


def halted(queue: QueueState, fleet: FleetState, settings: Settings) -> bool:
    """Nothing can be delivered: paused, suspended, without workers, or refused by its provider. Such an outage is not
    a spike, and what waits will be wanted when it ends."""
    if fleet.server.suspended or queue.pause.value == Switch.ON:
        return True
    if not any(queue.name in worker.queues and is_heard(worker) for worker in fleet.workers):
        return True
    provider = _providers(fleet).get(settings.provider_name(queue.policy.provider))
    return provider is not None and provider.condition in SUSPENDED


def queue_controls(queue: QueueState, automation: AutomationSettings) -> QueueControls:
    """A queue's policy with the settings' thresholds."""
    shed_s, lifo_s = automation.shed_enter_for_s, automation.lifo_enter_for_s
    shedding = ShedThresholds(
        enter_for_s=shed_s,
        leave_for_s=automation.shed_leave_for_s,
        least_s=min(shed_s, ShedThresholds().least_s),
    )
    lifo = DirectionThresholds(
        enter_for_s=lifo_s,
        leave_for_s=automation.lifo_leave_for_s,
        least_s=min(lifo_s, DirectionThresholds().least_s),
    )
    return QueueControls(
        policy=queue.policy, objective=queue.policy.objective, tiers=tier_thresholds(automation), shedding=shedding,
        lifo=lifo,
    )  # fmt: skip


def tier_thresholds(automation: AutomationSettings) -> TierThresholds:
    """The settings' marks; the others keep their distance to these."""
    default = TierThresholds()
    surge = automation.surge_enter_work_s / default.surge_enter_work_s
    overflow = automation.overflow_enter_work_s / default.overflow_enter_work_s
    return TierThresholds(
        surge_enter_work_s=automation.surge_enter_work_s,
        surge_enter_for_s=automation.surge_enter_for_s,
        surge_leave_work_s=surge * default.surge_leave_work_s,
        surge_least_s=min(automation.surge_enter_for_s, default.surge_least_s),
        overflow_enter_work_s=automation.overflow_enter_work_s,
        overflow_leave_work_s=overflow * default.overflow_leave_work_s,
        overflow_return_work_s=overflow * default.overflow_return_work_s,
    )


def memory_share(server: ServerState) -> float:
    """Used over `maxmemory`; 0 without a limit."""
    return server.memory_bytes / server.memory_max_bytes if server.memory_max_bytes else 0.0


def observe_pool(pool: PoolState, fleet: FleetState, settings: Settings, load: Load) -> PoolObservation:
    """A pool over all its queues; `load` is what its messages cost."""
    least, most = pool.scaling or (1, 1)
    queues = _queues(pool, fleet)
    known = _providers(fleet)
    names = {settings.provider_name(queue.policy.provider) for queue in queues}
    providers = [known[name] for name in sorted(names) if name in known]
    signals = PoolSignals(
        pool=pool.name,
        desired=pool.desired or 0,
        concurrency=pool.concurrency,
        arrivals_per_s=sum(queue.in_per_s or 0.0 for queue in queues),
        backlog=sum(queue.waiting for queue in queues),
        busy_s_per_message=load.message_s,
        token_wait_share=_token_wait_share(pool, queues, providers),
        provider_per_s=_total([provider.allowed_per_s for provider in providers]),
        connections=_total([provider.max_connections for provider in providers]),
        most_workers=most,
        host_workers=_room(pool, fleet),
    )
    thresholds = ScalingThresholds(
        clear_within_s=settings.automation.clear_within_s,
        settle_s=settings.automation.settle_s,
        up_window_s=settings.automation.scale_up_window_s,
        down_window_s=settings.automation.scale_down_window_s,
        least_workers=least,
    )
    automatic = pool.scaling is not None and pool.by in ("", AUTOMATION) and not fleet.server.suspended
    return PoolObservation(signals, thresholds, automatic)


def _room(pool: PoolState, fleet: FleetState) -> float:
    """Workers that the hosts hold beside those of the other pools."""
    if fleet.capacity is None:
        return math.inf
    return max(0, fleet.capacity - sum(other.desired or 0 for other in fleet.pools if other.name != pool.name))


def _total(limits: list[float | None] | list[int | None]) -> float:
    """All limits together; infinite where one of them is none, or nothing is known."""
    return sum(math.inf if limit is None else limit for limit in limits) if limits else math.inf


def _token_wait_share(pool: PoolState, queues: list[QueueState], providers: list[ProviderState]) -> float:
    """Slots never wait for tokens, they are left empty: those are counted while work waits for a full provider."""
    if not pool.slots or not any(queue.depth for queue in queues):
        return 0.0
    at_limit = any(
        provider.condition in SUSPENDED
        or (provider.allowed_per_s is not None and provider.used_per_s >= AT_LIMIT_SHARE * provider.allowed_per_s)
        for provider in providers
    )
    return (pool.slots - pool.busy) / pool.slots if at_limit else 0.0


def load_of(pool: PoolState, fleet: FleetState, before: Load) -> Load:
    """Little's law: busy slots over deliveries a second is what a message costs. Kept while nothing is delivered."""
    busy = before.busy + SMOOTHING * (pool.busy - before.busy) if before.message_s is not None else float(pool.busy)
    out_per_s = sum(queue.out_per_s or 0.0 for queue in _queues(pool, fleet))
    if out_per_s < MEASURABLE_PER_S or busy <= 0:
        return Load(busy, before.message_s)
    return Load(busy, round(busy / out_per_s, 6))


def _queues(pool: PoolState, fleet: FleetState) -> list[QueueState]:
    return [queue for queue in fleet.queues if queue.name in pool.queues]


def _providers(fleet: FleetState) -> dict[str, ProviderState]:
    return {provider.name: provider for provider in fleet.providers}
