"""The demo's load generator: admits a scenario's mail when it is due, whether or not the system keeps up.

Run as `python -m queuectl.demo.load --url URL --scenario NAME`. It ends when its standard input does (that is, with its
parent), on SIGTERM or after --for seconds, and prints one line of JSON: for each queue, messages by verdict.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from queuectl import AsyncOutbox, MailMessage
from queuectl.demo.children import say, watch_parent
from queuectl.demo.scenario import Scenario, arrivals, load_scenario
from queuectl.mail.templates import Template, check, make_template
from queuectl.model import ServerError

TICK_S = 0.1
BATCH = 500
"""Messages admitted in one call, so that a failure leaves no more than these in doubt."""
IN_DOUBT = "in_doubt"
"""The server went away before it answered: these may or may not have been accepted."""
FIRST_NAMES = ("Ana", "Bo", "Chidi", "Dora", "Emre", "Fatima", "Goran", "Hana", "Iris", "João", "Kofi", "Lea")
DOMAINS = ("mail.example", "post.example", "inbox.example", "letters.example")


def messages(template: Template) -> Iterator[MailMessage]:
    """Endless mail of one kind, each message to another address."""
    number = 0
    while True:
        number += 1
        params = sample(number)
        name = params["name"].encode("ascii", "ignore").decode().lower()
        domain = DOMAINS[number // len(FIRST_NAMES) % len(DOMAINS)]
        yield MailMessage(to=f"{name}{number}@{domain}", template=template.template_id, params=params)


def sample(number: int) -> dict[str, str]:
    """Template parameters of message `number`."""
    return {
        "name": FIRST_NAMES[number % len(FIRST_NAMES)],
        "number": str(number),
        "code": f"{number * 7919 % 10**6:06}",
    }


def templates(scenario: Scenario) -> dict[str, Template]:
    """Each queue's template. Raises UsageError when one uses a variable it is not given."""
    made = {name: make_template(load.subject, load.text, load.html) for name, load in scenario.queues.items()}
    for name, template in made.items():
        check(template, sample(1), f"of queue {name}")
    return made


class Generator:
    """Admits what is due, and counts verdicts a queue."""

    def __init__(self, scenario: Scenario, outbox: AsyncOutbox) -> None:
        self.totals: dict[str, Counter[str]] = {queue: Counter() for queue in scenario.queues}
        self._scenario = scenario
        self._outbox = outbox
        self._mail: dict[str, Iterator[MailMessage]] = {}

    async def prepare(self) -> None:
        """Store the templates."""
        for queue, template in templates(self._scenario).items():
            self._mail[queue] = messages(template)
            await self._outbox.store_template(template)

    async def run(self, over: asyncio.Event, for_s: float) -> None:
        """Admit until `over` is set or `for_s` seconds have passed. After a delay, what was missed is due at once."""
        start_s = time.monotonic()
        done_s = 0.0
        while not over.is_set() and done_s < for_s:
            now_s = min(time.monotonic() - start_s, for_s)
            for queue in self._scenario.queues:
                await self._admit(queue, arrivals(self._scenario, queue, done_s, now_s), over)
            done_s = now_s
            await _either(over, start_s + now_s + TICK_S - time.monotonic())

    async def _admit(self, queue: str, due: int, over: asyncio.Event) -> None:
        while due > 0 and not over.is_set():
            batch = list(islice(self._mail[queue], min(due, BATCH)))
            due -= len(batch)
            try:
                verdicts = await self._outbox.enqueue_many(queue, batch)
            except ServerError:
                self.totals[queue][IN_DOUBT] += len(batch)
            else:
                self.totals[queue].update(verdict.admission.value for verdict in verdicts)


async def _either(over: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await over.wait()
    except TimeoutError:
        return


async def generate(url: str, scenario: Scenario, for_s: float) -> None:
    over = watch_parent()
    async with AsyncOutbox(url) as outbox:
        generator = Generator(scenario, outbox)
        await generator.prepare()
        await generator.run(over, for_s)
        say({"sent": generator.totals})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m queuectl.demo.load", description=__doc__, allow_abbrev=False)
    parser.add_argument("--url", required=True)
    parser.add_argument("--scenario", default="spike", metavar="NAME|FILE")
    parser.add_argument("--for", dest="for_s", type=float, default=float("inf"), metavar="SECONDS")
    args = parser.parse_args()
    asyncio.run(generate(args.url, load_scenario(args.scenario), args.for_s))


if __name__ == "__main__":
    main()
