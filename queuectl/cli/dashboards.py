"""A Grafana dashboard and Prometheus alert rules, made from the daemon's own table of metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from queuectl.daemon.metrics import METRICS, Kind, Metric, Scope

RATE_SPAN = "5m"
WIDTH, HEIGHT = 8, 8
COLUMNS = 24
_BY_NAME = {metric.name: metric for metric in METRICS}
_TITLES = {Scope.QUEUE: "Queues", Scope.POOL: "Pools", Scope.PROVIDER: "Providers",
           Scope.REASON: "Shed store", Scope.FLEET: "Server and daemons"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One alert. `name` is a metric of ours; every metric that `expression` uses must be in the table."""

    alert: str
    expression: str
    lasting: str
    severity: str
    summary: str
    description: str


RULES: tuple[Rule, ...] = (
    Rule("QueuectlDown", "absent(queuectl_daemon_ready == 1)", "1m", "critical",
         "No daemon has a fresh picture of the server",
         "Nothing is sampled, scaled or repaired. Look at the daemons' logs and at the server: queuectl doctor."),
    Rule("QueuectlNoLeader", "max(queuectl_leader_present) == 0", "1m", "critical",
         "No daemon leads", "Daemons run, but none holds the lease."),
    Rule("QueuectlUnserved", "max by (queue) (queuectl_queue_backlog) > 0 and "
         "max by (queue) (queuectl_queue_workers) == 0", "2m", "critical",
         "{{ $labels.queue }}: mail waits and no worker listens", "Start workers: queuectl scale, or queuectl worker."),
    Rule("QueuectlStalled", "max by (queue) (queuectl_queue_backlog) > 0 and "
         "max by (queue) (queuectl_queue_finished_per_second) < 0.01 and max by (queue) (queuectl_queue_paused) == 0",
         "3m", "critical", "{{ $labels.queue }}: nothing goes out though mail waits",
         "Workers are there or not, but nothing finishes. See the queue's last errors: queuectl jobs --state failed."),
    Rule("QueuectlGrowing", "max by (queue) (queuectl_queue_clears_in_seconds) == +Inf", "10m", "warning",
         "{{ $labels.queue }}: growing, will not clear at this rate",
         "More comes in than goes out. Scale its pool, drain or shed: queuectl status {{ $labels.queue }}."),
    Rule("QueuectlStale", "max by (queue) (queuectl_queue_oldest_seconds) > "
         "max by (queue) (queuectl_queue_max_age_seconds)", "5m", "warning",
         "{{ $labels.queue }}: its oldest message is past its max age", "Mail that old is stale when it arrives."),
    Rule("QueuectlPausedLong", "max by (queue) (queuectl_queue_paused) == 1", "1h", "warning",
         "{{ $labels.queue }}: paused for an hour", "Resume it when it was forgotten: queuectl resume."),
    Rule("QueuectlFailing", "max by (queue) (delta(queuectl_queue_failed[15m])) > 100", "5m", "warning",
         "{{ $labels.queue }}: more than 100 messages failed in 15 minutes",
         "queuectl jobs {{ $labels.queue }} --state failed shows the reasons."),
    Rule("QueuectlLedgerResidue", "max by (queue) (abs(queuectl_queue_ledger_residue)) > 0", "2m", "critical",
         "{{ $labels.queue }}: messages unaccounted for",
         "Counted in, minus counted out, minus what is there, is not nought."),
    Rule("QueuectlVanished", "max by (queue) (increase(queuectl_queue_vanished_total[15m])) > 0", "0m", "warning",
         "{{ $labels.queue }}: records were gone when they were claimed",
         "Another tool deletes jobs, or they were enqueued with RQ's ttl."),
    Rule("QueuectlGhosts", "max(queuectl_workers_ghost) > 0", "2m", "warning",
         "Workers without a heartbeat", "Repair should have taken back what they held within 75 s."),
    Rule("QueuectlPoolShort", "max by (pool) (queuectl_pool_workers) < max by (pool) (queuectl_pool_workers_desired)",
         "5m", "warning", "{{ $labels.pool }}: fewer workers than asked for",
         "They crash at the start, or no host may run them."),
    Rule("QueuectlProviderSuspended", "max by (provider) (queuectl_provider_suspended) == 1", "1m", "critical",
         "{{ $labels.provider }}: refuses us for our reputation",
         "Nothing is sent through it until it is tried again."),
    Rule("QueuectlMemory", "max(queuectl_server_memory_bytes) > 0.85 * (max(queuectl_server_memory_max_bytes) > 0)",
         "1m", "critical", "The server's memory is nearly full", "It will soon refuse new mail. Drain to overflow."),
    Rule("QueuectlEvicting", "max(queuectl_server_evicts) == 1", "0m", "critical",
         "The server may evict messages", "Set maxmemory-policy to noeviction."),
    Rule("QueuectlSuspended", "max(queuectl_suspended) == 1", "5m", "warning",
         "rq suspend stops all claims", "rq resume lets workers claim again."),
)  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Grafana's JSON model (schema 39): one panel a metric, in rows by what they are about."""
    return {
        "title": "queuectl",
        "uid": "queuectl",
        "tags": ["queuectl", "mail", "rq"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), *(_variable(scope) for scope in Scope if scope)]},
        "panels": list(_panels()),
    }


