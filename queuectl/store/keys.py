"""Every key queuectl reads or writes. RQ's keep RQ's meaning and prefix; ours live under `queuectl:`."""

from __future__ import annotations

import os
import re

RQ = os.environ.get("RQ_KEY_PREFIX", "rq")
"""RQ's key prefix: the same variable and the same rule as in `rq.defaults`, read without importing rq."""
if not re.fullmatch(r"[A-Za-z0-9_.:{}-]+", RQ):
    raise ValueError(f"RQ_KEY_PREFIX {RQ!r}: only letters, digits and _ . : - {{ }} are allowed")

OURS = "queuectl"

QUEUES = f"{RQ}:queues"
WORKERS = f"{RQ}:workers"
SUSPENDED = f"{RQ}:suspended"
WORKER_HEARTBEATS = f"{OURS}:workers"
"""zset: our workers by last heartbeat (server time, s); outlives the worker hash, so repair finds the dead."""
REPAIR = f"{OURS}:repair"
"""Hash: when repair last looked, and until when it takes nobody for dead (server time, s)."""
LEASE = f"{OURS}:lease"
EPOCH = f"{OURS}:epoch"
HOSTS = f"{OURS}:hosts"
"""zset: hosts by their daemon's last heartbeat."""
POOLS = f"{OURS}:pools"
CAPACITY = f"{OURS}:capacity"
"""Hash: host -> most worker processes that it holds over all pools."""
AUTOMATION = f"{OURS}:automation"
"""String: what automation remembers from second to second, as JSON."""
OPERATIONS = f"{OURS}:ops"
AUDIT = f"{OURS}:audit"
AUDIT_NUMBER = f"{OURS}:audit:number"
AUDIT_UNDONE = f"{OURS}:audit:undone"
SERIES_1S = f"{OURS}:series:1s"
SERIES_10S = f"{OURS}:series:10s"
LATEST = f"{OURS}:latest"
SUPPRESSED = f"{OURS}:suppressed"
"""Hash: first 16 bytes of an address's SHA-256 -> `reason|epoch s`."""


def queue(name: str) -> str:
    return f"{RQ}:queue:{name}"


def aside(name: str) -> str:
    """List: what waits in a paused queue that stock workers serve, out of their sight."""
    return f"{OURS}:aside:{name}"


def job(job_id: str) -> str:
    return f"{RQ}:job:{job_id}"


def results(job_id: str) -> str:
    return f"{RQ}:results:{job_id}"


def registry(kind: str, name: str) -> str:
    """`kind`: wip, failed, finished, scheduled, deferred, canceled."""
    return f"{RQ}:{kind}:{name}"


def worker(name: str) -> str:
    return f"{RQ}:worker:{name}"


def worker_executions(name: str) -> str:
    return f"{RQ}:worker:{name}:executions"


def queue_workers(name: str) -> str:
    return f"{RQ}:workers:{name}"


def worker_channel(name: str) -> str:
    return f"{RQ}:pubsub:{name}"


def scheduler_lock(name: str) -> str:
    return f"{RQ}:scheduler-lock:{name}"


def policy(name: str) -> str:
    return f"{OURS}:policy:{name}"


def control(name: str) -> str:
    return f"{OURS}:control:{name}"


def ledger(name: str) -> str:
    return f"{OURS}:ledger:{name}"


def waits(name: str) -> str:
    return f"{OURS}:waits:{name}"


def tier(kind: str, name: str) -> str:
    """Hash segment id -> packed segment; `kind` overflow or shed."""
    return f"{OURS}:{kind}:{name}"


def tier_index(kind: str, name: str) -> str:
    """zset: segment ids by the enqueue time (s) of their first job."""
    return f"{OURS}:{kind}:{name}:index"


def tier_totals(kind: str, name: str) -> str:
    """Hash: jobs, bytes, and of the jobs: reason:WHY, damaged, away (on the overflow server), foreign (not counted)."""
    return f"{OURS}:{kind}:{name}:totals"


def tier_causes(kind: str, name: str) -> str:
    """zset, all scores 0: segment ids behind what they were packed for; they sort as they stood in the queue."""
    return f"{OURS}:{kind}:{name}:causes"


def tier_damaged(kind: str, name: str) -> str:
    """Hash: ids of segments that cannot be read, set aside, and what is wrong with each."""
    return f"{OURS}:{kind}:{name}:damaged"


def tier_away(kind: str, name: str) -> str:
    """Hash: ids of segments on their way to or from the overflow server -> `writing` or `leaving`, and since when."""
    return f"{OURS}:{kind}:{name}:away"


def surge(name: str) -> str:
    """List: ids behind the primary tier's, oldest first; their records stay hot."""
    return f"{OURS}:surge:{name}"


def returning(name: str) -> str:
    """List: ids of the overflow segments that come back by themselves, oldest first; the others are parked."""
    return f"{OURS}:overflow:{name}:returning"


def staging(name: str, owner: str) -> str:
    """List: ids on their way into a packed tier; `owner` is an operation id, or `claim`/`sweep` for shedding."""
    return f"{OURS}:staging:{name}:{owner}"


def staged(name: str) -> str:
    """Hash owner -> ids staged for it: one number to read instead of a scan."""
    return f"{OURS}:staged:{name}"


def staged_ends(name: str) -> str:
    """Hash owner -> head or tail: the end of the queue that its ids were taken from."""
    return f"{OURS}:staged:{name}:ends"


def order(name: str) -> str:
    """Hash: ordering key -> id of its active job."""
    return f"{OURS}:order:{name}"


def order_held(name: str, key: str) -> str:
    """List: jobs held behind the active one."""
    return f"{OURS}:order:{name}:{key}"


def blocked(name: str) -> str:
    """zset: ordering keys by since when (s) a head that is tried again keeps others waiting."""
    return f"{OURS}:blocked:{name}"


def gone(name: str) -> str:
    """Set: ids that were met without a record, for the sweep of ordering keys."""
    return f"{OURS}:gone:{name}"


def cut(name: str) -> str:
    """Set: ordering keys of which the shed curve has met a message, so that later ones are shed too."""
    return f"{OURS}:cut:{name}"


def campaign(campaign_id: str, bucket: int) -> str:
    """Set of 64-bit recipient hashes (intset-encoded, 8 bytes each)."""
    return f"{OURS}:campaign:{campaign_id}:{bucket}"


def events(bucket: int) -> str:
    """Beginning of the keys of a series of sets, one a week, of 64-bit hashes of events' messages."""
    return f"{OURS}:events:{bucket}:"


def template(template_id: str) -> str:
    return f"{OURS}:template:{template_id}"


def pool(name: str) -> str:
    return f"{OURS}:pool:{name}"


def pool_hosts(name: str) -> str:
    """zset: hosts that share the pool, by their last call."""
    return f"{pool(name)}:hosts"


def operation(op_id: str) -> str:
    return f"{OURS}:op:{op_id}"


def operation_driver(op_id: str) -> str:
    return f"{OURS}:op:{op_id}:driver"


def provider(name: str) -> str:
    """Hash: what the provider's adaptive limit has come to; beside it `…:arrival`, the limit's GCRA state."""
    return f"{OURS}:provider:{name}"


def provider_connections(name: str) -> str:
    """zset: open connections (worker:number) by the expiry (s) of their lease."""
    return f"{OURS}:provider:{name}:connections"


def replies(whose: str, hour: int) -> str:
    """Hash `minute:class` -> messages; `whose`: provider:NAME or queue:NAME. Beside it `…:texts`, text -> messages."""
    return f"{OURS}:replies:{whose}:{hour}"
