"""What an undone shedding brings back: all that was shed because of it, at a rate the workers can take."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from queuectl.model import Operation, Tier
from queuectl.policy.forecast_words import humane_s
from queuectl.policy.replay import rate_words, replay_per_s
from queuectl.settings import Settings
from queuectl.store import segments
from queuectl.store.changes.facts import of_queue
from queuectl.store.client import Steps
from queuectl.store.operation_plans import Plan, fields_of
from queuectl.store.segments import Selection


@dataclass(frozen=True, slots=True)
class Replay:
    """The operation that an undo starts; nothing when nothing was shed."""

    messages: int = 0
    effects: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    op_id: str = ""


def of_cause(queue: str, cause: int, settings: Settings) -> Steps[Replay]:
    """Replay what this audit number's shedding packed."""
    messages = segments.jobs_in((yield from segments.of_selection(queue, Tier.SHED, Selection(cause))))
    if not messages:
        return Replay()
    facts = yield from of_queue(queue, settings)
    rate_per_s = replay_per_s(facts.queue.service_per_s, facts.queue.in_per_s)
    view = Operation(
        op_id="", kind="refill", queue=queue, target=Tier.SHED.value, only_cause=cause, rate_per_s=rate_per_s
    )
    effect = (
        f"{messages:,} messages shed since then come back to the tail of the queue, {rate_words(rate_per_s)} a second: "
        f"{humane_s(messages / rate_per_s)}."
    )
    return Replay(messages, (effect,), fields_of(Plan(view, "tail")), secrets.token_hex(5))
