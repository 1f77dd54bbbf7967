"""Every script, called through its wrapper, on a scene where it has something to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis import Redis
from store_world import DRIVER, OPERATOR, SETTINGS, age, commit, done, end, mail, put, take

from queuectl.model import Action, Drain, Outcome, QueueState, Sample, Target, Tier
from queuectl.policy.shaping import Signal
from queuectl.settings.limits import ReceiverSettings
from queuectl.settings.model import QueueSettings
from queuectl.store import (
    admission,
    aside,
    assist,
    automatic,
    claims,
    damage,
    dead_letters,
    expiry,
    foreign,
    hosts,
    keys,
    lease,
    notes,
    operations,
    ordering,
    overflow_server,
    policy_hash,
    pools,
    providers,
    receivers,
    repair,
    reply_counts,
    samples,
    segments,
    series,
    surge,
    tiers,
)
from queuectl.store.changes import facts
from queuectl.store.claims import End, Finish
from queuectl.store.client import Call, Steps, Store
from queuectl.store.gate import Gate

RECEIVERS = {"gmail": ReceiverSettings(domains=("gmail.com",), rate_per_s=1, burst=1)}
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
    redis.rpush(keys.aside("c"), "set aside")
    redis.sadd(keys.POOLS, "gone")
    redis.hset(keys.pool("gone"), "configured", 1)
    redis.hset(keys.tier_away("overflow", "a"), "left", "writing 1")
    set_ordered_scene(store, redis)
    put(store, "d", 1)
    done(store, Drain("d", Target.SHED))
    commit(store, Drain("a", Target.QUEUE, "b"))


def set_ordered_scene(store: Store, redis: Redis) -> None:
    """Two ordering keys: of one the active message was failed by rq, of the other it has blocked for long."""
    for key in ("failed", "blocked"):
        put(store, "c", 2, ordering_key=key)
    failed, blocked = take(store, "c", 2, "w3")
    redis.hset(keys.job(failed.job_id), "status", "failed")
    end(store, [blocked], End.RETRY, "w3", delay_s=9e5, attempts=1)
    redis.zadd(keys.blocked("c"), {"blocked": 1})


def set_first_aside(fence: str) -> Steps[None]:
    found = yield from segments.find_next("a", Tier.OVERFLOW, segments.EVERYTHING)
    yield from damage.set_aside("a", Tier.OVERFLOW, found.segment_id, "test", fence=fence)


def act(action: Action) -> Steps[Outcome]:
    gate = Gate(SETTINGS, OPERATOR)
    preview = yield from gate.preview(action)
    return (yield from gate.commit(preview, typed=preview.confirm_word))


def on_failed(act: Callable[..., Steps[Any]], fence: str) -> Steps[Any]:
    return (yield from act("a", (yield from dead_letters.all_ids("a")), fence=fence))


def drive_all(fence: str) -> Steps[None]:
    for operation in (yield from operations.running()):
        yield from operations.drive(operation.op_id, driver=DRIVER, fence=fence)


def claim_and_finish() -> Steps[int]:
    claimed = yield from claims.claim("w2", [("a", 1)], 1, lease_s=60)
    return (yield from claims.finish("w2", [Finish(claimed.jobs[0], End.FAILED)], busy_s=1, keep_delivered_s=0))


def mark_one() -> Steps[list[bool]]:
    claimed = yield from claims.claim("w2", [("a", 1)], 1, lease_s=60)
    return (yield from claims.mark_sent(claimed.jobs))


CALLS: dict[str, Callable[[str], Steps[Any]]] = {
    "admit_jobs": lambda _: admission.admit("a", [mail(1)]),
    "begin_repair": lambda fence: repair.may_repair(fence, dead_after_s=30),
    "change_provider": lambda _: providers.report("p", [providers.Report(Signal.THROTTLED, 0.0)]),
    "claim_leftovers": lambda fence: overflow_server.leftovers("a", fence=fence, now_s=9e9),
    "claim_jobs": lambda _: claims.claim("w2", [("a", 1)], 1, lease_s=60),
    "commit_change": lambda fence: notes.note("repair", "a", after="done", reason="test", fence=fence),
    "commit_segment": lambda fence: tiers.pack_staged(STAGED, fence=fence),
    "count_older": lambda _: facts.count_older("a", 1e9),
    "count_replies": lambda _: reply_counts.count({("provider:p", "failed recipient", "550 5.1.1 no such user"): 2}),
    "delete_failed": lambda fence: on_failed(dead_letters.delete, fence),
    "end_blocking": lambda fence: ordering.end_blocking(QueueState("c"), fence=fence),
    "expire_segment": lambda fence: expiry.expire_next("d", 9e9, "", fence=fence),
    "finish_jobs": lambda _: claim_and_finish(),
    "grant_receivers": lambda _: receivers.grant(RECEIVERS, [("gmail", 3)]),
    "heartbeat": lambda _: claims.heartbeat("w2", "idle", 0, [], lease_s=60),
    "hold_lease": lambda _: lease.hold("h:1", "h", ""),
    "lease_connections": lambda _: providers.lease_connection("p", "w1:1", 5),
    "leave_host": lambda _: hosts.leave("h:1", "h", ["p"]),
    "mark_sent": lambda _: mark_one(),
    "move_jobs": drive_all,
    "promote_scheduled": lambda fence: repair.promote_scheduled(fence, "a", DRIVER),
    "publish_policy": lambda _: policy_hash.publish_first("c", QueueSettings()),
    "read_queue": lambda _: facts.of_queue("a", SETTINGS),
    "release_lease": lambda _: lease.release("h:1|1", "h"),
    "remember_automation": lambda fence: automatic.remember("{}", [automatic.Limit("a", 50.0)], fence=fence),
    "repair_worker": lambda fence: repair.repair_workers(fence, dead_after_s=30, max_losses=3),
    "restore_segment": lambda fence: tiers.restore_next("a", Tier.OVERFLOW, fence=fence, only_cause=0, to_head=False),
    "retire_pool": lambda fence: pools.retire(SETTINGS, fence=fence),
    "retry_failed": lambda fence: on_failed(dead_letters.retry, fence),
    "return_tokens": lambda _: providers.return_tokens("a", providers.OPEN, "p", 1, providers.UNLIMITED),
    "rotate_newest": lambda fence: assist.rotate(QueueState("a"), fence=fence),
    "sample_jobs": lambda _: samples.of_queue("a"),
    "set_segment_aside": set_first_aside,
    "settle_aside": lambda fence: aside.settle("c", aside.Towards.BACK, fence=fence),
    "settle_foreign": lambda _: foreign.settle("a", "x", delivered=True, ordering_key="k"),
    "shift_jobs": lambda fence: surge.trim(QueueState("a"), 2, fence=fence),
    "stage_jobs": lambda fence: tiers.sweep_stale("a", fence=fence, max_age_s=3600),
    "supervise_host": lambda _: hosts.supervise("h:1", "h", 8, ["p"]),
    "sweep_primary": lambda fence: surge.sweep(QueueState("a"), 1, fence=fence),
    "sweep_order": lambda fence: ordering.sweep("c", "0", fence=fence),
    "unstage_jobs": lambda fence: tiers.unstage("a", "op1", fence=fence, end="tail"),
    "write_sample": lambda fence: series.write(Sample(1.0), {}, fence=fence, coarse=True),
}
