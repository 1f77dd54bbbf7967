"""What happens next if nothing, or one thing, is changed: the numbers behind every "before → after".

A fluid model of one queue over the next hour: arrivals and service stay as they are, the ages of what waits are spread
evenly up to the oldest. Good enough to choose between two actions, not to the last message.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from queuectl.model import Direction, QueueState, Switch

HOT_BYTES, FOREIGN_BYTES, PACKED_BYTES = 440, 1620, 45
"""A waiting message of ours, one of stock RQ, and one in overflow or the shed store (measured)."""
HORIZON_S = 3600.0
"""How far shed mail and memory are counted ahead."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A queue's rates (messages a second) and what waits. `service_per_s`: what its workers can deliver."""

    backlog: int
    """What the workers come to by themselves; what is packed away is `parked`."""
    in_per_s: float
    service_per_s: float
    workers: int
    newest_first: bool = False
    paused: bool = False
    shedding: bool = False
    stale: int = 0
    """Of the backlog, past `max_age_s`: shedding drops them at once."""
    oldest_s: float = 0.0
    max_age_s: float = math.inf
    cap: float = math.inf
    """With shedding on, more than this do not wait: producers are refused."""
    parked: int = 0
    message_bytes: int = HOT_BYTES
    most_per_s: float = math.inf
    """What its provider takes: more workers do not help beyond that."""
    known: bool = True
    """False: nobody has measured the rates yet; counts and memory can still be told."""

    @property
    def delivered_per_s(self) -> float:
        return 0.0 if self.paused else self.service_per_s


@dataclass(frozen=True, slots=True)
class Forecast:
    """One queue over the next hour; nan is unknown, `inf` is never."""

    waiting: int
    """At once, after what shedding drops."""
    clear_s: float
    """Until nothing waits."""
    wait_s: float
    """Of a message that arrives now and is delivered."""
    shed: int
    """In the next hour."""
    refused: int
    """In the next hour, at the high watermark."""
    peak_bytes: float
    """Most that its messages take in the server within the next hour."""


def flow_of(queue: QueueState, *, stale: int = 0, most_per_s: float = math.inf) -> Flow:
    """A queue as the picture has it. `stale`: waiting past the max age; `most_per_s`: its provider's limit."""
    service_per_s = queue.service_per_s if queue.service_per_s is not None else queue.out_per_s
    return Flow(
        backlog=queue.waiting,
        in_per_s=queue.in_per_s or 0.0,
        service_per_s=service_per_s or 0.0,
        workers=queue.workers,
        newest_first=queue.direction.value == Direction.LIFO,
        paused=queue.pause.value == Switch.ON,
        shedding=queue.shed.value == Switch.ON,
        stale=stale,
        oldest_s=queue.oldest_s or 0.0,
        max_age_s=queue.policy.max_age_s,
        cap=queue.policy.cap,
        parked=queue.parked,
        message_bytes=FOREIGN_BYTES if queue.assisted else HOT_BYTES,
        most_per_s=most_per_s,
        known=queue.in_per_s is not None,
    )


def forecast(flow: Flow, horizon_s: float = HORIZON_S) -> Forecast:
    """What the next hour brings."""
    now = _waiting_now(flow)
    if not flow.known:
        stale = flow.stale if flow.shedding else 0
        return Forecast(now, math.nan if now else 0.0, math.nan, stale, 0, _bytes(flow, now, 0))
    shed = round(_shed(flow, horizon_s)) if flow.shedding else 0
    left = max(0.0, flow.backlog - shed + (flow.in_per_s - flow.delivered_per_s) * horizon_s)
    refused = round(max(0.0, left - max(flow.cap, now))) if flow.shedding else 0
    peak = max(now, left - refused)
    return Forecast(now, eta_s(flow), wait_s(flow), shed, refused, _bytes(flow, peak, shed))


def _waiting_now(flow: Flow) -> int:
    return max(0, flow.backlog - flow.stale) if flow.shedding else max(0, flow.backlog)


def _bytes(flow: Flow, waiting: float, shed: float) -> float:
    return waiting * flow.message_bytes + (flow.parked + shed) * PACKED_BYTES


def eta_s(flow: Flow) -> float:
    """Seconds until nothing waits: backlog / (service − arrivals); `inf` when arrivals win."""
    waiting = _waiting_now(flow)
    if waiting <= 0:
        return 0.0
    spare_per_s = flow.delivered_per_s - flow.in_per_s
    return waiting / spare_per_s if spare_per_s > 0 else math.inf


def wait_s(flow: Flow) -> float:
    """The wait of a message that arrives now, if it is delivered at all."""
    if flow.delivered_per_s <= 0:
        return math.inf
    if flow.newest_first:
        return 0.0
    wait = _waiting_now(flow) / flow.delivered_per_s
    return min(wait, flow.max_age_s) if flow.shedding else wait


def _shed(flow: Flow, horizon_s: float) -> float:
    """Messages that pass the max age before they are delivered."""
    if not math.isfinite(flow.max_age_s):
        return 0.0
    spare_per_s = flow.delivered_per_s - flow.in_per_s
    if not flow.newest_first:
        # Oldest first: what is delivered is the oldest, so only what grows stale faster than that is shed.
        moments = (0.0, min(_first_stale_s(flow), horizon_s), min(flow.max_age_s, horizon_s), horizon_s)
        return max(_stale_by(flow, at_s) - flow.delivered_per_s * at_s for at_s in moments if at_s >= 0)
    if spare_per_s < 0:
        return _stale_by(flow, min(horizon_s, flow.max_age_s)) - spare_per_s * max(0.0, horizon_s - flow.max_age_s)
    # Newest first: the spare service eats the backlog from its young end, age from its old one, until they meet.
    rest, span_s = flow.backlog - flow.stale, _span_s(flow)
    meet_s = rest * flow.max_age_s / (rest + spare_per_s * span_s) if rest and span_s else 0.0
    return max(float(flow.stale), _stale_by(flow, min(horizon_s, meet_s)))


def _span_s(flow: Flow) -> float:
    """The ages of what waits and is not stale are spread over this."""
    return min(flow.oldest_s, flow.max_age_s)


def _first_stale_s(flow: Flow) -> float:
    return flow.max_age_s - _span_s(flow)


def _stale_by(flow: Flow, at_s: float) -> float:
    """How many have passed the max age by then, were nothing delivered."""
    rest, span_s = max(0, flow.backlog - flow.stale), _span_s(flow)
    into_s = at_s - _first_stale_s(flow)
    share = min(max(into_s / span_s, 0.0), 1.0) if span_s else float(at_s >= flow.max_age_s)
    return flow.stale + rest * share + flow.in_per_s * max(0.0, at_s - flow.max_age_s)


def with_workers(flow: Flow, workers: int) -> Flow:
    """Service grows in proportion to workers, up to what the provider takes: an upper bound."""
    if flow.workers <= 0:
        return replace(flow, workers=workers)
    grown = flow.service_per_s * workers / flow.workers
    return replace(flow, workers=workers, service_per_s=min(grown, max(flow.most_per_s, flow.service_per_s)))


def without(flow: Flow, messages: int) -> Flow:
    """After `messages` left the backlog."""
    return replace(flow, backlog=max(0, flow.backlog - messages), stale=max(0, flow.stale - messages))


def parked(flow: Flow, messages: int) -> Flow:
    """After `messages` were packed away out of the backlog."""
    return replace(without(flow, messages), parked=flow.parked + min(messages, flow.backlog))


def added(flow: Flow, messages: int) -> Flow:
    """After `messages` came back."""
    return replace(flow, backlog=flow.backlog + messages)
