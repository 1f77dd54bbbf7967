"""Ask for one key, again and again, until standard input ends: how long the answers took, as another client sees it."""

from __future__ import annotations

import json
import sys
import threading
import time

from redis import Redis

PAUSE_S = 0.0005


def main(url: str) -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    took: list[float] = []
    with Redis.from_url(url) as client:
        client.get("ping")
        print("ready", flush=True)
        while not over.is_set():
            began_s = time.perf_counter()
            client.get("ping")
            took.append(time.perf_counter() - began_s)
            time.sleep(PAUSE_S)
    took.sort()
    print(json.dumps({"worst_us": 1e6 * took[-1], "p999_us": 1e6 * took[int(0.999 * len(took))]}))


if __name__ == "__main__":
    main(sys.argv[1])
