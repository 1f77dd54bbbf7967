"""Enqueue with stock rq, from one process: `URL QUEUE JOBS noop|mail SERIALIZER [SMTP_PORT]`. Prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice

from redis import Redis
from rq import Queue

from tests.bench import jobs as functions
from tests.bench.mail import params, payload

BATCH = 500


def main() -> None:
    url, name, jobs, kind, serializer = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
    with Redis.from_url(url) as connection:
        queue = Queue(name, connection=connection, serializer=serializer)
        Queue("warm-up", connection=connection).enqueue_many(
            [Queue.prepare_data(functions.noop, kwargs=payload(number)) for number in range(100)]
        )
        start_s = time.perf_counter()
        prepared = _prepared(kind, jobs)
        while batch := list(islice(prepared, BATCH)):
            queue.enqueue_many(batch)
        seconds = time.perf_counter() - start_s
        assert queue.count == jobs
    print(json.dumps({"jobs": jobs, "seconds": seconds}))


def _prepared(kind: str, jobs: int) -> Iterator[object]:
    for number in range(jobs):
        if kind == "noop":
            yield Queue.prepare_data(functions.noop, kwargs=payload(number))
        else:
            arguments = (int(sys.argv[6]), f"person{number}@mail.example", params(number))
            yield Queue.prepare_data(functions.send_mail, args=arguments)


main()
