"""Admission of one event's messages, over several queues in one round trip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from queuectl.model import Admission, MailMessage, Verdict
from queuectl.store import ids, keys, suppression
from queuectl.store.admission import BATCH, Prepared, admission_call, prepare, suppressed, verdicts_of
from queuectl.store.client import Steps, command

KEPT = frozenset({Admission.ACCEPTED, Admission.HELD, Admission.SHED})


@dataclass(frozen=True, slots=True)
class Addressed:
    """One message of an event. `identity` names it among all messages of all events, the same at every rerun."""

    queue: str
    message: MailMessage
    identity: str


def admit_event(addressed: Sequence[Addressed], templates: Mapping[str, bytes], *,
                unrouted: bool) -> Steps[list[Verdict]]:  # fmt: skip
    """Store `templates` and admit all messages in one round trip (and one more before it, for the suppression list);
    verdicts in the same order. A message is known for at least a week: who runs an event again, after a failure in the
    middle too, sends nobody the same mail twice. `unrouted`: count the messages as such.
    """
    reasons = yield from suppression.lookup_if_any([one.message.to for one in addressed])
    batches = _batches(addressed, reasons)
    replies = yield (
        *(command("SET", keys.template(template_id), blob) for template_id, blob in templates.items()),
        *(admission_call(queue, prepared) for queue, prepared, _ in batches),
    )
    verdicts = [Verdict(Admission.DUPLICATE) if reason is None else suppressed(reason) for reason in reasons]
    for (_, prepared, places), reply in zip(batches, replies[len(templates) :], strict=True):
        for place, verdict in zip(places, verdicts_of(prepared, reply), strict=True):
            verdicts[place] = verdict
    yield from _count(addressed, verdicts, unrouted)
    return verdicts


def _batches(
    addressed: Sequence[Addressed], reasons: Sequence[str | None]
) -> list[tuple[str, list[Prepared], list[int]]]:
    """(queue, messages, their places in `addressed`), one a script call."""
    places: dict[str, list[int]] = {}
    for place, (one, reason) in enumerate(zip(addressed, reasons, strict=True)):
        if reason is None:
            places.setdefault(one.queue, []).append(place)
    return [
        (queue, [_prepare(addressed[place]) for place in mine[start : start + BATCH]], mine[start : start + BATCH])
        for queue, mine in places.items()
        for start in range(0, len(mine), BATCH)
    ]


def _prepare(one: Addressed) -> Prepared:
    job_id, bucket, member = ids.event_id(one.identity)
    return replace(prepare(one.message, job_id), bucket_key=keys.events(bucket), member=member)


def _count(addressed: Sequence[Addressed], verdicts: Sequence[Verdict], unrouted: bool) -> Steps[None]:
    outcomes = [(one.queue, verdict.admission) for one, verdict in zip(addressed, verdicts, strict=True)]
    counts = Counter((queue, "suppressed") for queue, admission in outcomes if admission is Admission.SUPPRESSED)
    if unrouted:
        counts.update((queue, "unrouted") for queue, admission in outcomes if admission in KEPT)
    if counts:
        yield tuple(command("HINCRBY", keys.ledger(queue), what, number) for (queue, what), number in counts.items())
