"""Make a deployment look busy: every worker's heartbeat each 5 s, some messages of every queue replaced each second.

`URL QUEUES WORKERS`, until standard input ends. What is replaced is the oldest, and counts as delivered.
"""

from __future__ import annotations

import sys
import threading
from itertools import count

from redis import Redis

from queuectl.store import claims
from queuectl.store.client import Store
from tests.bench.crowd import BEATS, REPLACE, queue_name, worker_name


def main(url: str, queues: int, workers: int) -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    with Redis.from_url(url) as client:
        store = Store(client)
        for second in count():
            if over.wait(1.0):
                return
            _replace(client, queues, second)
            _beat(store, range(second % BEATS, workers, BEATS), second)


def _replace(client: Redis, queues: int, second: int) -> None:
    """Depths rise and fall, each queue's at its own time."""
    with client.pipeline(transaction=False) as pipe:
        for number in range(queues):
            taken, added = 20 + 7 * ((second + number) % 9), 20 + 7 * ((second + 3 * number) % 8)
            pipe.eval(REPLACE, 0, queue_name(number), f"churn-{second}-", taken, added)
        pipe.execute()


def _beat(store: Store, numbers: range, second: int) -> None:
    for number in numbers:
        store.run(claims.heartbeat(worker_name(number), "busy", (second + number) % 50, (), lease_s=60))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
