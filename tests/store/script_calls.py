"""Every script, called through its wrapper, on a scene where it has something to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis import Redis
from store_world import DRIVER, OPERATOR, SETTINGS, age, commit, done, end, mail, put, take

from queuectl.model import Action, DeleteFailed, Drain, Outcome, QueueState, RetryFailed, Sample, Target, Tier
from queuectl.policy.shaping import Signal
from queuectl.store import (
    admission,
    assist,
    automatic,
    claims,
    foreign,
    hosts,
    keys,
    lease,
    notes,
    operations,
    providers,
    repair,
    samples,
    series,
    tiers,
)
from queuectl.store.changes import facts
from queuectl.store.claims import End, Finish
from queuectl.store.client import Call, Steps, Store
from queuectl.store.gate import Gate

STAGED = tiers.Staging("a", "op1", Tier.OVERFLOW, "test")


class Recorder(Store):
    """Remembers every round trip."""

    def __init__(self, connection: Redis) -> None:
        super().__init__(connection)
        self.round_trips: list[tuple[Call, ...]] = []

    def _execute(self, calls: tuple[Call, ...]) -> list[Any]:
        self.round_trips.append(calls)
        return super()._execute(calls)

    @property
    def scripts(self) -> list[Call]:
        return [call for calls in self.round_trips for call in calls if call.script]


def set_scene(store: Store, redis: Redis) -> None:
    """A queue with messages in every place, a dead worker, and a drain to another queue under way."""
    ids = put(store, "a", 12)
    put(store, "b", 1)
    age(redis, ids[3:5], 9e5)
    done(store, Drain("a", Target.OVERFLOW, limit=2))
    store.run(tiers.stage("a", "op1", fence="", end="tail", most=2, cutoff_s=None, shedding=False))
    failed, retried, _ = take(store, "a", 3)
    end(store, [failed], End.FAILED)
    end(store, [retried], End.RETRY, delay_s=0, attempts=1)
    redis.zadd(keys.registry("scheduled", "a"), {retried.job_id: 1})
    redis.zadd(keys.WORKER_HEARTBEATS, {"w1": 1})
    commit(store, Drain("a", Target.QUEUE, "b"))


def act(action: Action) -> Steps[Outcome]:
    gate = Gate(SETTINGS, OPERATOR)
    preview = yield from gate.preview(action)
    return (yield from gate.commit(preview, typed=preview.confirm_word))


def drive_all(fence: str) -> Steps[None]:
    for operation in (yield from operations.running()):
        yield from operations.drive(operation.op_id, driver=DRIVER, fence=fence)


def claim_and_finish() -> Steps[int]:
    claimed = yield from claims.claim("w2", [("a", 1)], 1, lease_s=60)
    return (yield from claims.finish("w2", [Finish(claimed.jobs[0], End.FAILED)], busy_s=1, keep_delivered_s=0))


CALLS: dict[str, Callable[[str], Steps[Any]]] = {
    "admit_jobs": lambda _: admission.admit("a", [mail(1)]),
    "change_provider": lambda _: providers.report("p", [providers.Report(Signal.THROTTLED, 0.0)]),
    "claim_jobs": lambda _: claims.claim("w2", [("a", 1)], 1, lease_s=60),
    "commit_change": lambda fence: notes.note("repair", "a", after="done", reason="test", fence=fence),
    "commit_segment": lambda fence: tiers.pack_staged(STAGED, fence=fence),
    "count_older": lambda _: facts.count_older("a", 1e9),
    "delete_failed": lambda _: act(DeleteFailed("a")),
    "finish_jobs": lambda _: claim_and_finish(),
    "heartbeat": lambda _: claims.heartbeat("w2", "idle", 0, [], lease_s=60),
    "hold_lease": lambda _: lease.hold("h:1", "h", ""),
    "lease_connections": lambda _: providers.lease_connection("p", "w1:1", 5),
    "leave_host": lambda _: hosts.leave("h:1", "h", ["p"]),
    "move_jobs": drive_all,
    "promote_scheduled": lambda fence: repair.promote_scheduled(fence, "a", DRIVER),
    "read_queue": lambda _: facts.of_queue("a", SETTINGS),
    "release_lease": lambda _: lease.release("h:1|1", "h"),
    "remember_automation": lambda fence: automatic.remember("{}", [automatic.Limit("a", 50.0)], fence=fence),
    "repair_worker": lambda fence: repair.repair_workers(fence, dead_after_s=30, max_losses=3),
    "restore_segment": lambda fence: tiers.restore_next("a", Tier.OVERFLOW, fence=fence, only_cause=0, to_head=False),
    "retry_failed": lambda _: act(RetryFailed("a")),
    "return_tokens": lambda _: providers.return_tokens("a", providers.OPEN, "p", 1, providers.UNLIMITED),
    "rotate_newest": lambda fence: assist.rotate(QueueState("a"), fence=fence),
    "sample_jobs": lambda _: samples.of_queue("a"),
    "settle_foreign": lambda _: foreign.settle("a", "x", delivered=True, ordering_key="k"),
    "stage_jobs": lambda fence: tiers.sweep_stale("a", fence=fence, max_age_s=3600),
    "supervise_host": lambda _: hosts.supervise("h:1", "h", ["p"]),
    "unstage_jobs": lambda fence: tiers.unstage("a", "op1", fence=fence, end="tail"),
    "write_sample": lambda fence: series.write(Sample(1.0), {}, fence=fence, coarse=True),
}
