"""What is wrong with the whole, in words; and what holds a queue back that is not its own doing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from queuectl.model import (
    AuditEntry,
    FleetState,
    Policy,
    PoolState,
    ProviderState,
    QueueState,
    ServerState,
    WorkerState,
)
from queuectl.policy.diagnosis import diagnose
from queuectl.policy.findings import Severity

NOW_S = 10_000.0
SERVER = ServerState("redis://db", memory_bytes=290, memory_max_bytes=1000)


def fleet(**facts: Any) -> FleetState:
    return replace(FleetState(NOW_S, SERVER, leader="mail-01:7", managed=True), **facts)


def said(of: FleetState) -> list[tuple[Severity, str]]:
    return [(finding.severity, f"{finding.queue}: {finding.text}" if finding.queue else finding.text)
            for finding in diagnose(of)]  # fmt: skip


def event(action: str, scope: str, ago_s: float, reason: str = "", who: str = "auto") -> AuditEntry:
    return AuditEntry(1, NOW_S - ago_s, who, action, scope, "", "", reason)


@pytest.mark.parametrize(
    ("server", "text"),
    [
        ({"round_trip_s": 0.2}, None),
        ({"round_trip_s": 1.25}, "server is slow: a picture takes 1.2s, its memory at 29%"),
        ({"round_trip_s": 2.0, "memory_max_bytes": 0}, "server is slow: a picture takes 2.0s"),
        ({"memory_bytes": 599}, None),
        ({"memory_bytes": 650}, "server memory at 65% of maxmemory (at 85% mail is refused)"),
        ({"memory_bytes": 860}, "server memory at 86% of maxmemory: mail is refused"),
        ({"clock_ahead_s": 4.0}, None),
        ({"clock_ahead_s": 12.0}, "clock skew: this machine's clock is 12s ahead of the server's"),
        ({"clock_ahead_s": -60.0}, "clock skew: this machine's clock is 60s behind the server's"),
    ],
)
def test_the_server(server: dict[str, Any], text: str | None) -> None:
    assert [words for _, words in said(fleet(server=replace(SERVER, **server)))] == ([text] if text else [])


def test_a_hosts_clock_that_runs_ahead() -> None:
    workers = tuple(WorkerState(f"w{host}", f"app-{host}", 1, (), "idle", stock=True, ahead_s=30.0) for host in (1, 2))
    assert said(fleet(workers=workers[:1])) == [
        (Severity.WARN, "clock skew: app-1's clock is 30s ahead of the server's")
    ]
    assert "and 1 more hosts'" in said(fleet(workers=workers))[0][1]
    assert said(fleet(workers=(replace(workers[0], ahead_s=1.0),))) == []


def test_figures_that_nobody_renews() -> None:
    assert said(fleet(published=False)) == [
        (Severity.WARN, "figures are stale: daemon mail-01:7 leads, but publishes no samples")
    ]
    assert "no daemon holds the lease" in said(fleet(published=False, leader=None))[0][1]


def test_a_crash_loop_until_it_is_over() -> None:
    events = (event("crash loop", "bulk", 30, "5 starts in a row failed, the last with exit code 1"),)
    pool = PoolState("bulk", ("forum",), 4, 1)
    assert said(fleet(events=events, pools=(pool,))) == [
        (Severity.BAD, "crash loop in pool bulk: 5 starts in a row failed, the last with exit code 1")
    ]
    assert said(fleet(events=events * 2, pools=(pool,)))[1:] == [], "said once"
    assert said(fleet(events=events, pools=(replace(pool, actual=4),))) == []
    assert said(fleet(events=(event("crash loop", "bulk", 601),), pools=(pool,))) == []
    assert said(fleet(events=(event("crash loop", "bulk", 30, who="ana"),), pools=(pool,))) == []


def test_workers_that_keep_dying() -> None:
    events = tuple(event("repair", "forum", ago, f"worker bulk-{ago} died") for ago in (10, 100, 200))
    assert said(fleet(events=events)) == [
        (Severity.WARN, "workers keep dying: 3 repairs in 5 min (the last: worker bulk-10 died)")
    ]
    assert said(fleet(events=events[:2])) == []
    assert said(fleet(events=(*events[:2], event("repair", "forum", 301)))) == []


@pytest.mark.parametrize(
    ("provider", "severity", "text"),
    [
        (ProviderState("ses", "suspended", fallback="postmark", reason="5.7.1 listed"), Severity.BAD,
         "provider ses is suspended, postmark delivers: 5.7.1 listed"),
        (ProviderState("ses", "held", 1000.0, 500.0, reason="454 slow down"), Severity.WARN,
         "provider ses slowed us down to 500/s: 454 slow down"),
    ],
)  # fmt: skip
def test_a_provider_that_holds_mail_back(provider: ProviderState, severity: Severity, text: str) -> None:
    assert said(fleet(providers=(provider,))) == [(severity, text)]
    assert said(fleet(providers=(replace(provider, dry_run=True),))) == []


def growing(**facts: Any) -> QueueState:
    queue = QueueState("forum", Policy(provider="ses"), depth=9_000, oldest_s=20.0, in_per_s=900.0, out_per_s=600.0,
                       service_per_s=600.0, eta_s=math.inf, workers=2, slots=100)  # fmt: skip
    return replace(queue, **facts)


def test_more_workers_do_not_help_where_the_provider_is_the_limit() -> None:
    ses = ProviderState("ses", "open", 1000.0, 625.0, 600.0)
    bound = "forum: provider-bound: ses at 600 of 625/s"
    assert bound in [text for _, text in said(fleet(queues=(growing(),), providers=(ses,)))]
    for other in (replace(ses, used_per_s=300.0), replace(ses, allowed_per_s=None), replace(ses, name="other")):
        assert bound not in [text for _, text in said(fleet(queues=(growing(),), providers=(other,)))]
    calm = growing(depth=3, in_per_s=600.0, eta_s=1.0)
    assert said(fleet(queues=(calm,), providers=(ses,))) == []
    default = replace(ses, name="default")
    assert "provider-bound: default" in said(fleet(queues=(growing(),), providers=(default,)))[1][1]


def test_a_retry_storm() -> None:
    calm = growing(depth=3, in_per_s=50.0, out_per_s=50.0, service_per_s=100.0, eta_s=1.0)
    storm = replace(calm, retry_per_s=120.0)
    assert said(fleet(queues=(storm,))) == [(Severity.WARN, "forum: retry storm: 120/s are put off, 50/s get through")]
    assert said(fleet(queues=(replace(calm, retry_per_s=5.0),))) == []
    assert said(fleet(queues=(replace(calm, out_per_s=0.5, retry_per_s=0.9),))) == []
