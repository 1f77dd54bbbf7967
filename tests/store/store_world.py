"""What the tests of the store share besides fixtures: mail, shortcuts, and a census of where every job is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from redis import Redis

from queuectl.model import Action, MailMessage, Outcome
from queuectl.settings import Settings
from queuectl.store import admission, claims, keys, operations
from queuectl.store.claims import Claim, End, Finish
from queuectl.store.client import Call, Steps, Store
from queuectl.store.gate import Gate
from queuectl.store.packed import unpack

T = TypeVar("T")
DRIVER = "test:1"
SETTINGS = Settings.model_validate({"queues": {"a": {"max_age_s": 3600}, "b": {}}})
OPERATOR = "ana@mx1"
_POOLED = {
    "queues": {"a": {"max_age_s": 3600, "cap": 8}, "b": {}, "codes": {"class": "protected"}},
    "pools": {"bulk": {"queues": ["a"], "workers": 2}},
}
POOLED = Settings.model_validate(_POOLED)


def with_environment(**values: object) -> Settings:
    """The same queues and pool, in another [environment]."""
    return Settings.model_validate({**_POOLED, "environment": values})


def mail(number: int = 0, **fields: object) -> MailMessage:
    return MailMessage(to=f"user{number}@example.org", subject=f"Hello {number}", text="Hi", **fields)


def put(store: Store, queue: str, number: int, **fields: object) -> list[str]:
    """Admit that many messages; their ids."""
    verdicts = store.run(admission.admit(queue, [mail(index, **fields) for index in range(number)]))
    return [verdict.job_id for verdict in verdicts]


def take(store: Store, queue: str, number: int, worker: str = "w1") -> list[Claim]:
    return list(store.run(claims.claim(worker, [(queue, number)], number, lease_s=60)).jobs)


def end(store: Store, ended: Sequence[Claim], how: End, worker: str = "w1", **fields: object) -> int:
    """Finish claims alike; how many had lost their lease."""
    finishes = [Finish(claim, how, **fields) for claim in ended]
    return store.run(claims.finish(worker, finishes, busy_s=0.1, keep_delivered_s=0))


def commit(store: Store, action: Action, *, settings: Settings = SETTINGS, reason: str = "") -> Outcome:
    """Preview and commit, typing what has to be typed."""
    gate = Gate(settings, OPERATOR)
    preview = store.run(gate.preview(action))
    return store.run(gate.commit(preview, reason=reason, typed=preview.confirm_word))


def carry_on(store: Store, outcome: Outcome) -> None:
    """Drive an operation to its end."""
    while outcome.operation:
        operation = store.run(operations.drive(outcome.operation, driver=DRIVER))
        assert operation is not None
        if operation.finished:
            return


def hold_clock(redis: Redis, outcome: Outcome) -> None:
    """For a paced operation no time passes: it may move what its first second allows, and no more."""
    redis.hset(keys.operation(outcome.operation), "pace_from_s", 9e12)


def done(store: Store, action: Action, **options: object) -> Outcome:
    """Commit, and drive what that starts to its end."""
    outcome = commit(store, action, **options)
    carry_on(store, outcome)
    return outcome


def cut_off(steps: Steps[T], round_trips: int) -> Iterator[tuple[Call, ...]]:
    """`steps` for so many round trips and not further: what a process leaves that is killed there."""
    replies = None
    for _ in range(round_trips):
        try:
            calls = steps.send(replies)
        except StopIteration:
            return
        replies = yield calls
    steps.close()


def age(redis: Redis, job_ids: Sequence[str], seconds: float) -> None:
    """Let messages have been admitted so long ago."""
    then = (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    for job_id in job_ids:
        if redis.exists(keys.job(job_id)):
            redis.hset(keys.job(job_id), "created_at", then)


def waiting(redis: Redis, queue: str) -> list[str]:
    """Ids in the queue, head first."""
    return [raw.decode() for raw in redis.lrange(keys.queue(queue), 0, -1)]


def everything(redis: Redis) -> dict[bytes, bytes]:
    """The whole database, to compare."""
    return {key: redis.dump(key) for key in redis.scan_iter()}


@dataclass
class Census:
    """Where every job of some queues is, read without the store's own code."""

    places: dict[str, list[str]] = field(default_factory=dict)
    """Job id -> places; exactly one for a healthy job."""
    records: set[str] = field(default_factory=set)

    def at(self, place: str) -> list[str]:
        return [job_id for job_id, places in self.places.items() if place in places]

    @property
    def packed(self) -> set[str]:
        return {job_id for job_id, places in self.places.items() if places[0].startswith("tier")}


def census(redis: Redis, queues: Sequence[str], *, away: Redis | None = None) -> Census:
    """`away`: the overflow server, when some segments are kept there."""
    found = Census()

    def see(job_ids: Sequence[bytes], place: str) -> None:
        for job_id in job_ids:
            found.places.setdefault(job_id.decode().partition(":")[0], []).append(place)

    for queue in queues:
        see(redis.lrange(keys.queue(queue), 0, -1), f"queue {queue}")
        see(redis.lrange(keys.surge(queue), 0, -1), f"surge {queue}")
        for kind in ("wip", "scheduled", "deferred", "failed"):
            see(redis.zrange(keys.registry(kind, queue), 0, -1), f"{kind} {queue}")
        for name in redis.scan_iter(keys.staging(queue, "*"), count=1000):
            see(redis.lrange(name, 0, -1), f"staging {queue}")
        for tier in ("overflow", "shed"):
            for name, stored in redis.hgetall(keys.tier(tier, queue)).items():
                blob = away.hget(keys.tier(tier, queue), name) if away and not stored else stored
                see([job_id.encode() for job_id, _ in unpack(blob).jobs], f"tier {tier} {queue}")
    found.records = {key.decode().removeprefix(keys.job("")) for key in redis.scan_iter(keys.job("*"), count=1000)}
    return found
