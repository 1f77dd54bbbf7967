"""A deployment as large as CONSOLE's budget speaks of, made quickly: queues full of copies of one admitted message, and
workers that are registered but do nothing."""

from __future__ import annotations

import os

from redis import Redis

from queuectl import MailMessage, Outbox
from queuectl.store import claims, keys
from queuectl.store.connect import open_store
from tests.bench.mail import payload

POOLS = 10
BEATS = 5
"""A worker's heartbeat comes every so many seconds."""
COPIES_A_CALL = 1000
PATTERN = "pattern"
"""Queue of the message that is copied."""
ADD = """
local name, origin, first, number = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
for at = 1, number do
  local id = 'm-' .. name .. '-' .. first .. at
  redis.call('COPY', 'rq:job:' .. origin, 'rq:job:' .. id)
  redis.call('HSET', 'rq:job:' .. id, 'origin', name)
  redis.call('RPUSH', 'rq:queue:' .. name, id)
end
redis.call('SADD', 'rq:queues', 'rq:queue:' .. name)
redis.call('HINCRBY', 'queuectl:ledger:' .. name, 'accepted', number)
"""
"""Lua. ARGV: queue, id of the message that is copied, beginning of the copies' ids, how many."""
REPLACE = """
local name, first, added = ARGV[1], ARGV[2], tonumber(ARGV[4])
local taken = redis.call('LPOP', 'rq:queue:' .. name, ARGV[3]) or {}
local last = redis.call('LINDEX', 'rq:queue:' .. name, -1)
for at = 1, added do
  local id = 'm-' .. name .. '-' .. first .. at
  redis.call('COPY', 'rq:job:' .. last, 'rq:job:' .. id)
  redis.call('RPUSH', 'rq:queue:' .. name, id)
end
for _, id in ipairs(taken) do redis.call('UNLINK', 'rq:job:' .. id) end
redis.call('HINCRBY', 'queuectl:ledger:' .. name, 'accepted', added)
redis.call('HINCRBY', 'queuectl:ledger:' .. name, 'delivered', #taken)
"""
"""Lua. ARGV: queue, beginning of the new ids, how many of the oldest go, how many come."""


def queue_name(number: int) -> str:
    return f"mail-{number:02}"


def worker_name(number: int) -> str:
    return f"host{number % 8}-{number:03}"


def settings_text(queues: int) -> str:
    """Every queue belongs to one of ten pools; the daemon starts no worker."""
    pools = [[queue_name(number) for number in range(first, queues, POOLS)] for first in range(min(POOLS, queues))]
    sections = (f"[pools.pool{number}]\nqueues = {names}\nworkers = 20\n" for number, names in enumerate(pools))
    return "[daemon]\nsupervise = false\n" + "".join(sections)


def populate(url: str, queues: int, workers: int, jobs: int) -> None:
    """Queues of different depths, `jobs` messages in all, and the workers."""
    with Outbox(url) as outbox:
        origin = outbox.enqueue(PATTERN, MailMessage(**payload(1))).job_id
    shares = [1 + number % 5 for number in range(queues)]
    with Redis.from_url(url) as client:
        for number, share in enumerate(shares):
            _fill(client, queue_name(number), origin, jobs * share // sum(shares))
        client.delete(keys.queue(PATTERN), keys.job(origin), keys.ledger(PATTERN))
        client.srem(keys.QUEUES, keys.queue(PATTERN))
    with open_store(url) as store:
        for number in range(workers):
            served = tuple(queue_name(queue) for queue in range(number % POOLS, queues, POOLS))
            facts = {"hostname": f"host{number % 8}", "pid": os.getpid(), "pool": f"pool{number % POOLS}",
                     "queuectl": "1", "slots": 50}  # fmt: skip
            store.run(claims.register(worker_name(number), served, facts))


def _fill(client: Redis, queue: str, origin: str, jobs: int) -> None:
    with client.pipeline(transaction=False) as pipe:
        for first in range(0, jobs, COPIES_A_CALL):
            pipe.eval(ADD, 0, queue, origin, f"{first}-", min(COPIES_A_CALL, jobs - first))
        pipe.execute()
