"""Admit a file's rows in batches: count every verdict, keep to a rate, wait while the queue refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from pydantic import ValidationError

from queuectl.cli.progress import Meter
from queuectl.cli.recipients import BadRow, Recipients, Row
from queuectl.console.words import age
from queuectl.mail.outbox import Outbox
from queuectl.mail.templates import Renderer, TemplateError
from queuectl.model import Admission, MailMessage, QueuectlError, Verdict
from queuectl.policy.masking import mask_address

BATCH = 500
SHOWN_BAD = 20
PATIENCE = 20
"""Refusals in a row, each followed by the wait the queue asks for, before the send gives up: ten minutes."""


@dataclass(slots=True)
class Tally:
    """What became of the rows read so far."""

    accepted: int = 0
    duplicate: int = 0
    bad: int = 0
    shed: int = 0
    """Kept in the shed store: the queue was under pressure."""

    @property
    def words(self) -> str:
        shed = f", {self.shed:,} shed" if self.shed else ""
        return f"{self.accepted:,} accepted, {self.duplicate:,} duplicate, {self.bad:,} bad{shed}"


@dataclass
class Sender:
    """One send under way."""

    outbox: Outbox
    queue: str
    template_id: str
    campaign: str
    bar: Meter
    sleep: Callable[[float], None]
    rate_per_s: float | None = None
    tally: Tally = field(default_factory=Tally)

    def send(self, recipients: Recipients) -> None:
        """Admit every good row. Raises QueuectlError when the queue goes on refusing."""
        self._started_s = time.monotonic()
        rows = self._messages(recipients)
        size = BATCH if self.rate_per_s is None else max(1, min(BATCH, int(self.rate_per_s)))
        while batch := list(islice(rows, size)):
            self._admit(batch)
            self._show(recipients)
            self._keep_pace()

    def _messages(self, recipients: Recipients) -> Iterator[tuple[Row, MailMessage]]:
        for row in recipients:
            found = message_of(row, self.template_id, self.campaign)
            if isinstance(found, BadRow):
                self.report(found)
            elif isinstance(row, Row):
                yield row, found

    def report(self, bad: BadRow) -> None:
        """Count a bad row, and print the first ones."""
        self.tally.bad += 1
        if self.tally.bad <= SHOWN_BAD:
            self.bar.say(f"{bad.where}: {bad.reason}")
        elif self.tally.bad == SHOWN_BAD + 1:
            self.bar.say(f"more than {SHOWN_BAD} bad rows; the others are counted only")

    def _admit(self, batch: list[tuple[Row, MailMessage]]) -> None:
        """Admit the whole batch, however often the queue refuses a part of it."""
        refusals = 0
        while batch:
            self.sleep(0)
            verdicts = self.outbox.enqueue_many(self.queue, [message for _, message in batch])
            self._count(batch, verdicts)
            refused = [index for index, verdict in enumerate(verdicts) if verdict.admission is Admission.REFUSED]
            refusals = refusals + 1 if len(refused) == len(batch) else 1
            batch = [batch[index] for index in refused]
            if batch:
                self._wait(verdicts[refused[0]], refusals)

    def _count(self, batch: list[tuple[Row, MailMessage]], verdicts: Iterable[Verdict]) -> None:
        for (row, _), verdict in zip(batch, verdicts, strict=True):
            if verdict.ok:
                self.tally.accepted += 1
            elif verdict.admission is Admission.SHED:
                self.tally.shed += 1
            elif verdict.admission is Admission.DUPLICATE:
                self.tally.duplicate += 1
            elif verdict.admission is Admission.INVALID:
                self.report(BadRow(row.line, row.line, verdict.detail))

    def _wait(self, verdict: Verdict, refusals: int) -> None:
        if refusals > PATIENCE:
            raise QueuectlError(f"{self.queue} goes on refusing: {verdict.detail}")
        pause_s = verdict.retry_after_s or 1.0
        self.bar.say(f"refused: {verdict.detail}; trying again in {age(pause_s)} ({refusals} of {PATIENCE})")
        self.sleep(pause_s)

    def _show(self, recipients: Recipients) -> None:
        elapsed_s = max(1e-3, time.monotonic() - self._started_s)
        rate = (self.tally.accepted + self.tally.duplicate) / elapsed_s
        self.bar.update(recipients.read_bytes, recipients.size_bytes, f"{self.tally.words}, {rate:,.0f}/s")

    def _keep_pace(self) -> None:
        if self.rate_per_s is not None:
            due_s = self._started_s + self.tally.accepted / self.rate_per_s
            self.sleep(max(0.0, due_s - time.monotonic()))


def message_of(row: Row | BadRow, template_id: str, campaign: str) -> MailMessage | BadRow:
    """The row as a message, or why it cannot be one; addresses in the reason are masked."""
    if isinstance(row, BadRow):
        return row
    try:
        return MailMessage(to=row.to, template=template_id, params=row.params, campaign=campaign)
    except ValidationError as error:
        return BadRow(row.line, row.line, _reason(row, error))


def _reason(row: Row, error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    if problem["loc"] == ("to",):
        return f"not an e-mail address: {mask_address(row.to)}" if row.to else "no address"
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def bad_rows(recipients: Recipients, renderer: Renderer) -> Iterator[BadRow]:
    """Every row that could not be sent, its rendering tried."""
    for row in recipients:
        found = message_of(row, "trial", "")
        if isinstance(found, BadRow):
            yield found
        elif isinstance(row, Row):
            try:
                renderer.render(row.params)
            except TemplateError as error:
                yield BadRow(row.line, row.line, str(error))
