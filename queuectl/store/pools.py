"""Publish what the settings say, so that scripts, consoles and other hosts know it."""

from __future__ import annotations

from queuectl.policy.decision import ControlName
from queuectl.settings import Settings
from queuectl.settings.model import QueueSettings
from queuectl.store import keys, policy_hash
from queuectl.store.automatic import fields_of
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.decode import control_of, pool_of_name, text_map
from queuectl.store.lease import HOST_FRESH_S
from queuectl.store.scripts import load

RETIRE = load("retire_pool")


def publish(settings: Settings) -> Steps[None]:
    """Write configured pools and policies. Operators' overrides and live changes stay."""
    calls = []
    for name, pool in settings.pools.items():
        calls += [
            command("SADD", keys.POOLS, name),
            command(
                "HSET", keys.pool(name), "configured", pool.workers, "queues", ",".join(pool.queues),
                "concurrency", pool.slots,
            ),
            command("HSET", keys.pool(name), "scaling_min", pool.scaling.min, "scaling_max", pool.scaling.max)
            if pool.scaling
            else command("HDEL", keys.pool(name), "scaling_min", "scaling_max", *fields_of(ControlName.SCALE)),
        ]  # fmt: skip
    named = {queue for pool in settings.pools.values() for queue in pool.queues} | set(settings.queues)
    calls += [policy_hash.publication(queue, settings.queues.get(queue) or QueueSettings()) for queue in sorted(named)]
    if calls:
        yield tuple(calls)


def retire(settings: Settings, *, fence: str) -> Steps[tuple[str, ...]]:
    """Forget pools that no settings name any more: those without workers, hosts and an operator's override."""
    listed, now = yield command("SMEMBERS", keys.POOLS), command("TIME")
    names = sorted(raw.decode() for raw in listed if raw.decode() not in settings.pools)
    if not names:
        return ()
    manned = yield from _manned()
    retired = []
    for name in names:
        record = text_map((yield from ask(command("HGETALL", keys.pool(name)))))
        if name in manned or control_of(record, "desired", "", int(now[0])).overridden:
            continue
        names_of = (keys.pool(name), keys.pool_hosts(name), keys.POOLS)
        version = record.get("version", "0")
        if (yield from ask(script(RETIRE, names_of, (fence, name, version, int(HOST_FRESH_S))))):
            retired.append(name)
    return tuple(retired)


def _manned() -> Steps[set[str]]:
    """Pools that have workers."""
    workers = yield from ask(command("SMEMBERS", keys.WORKERS))
    if not workers:
        return set()
    found = yield tuple(command("HGET", key, "pool") for key in workers)
    stock = {pool_of_name(raw.decode().removeprefix(keys.worker(""))) for raw in workers}
    return {raw.decode() for raw in found if raw} | stock
