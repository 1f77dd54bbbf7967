"""The stored time series: one entry a second for an hour, one in ten seconds for a day; and the latest rates."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, astuple, replace
from typing import Any

from queuectl.model import PoolSample, ProviderSample, QueueSample, QueueState, Sample
from queuectl.policy.forecast import Flow, eta_s
from queuectl.policy.history import WHOLE_SPAN_S, History
from queuectl.policy.rates import Rates
from queuectl.store import keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

WRITE = load("write_sample")
ENTRIES_1S = 3600
ENTRIES_10S = 8640
FINE_TAIL_S = 60.0
"""Of a plot that merges samples, only so much is read at one second, the rest at ten."""
FINE_SPAN_S = 600.0
PAGE = 25
"""Entries read and decoded in one go: a few milliseconds with fifty queues, so that a console stays quick."""
LATEST_FRESH_S = 10


def write(sample: Sample, rates: Mapping[str, Rates], *, fence: str, coarse: bool) -> Steps[None]:
    """Append to the series; `coarse`: to the ten-second one too. Raises LeaseLostError when another daemon leads."""
    blob = encode(sample)
    latest = json.dumps({name: asdict(rate) for name, rate in rates.items()})
    calls = [script(WRITE, (keys.SERIES_1S, keys.LATEST), (fence, blob, ENTRIES_1S, LATEST_FRESH_S, latest))]
    if coarse:
        calls.append(script(WRITE, (keys.SERIES_10S, keys.LATEST), (fence, blob, ENTRIES_10S, "", "")))
    yield tuple(calls)


def encode(sample: Sample) -> bytes:
    """zlib of `tree_of`."""
    return zlib.compress(json.dumps(tree_of(sample), separators=(",", ":")).encode(), 1)


def decode(blob: bytes) -> Sample:
    """The reverse of `encode`."""
    return sample_from(json.loads(zlib.decompress(blob)))


def tree_of(sample: Sample) -> list[Any]:
    """[time, {queue: [fields]}, {pool: [fields]}, {provider: [fields]}], for JSON."""
    tables: tuple[Mapping[str, Any], ...] = (sample.queues, sample.pools, sample.providers)
    return [round(sample.at_s, 3), *({name: astuple(row) for name, row in table.items()} for table in tables)]


def sample_from(tree: list[Any]) -> Sample:
    """The reverse of `tree_of`; what a daemon that knew less left out is empty."""
    at_s, queues, pools, providers = (*tree, {}, {})[:4]
    return Sample(
        at_s,
        {name: QueueSample(*row) for name, row in queues.items()},
        {name: PoolSample(*row) for name, row in pools.items()},
        {name: ProviderSample(*row) for name, row in providers.items()},
    )


def history(span_s: float) -> Steps[tuple[Sample, ...]]:
    """The last `span_s` seconds for a plot, oldest first: at most some 900 points, however long the span."""
    found = History(span_s)
    fine_s = span_s if span_s <= WHOLE_SPAN_S else FINE_TAIL_S
    yield from _stored(span_s, fine_s, found.add)
    return found.samples


def stored(span_s: float) -> Steps[tuple[Sample, ...]]:
    """Every sample of the last `span_s` seconds, oldest first: one a second of ten minutes, one in ten before."""
    found: list[Sample] = []
    yield from _stored(span_s, min(span_s, FINE_SPAN_S), found.append)
    return tuple(found)


def _stored(span_s: float, fine_s: float, take: Callable[[Sample], object]) -> Steps[None]:
    now = yield from ask(command("TIME"))
    now_ms = int(now[0]) * 1000
    fine_from, coarse_from = now_ms - int(fine_s * 1000), now_ms - int(span_s * 1000)
    if coarse_from < fine_from:
        yield from _read(keys.SERIES_10S, coarse_from, f"({fine_from}", take)
    yield from _read(keys.SERIES_1S, fine_from, "+", take)


def _read(key: str, from_ms: int, until: str, take: Callable[[Sample], object]) -> Steps[None]:
    start = str(from_ms)
    while True:
        entries = yield from ask(command("XRANGE", key, start, until, "COUNT", PAGE))
        for _, fields in entries:
            take(decode(_blob(fields)))
        if len(entries) < PAGE:
            return
        start = f"({entries[-1][0].decode()}"


def _blob(fields: object) -> bytes:
    blob = fields[b"s"] if isinstance(fields, Mapping) else list(fields)[1]  # type: ignore[call-overload]
    return bytes(blob)


def published_rates(latest: bytes | None) -> dict[str, Rates]:
    """What the leading daemon last published; empty when that is too long ago (the key has expired)."""
    if not latest:
        return {}
    return {name: Rates(**fields) for name, fields in json.loads(latest).items()}


def with_rates(queue: QueueState, rates: Rates) -> QueueState:
    """The queue's picture with its rates and the time they give until the backlog clears."""
    eta = None
    if rates.in_per_s is not None:
        service = rates.service_per_s if rates.service_per_s is not None else (rates.out_per_s or 0.0)
        eta = eta_s(Flow(queue.waiting, rates.in_per_s, service, queue.workers))
    return replace(
        queue,
        in_per_s=rates.in_per_s,
        out_per_s=rates.out_per_s,
        service_per_s=rates.service_per_s,
        wait_p50_s=rates.wait_p50_s,
        wait_p95_s=rates.wait_p95_s,
        wait_p99_s=rates.wait_p99_s,
        retry_per_s=rates.retry_per_s,
        eta_s=eta,
    )
