"""The stored time series: one entry a second for an hour, one in ten seconds for a day; and the latest rates."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, astuple, replace

from queuectl.model import QueueSample, QueueState, Sample
from queuectl.policy.forecast import Flow, eta_s
from queuectl.policy.rates import Rates
from queuectl.store import keys
from queuectl.store.client import Steps, ask, command, script
from queuectl.store.scripts import load

WRITE = load("write_sample")
ENTRIES_1S = 3600
ENTRIES_10S = 8640
FINE_SPAN_S = 600.0
"""History younger than this is read at one second, older at ten: an attach reads a few hundred kB at most."""
LATEST_FRESH_S = 10


def sample_of(at_s: float, queues: tuple[QueueState, ...]) -> Sample:
    """The sample that a picture makes."""
    return Sample(at_s, {queue.name: _queue_sample(queue) for queue in queues})


def _queue_sample(queue: QueueState) -> QueueSample:
    return QueueSample(queue.depth, queue.backlog, queue.in_flight, _round(queue.in_per_s), _round(queue.out_per_s),
                       _round(queue.oldest_s), _round(queue.wait_p95_s), queue.failed)  # fmt: skip


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def write(sample: Sample, rates: Mapping[str, Rates], *, fence: str, coarse: bool) -> Steps[None]:
    """Append to the series; `coarse`: to the ten-second one too. Raises LeaseLostError when another daemon leads."""
    blob = encode(sample)
    latest = json.dumps({name: asdict(rate) for name, rate in rates.items()})
    calls = [script(WRITE, (keys.SERIES_1S, keys.LATEST), (fence, blob, ENTRIES_1S, LATEST_FRESH_S, latest))]
    if coarse:
        calls.append(script(WRITE, (keys.SERIES_10S, keys.LATEST), (fence, blob, ENTRIES_10S, "", "")))
    yield tuple(calls)


def encode(sample: Sample) -> bytes:
    """zlib of [time, {queue: [fields]}]."""
    rows = {name: astuple(queue) for name, queue in sample.queues.items()}
    return zlib.compress(json.dumps([round(sample.at_s, 3), rows], separators=(",", ":")).encode(), 1)


def decode(blob: bytes) -> Sample:
    """The reverse of `encode`."""
    at_s, rows = json.loads(zlib.decompress(blob))
    return Sample(at_s, {name: QueueSample(*row) for name, row in rows.items()})


def history(span_s: float) -> Steps[list[Sample]]:
    """Stored samples of the last `span_s` seconds, oldest first."""
    now = yield from ask(command("TIME"))
    now_ms = int(now[0]) * 1000
    fine_from = now_ms - int(min(span_s, FINE_SPAN_S) * 1000)
    coarse_from = now_ms - int(span_s * 1000)
    coarse, fine = yield (
        command("XRANGE", keys.SERIES_10S, coarse_from, fine_from),
        command("XRANGE", keys.SERIES_1S, fine_from, "+"),
    )
    return [decode(_blob(fields)) for _, fields in (*coarse, *fine)]


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
        eta_s=eta,
    )