def alert_rules() -> dict[str, Any]:
    """A Prometheus rule file as a tree; JSON of it is YAML too."""
    rules = [
        {
            "alert": rule.alert,
            "expr": rule.expression,
            "for": rule.lasting,
            "labels": {"severity": rule.severity},
            "annotations": {"summary": rule.summary, "description": rule.description},
        }
        for rule in RULES
    ]
    return {"groups": [{"name": "queuectl", "rules": rules}]}


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _variable(scope: Scope) -> dict[str, Any]:
    metric = next(metric.name for metric in METRICS if metric.scope is scope)
    return {
        "name": scope.value,
        "label": scope.value,
        "type": "query",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "query": {"query": f"label_values({metric}, {scope})", "refId": scope.value},
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def _panels() -> Iterator[dict[str, Any]]:
    number, y = 1, 0
    for scope, title in _TITLES.items():
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}}  # fmt: skip
        number, y = number + 1, y + 1
        metrics = [metric for metric in METRICS if metric.scope is scope]
        for place, metric in enumerate(metrics):
            at = {"x": place * WIDTH % COLUMNS, "y": y + place * WIDTH // COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT}
            yield _panel(number, metric, at)
            number += 1
        y += -(-len(metrics) * WIDTH // COLUMNS) * HEIGHT


def _panel(number: int, metric: Metric, at: dict[str, int]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "timeseries",
        "title": _title(metric),
        "description": f"{metric.help} ({metric.name})",
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": at,
        "fieldConfig": {"defaults": {"unit": _unit(metric), "min": 0 if _never_below_zero(metric) else None},
                        "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": "A", "expr": _expression(metric), "legendFormat": _legend(metric)}],
    }  # fmt: skip


def _title(metric: Metric) -> str:
    words = metric.name.removeprefix("queuectl_").removeprefix(f"{metric.scope}_").replace("_", " ")
    return f"{words.removesuffix(' total')} a second" if metric.kind is Kind.COUNTER else words


def _expression(metric: Metric) -> str:
    """The highest over all daemons: each tells the same, but for the moment at which it looked."""
    if not metric.scope:
        return metric.name
    chosen = f'{metric.name}{{{metric.scope}=~"${metric.scope}"}}'
    if metric.kind is Kind.COUNTER:
        chosen = f"rate({chosen}[{RATE_SPAN}])"
    return f"max by ({metric.scope}) ({chosen})"


def _legend(metric: Metric) -> str:
    return f"{{{{{metric.scope}}}}}" if metric.scope else "{{instance}}"


def _unit(metric: Metric) -> str:
    if metric.name.endswith("_seconds"):
        return "s"
    return "bytes" if metric.name.endswith("_bytes") else "short"


def _never_below_zero(metric: Metric) -> bool:
    return not metric.name.endswith("_residue")
