"""Admit small literal mails with Outbox, from one process: `URL QUEUE JOBS`. Prints jobs and seconds as JSON."""

from __future__ import annotations

import json
import sys
import time

from queuectl import MailMessage, Outbox
from tests.bench.mail import payload

PART = 50_000
"""Mails whose verdicts are held at once."""


def main() -> None:
    url, queue, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Outbox(url) as outbox:
        outbox.enqueue_many("warm-up", [MailMessage(**payload(number)) for number in range(100)])
        start_s = time.perf_counter()
        for first in range(0, jobs, PART):
            numbers = range(first, min(first + PART, jobs))
            verdicts = outbox.enqueue_many(queue, (MailMessage(**payload(number)) for number in numbers))
            assert all(verdict.ok for verdict in verdicts)
        seconds = time.perf_counter() - start_s
    print(json.dumps({"jobs": jobs, "seconds": seconds}))


main()
