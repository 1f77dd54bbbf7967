"""Publish what the settings say, so that scripts, consoles and other hosts know it."""

from __future__ import annotations

from queuectl.model import Policy
from queuectl.policy.decision import ControlName
from queuectl.settings import Settings
from queuectl.store import keys
from queuectl.store.automatic import fields_of
from queuectl.store.changes.facts import policy_fields
from queuectl.store.client import Steps, command


def publish(settings: Settings) -> Steps[None]:
    """Write configured pools and policies. Operators' overrides stay: they stand in other fields and hashes."""
    calls = []
    for name, pool in settings.pools.items():
        calls += [
            command("SADD", keys.POOLS, name),
            command(
                "HSET", keys.pool(name), "configured", pool.workers, "queues", ",".join(pool.queues),
                "concurrency", pool.concurrency,
            ),
            command("HSET", keys.pool(name), "scaling_min", pool.scaling.min, "scaling_max", pool.scaling.max)
            if pool.scaling
            else command("HDEL", keys.pool(name), "scaling_min", "scaling_max", *fields_of(ControlName.SCALE)),
        ]  # fmt: skip
    named = {queue for pool in settings.pools.values() for queue in pool.queues} | set(settings.queues)
    for queue in sorted(named):
        configured = settings.queues.get(queue)
        policy = configured.policy() if configured else Policy()
        calls.append(command("HSET", keys.policy(queue), *policy_fields(policy)))
        automatic = ((ControlName.SHED, policy.shed_auto), (ControlName.DIRECTION, policy.direction_auto))
        # What automation decided ends with its permission: a later one begins anew.
        calls += [command("HDEL", keys.control(queue), *fields_of(name)) for name, allowed in automatic if not allowed]
    if calls:
        yield tuple(calls)
