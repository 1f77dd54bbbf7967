"""Admit mails from the 9 kB template: `URL QUEUE JOBS`."""

from __future__ import annotations

import json
import sys

from queuectl import MailMessage, Outbox
from queuectl.mail.templates import make_template
from tests.bench.mail import HTML, SENDER, SUBJECT, TEXT, params


def main() -> None:
    url, queue, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Outbox(url) as outbox:
        name = outbox.store_template(make_template(SUBJECT, TEXT, HTML, SENDER))
        mails = (
            MailMessage(to=f"person{number}@mail.example", template=name, params=params(number))
            for number in range(jobs)
        )
        verdicts = outbox.enqueue_many(queue, mails)
    assert all(verdict.ok for verdict in verdicts)
    print(json.dumps({"jobs": len(verdicts)}))


main()
