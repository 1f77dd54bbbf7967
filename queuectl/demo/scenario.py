"""Load scenarios: a TOML file of queues, how much mail arrives when, and what delivers it.

A scenario is open loop: arrivals depend on the time alone, never on how the system copes.
"""

from __future__ import annotations

import tomllib
from importlib.resources import files
from itertools import accumulate, pairwise
from math import exp, floor
from pathlib import Path
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from queuectl.model import UsageError
from queuectl.settings import DeliverySettings, PoolSettings, ProviderSettings, QueueSettings, Settings
from queuectl.settings.model import AutomationSettings
from queuectl.settings.problems import told
from queuectl.settings.section import Name

BIN_S = 0.05
"""Arrivals are drawn for bins of this length and spread evenly inside one."""
NORMAL_FROM = 30.0
"""From this mean on a Poisson count is drawn from the normal distribution."""

Share = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SinkBehaviour(Part):
    latency_ms: float = Field(default=20.0, ge=0, le=60_000)
    """How long the SMTP server takes for a message; with the slots this decides what a pool can deliver."""
    transient: Share = 0.0
    """Share of attempts answered with 451."""
    permanent: Share = 0.0
    """Share of messages answered with 550."""


class Phase(Part):
    """A stretch of time with one mean arrival rate: messages a second, or a multiple of the pool's capacity."""

    for_s: float | None = Field(default=None, gt=0)
    """Seconds; the last phase may leave it out and lasts until the end."""
    per_s: float | None = Field(default=None, ge=0, le=100_000)
    times_capacity: float | None = Field(default=None, ge=0, le=1_000)

    @model_validator(mode="after")
    def _one_rate(self) -> Phase:
        if (self.per_s is None) == (self.times_capacity is None):
            raise ValueError("a phase needs either per_s or times_capacity")
        return self


class QueueLoad(Part):
    """One queue: its mail (Jinja2; `name`, `number` and `code` are given), its arrivals, its policy."""

    subject: str
    text: str
    html: str = ""
    phases: tuple[Phase, ...] = Field(min_length=1)
    policy: QueueSettings = QueueSettings()

    @model_validator(mode="after")
    def _only_the_last_is_endless(self) -> QueueLoad:
        if any(phase.for_s is None for phase in self.phases[:-1]):
            raise ValueError("every phase but the last needs for_s")
        return self


class Scenario(Part):
    """What the demo does."""

    summary: str
    seed: int = 0
    sink: SinkBehaviour = SinkBehaviour()
    delivery: DeliverySettings = DeliverySettings()
    automation: AutomationSettings = AutomationSettings()
    pools: dict[Name, PoolSettings] = Field(min_length=1)
    queues: dict[Name, QueueLoad] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_queue_has_a_pool(self) -> Scenario:
        for queue in self.queues:
            if not any(queue in pool.queues for pool in self.pools.values()):
                raise ValueError(f"queue {queue!r} is in no pool; pools are: {', '.join(self.pools)}")
        return self

    def capacity_per_s(self, queue: str) -> float:
        """Messages a second that the queue's pool can deliver at most: its slots over the server's latency."""
        slots = next(pool.workers * pool.concurrency for pool in self.pools.values() if queue in pool.queues)
        return slots * 1000 / max(self.sink.latency_ms, 1.0)

    def rate_per_s(self, queue: str, at_s: float) -> float:
        """Mean arrival rate of `queue`, `at_s` seconds after the start."""
        phases = self.queues[queue].phases
        ends = accumulate(phase.for_s or float("inf") for phase in phases)
        current = next((phase for phase, end in zip(phases, ends, strict=True) if at_s < end), None)
        if current is None:
            return 0.0
        if current.per_s is not None:
            return current.per_s
        return (current.times_capacity or 0.0) * self.capacity_per_s(queue)

    def settings(self, base: Settings, smtp_port: int) -> Settings:
        """`base` with this scenario's queues, pools and delivery, towards an SMTP server on loopback."""
        connections = max(pool.concurrency for pool in self.pools.values())
        provider = ProviderSettings(host="127.0.0.1", port=smtp_port, connections=min(connections, 1000))
        return base.model_copy(update={
            "queues": {name: load.policy for name, load in self.queues.items()},
            "automation": self.automation,
            "pools": dict(self.pools),
            "providers": {"default": provider},
            "delivery": self.delivery,
        })  # fmt: skip


def arrivals(scenario: Scenario, queue: str, start_s: float, end_s: float) -> int:
    """Messages that arrive in [start_s, end_s) seconds after the scenario's start.

    Poisson, and decided by seed, queue and time alone: however the time is cut up, the parts add up to the same.
    """
    if end_s <= start_s:
        return 0
    first, last = floor(start_s / BIN_S), floor(end_s / BIN_S)
    whole = sum(_drawn(scenario, queue, number) for number in range(first, last))
    return whole - _begun(scenario, queue, first, start_s) + _begun(scenario, queue, last, end_s)


def _begun(scenario: Scenario, queue: str, number: int, at_s: float) -> int:
    """How many of a bin's arrivals lie before `at_s`."""
    return floor(_drawn(scenario, queue, number) * (at_s / BIN_S - number))


def _drawn(scenario: Scenario, queue: str, number: int) -> int:
    """A bin's arrivals."""
    mean = scenario.rate_per_s(queue, number * BIN_S) * BIN_S
    random = Random(f"{scenario.seed} {queue} {number}")
    if mean >= NORMAL_FROM:
        return max(0, round(random.gauss(mean, mean**0.5)))
    limit, product, count = exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


def load_scenario(name: str) -> Scenario:
    """Read a scenario that comes with queuectl, by name, or a file. Raises UsageError naming file, key and what is
    allowed."""
    source, text = _read(name)
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source}: not valid TOML: {error}") from None
    except ValidationError as error:
        raise UsageError(told(source, error, _allowed)) from None


def scenario_names() -> list[str]:
    """The scenarios that come with queuectl."""
    return sorted(entry.name.removesuffix(".toml") for entry in files(__package__).joinpath("scenarios").iterdir())


def _read(name: str) -> tuple[str, str]:
    if name in scenario_names():
        return f"scenario {name}", files(__package__).joinpath("scenarios", f"{name}.toml").read_text("utf-8")
    try:
        return name, Path(name).read_text("utf-8")
    except FileNotFoundError:
        known = ", ".join(scenario_names())
        raise UsageError(f"no scenario and no file is named {name!r}; scenarios are: {known}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


def _allowed(path: list[str | int]) -> list[str]:
    """The keys of the table at `path`."""
    model: Any = Scenario
    for _, part in pairwise(["", *path]):
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[str(part)].annotation
        else:
            model = model.__args__[0 if model.__origin__ is tuple else 1]
    if isinstance(model, type) and issubclass(model, BaseModel):
        return sorted(field.alias or name for name, field in model.model_fields.items())
    return ["any name"]
