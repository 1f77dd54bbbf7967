"""Admit small literal mails with Outbox, from one process: `URL QUEUE JOBS`. Prints jobs and seconds as JSON."""

from __future__ import annotations

import json
import sys
import time

from queuectl import MailMessage, Outbox
from tests.bench.mail import payload


def main() -> None:
    url, queue, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with Outbox(url) as outbox:
        outbox.enqueue_many("warm-up", [MailMessage(**payload(number)) for number in range(100)])
        start_s = time.perf_counter()
        verdicts = outbox.enqueue_many(queue, (MailMessage(**payload(number)) for number in range(jobs)))
        seconds = time.perf_counter() - start_s
    assert all(verdict.ok for verdict in verdicts)
    print(json.dumps({"jobs": len(verdicts), "seconds": seconds}))


main()
