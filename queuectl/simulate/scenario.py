"""What is simulated: queues with their arrivals, pools, providers, and who moves which control."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator

from queuectl.model import Objective, Policy, QueueClass
from queuectl.policy.decision import Mode
from queuectl.policy.thresholds import (
    DirectionThresholds,
    QueueControls,
    ScalingThresholds,
    ShedThresholds,
    TierThresholds,
    WallThresholds,
)
from queuectl.settings.section import Name

Share = Annotated[float, Field(gt=0, le=1)]


_create_model: Any = create_model
"""Its overloads know no fields that come as a dictionary."""


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _section(thresholds: type) -> Any:
    """A table whose keys and defaults are those of a thresholds dataclass; no value may be negative."""
    hints = get_type_hints(thresholds)
    keys: dict[str, Any] = {
        each.name: (hints[each.name], Field(default=each.default, ge=0)) for each in fields(thresholds)
    }
    return _create_model(thresholds.__name__, __base__=Part, **keys)


_SECTIONS = {
    "tiers": TierThresholds,
    "shedding": ShedThresholds,
    "wall": WallThresholds,
    "lifo": DirectionThresholds,
    "scaling": ScalingThresholds,
}
Thresholds: Any = _create_model(
    "Thresholds",
    __base__=Part,
    **{name: (section, section()) for name, section in ((name, _section(kind)) for name, kind in _SECTIONS.items())},
)


class ControlModes(Part):
    """Who moves each control, for all queues; `direction`: off is FIFO, on is LIFO."""

    surge: Mode = Mode.AUTO
    overflow: Mode = Mode.AUTO
    refuse: Mode = Mode.AUTO
    shed: Mode = Mode.AUTO
    direction: Mode = Mode.AUTO
    scale: Literal["off", "auto"] = "auto"


class Phase(Part):
    """A stretch of time with one arrival rate; the last one may leave out its length and lasts until the end."""

    for_s: float | None = Field(default=None, gt=0)
    per_s: float = Field(ge=0, le=1e6)


class Band(Part):
    """A part of a queue's arrivals. `priority`: 0 is shed first, 100 never; `campaign` decides among equals."""

    share: Share
    priority: int = Field(default=50, ge=0, le=100)
    campaign: str = ""


class Provider(Part):
    per_s: float = Field(gt=0)
    """Messages a second it takes."""


class Pool(Part):
    queues: tuple[Name, ...] = Field(min_length=1)
    order: Literal["strict", "shared"] = "strict"
    """strict: the first queue first. shared: one line, the oldest message of all queues first; or the newest, while
    all of them are LIFO."""
    workers: int = Field(default=1, ge=0, le=10_000)
    """At the start; scaling changes it up to `most_workers`."""
    most_workers: int | None = Field(default=None, ge=0, le=10_000)
    """What the hosts can hold; default: `workers`."""
    concurrency: int = Field(default=50, ge=1, le=5000)
    start_delay_s: float = Field(default=10.0, ge=0)
    """From the decision to the first claim of a new worker."""

    @property
    def capacity_workers(self) -> int:
        return self.workers if self.most_workers is None else self.most_workers


class Load(Part):
    """One queue: its policy and its arrivals."""

    queue_class: QueueClass = Field(default=QueueClass.NORMAL, alias="class")
    target_wait_s: float = Field(default=60.0, ge=1)
    """At least the simulation's tick of one second."""
    max_age_s: float = Field(default=4 * 3600.0, ge=1)
    cap: int = Field(default=1_000_000, ge=1)
    objective: Objective = Objective.COMPLETENESS
    provider: Name | None = None
    """One of [providers]; none: no limit."""
    busy_ms: float = Field(default=50.0, gt=0)
    """How long one message keeps a slot busy."""
    phases: tuple[Phase, ...] = Field(min_length=1)
    mix: tuple[Band, ...] = (Band(share=1.0),)

    @model_validator(mode="after")
    def _adds_up(self) -> Load:
        if any(phase.for_s is None for phase in self.phases[:-1]):
            raise ValueError("every phase but the last needs for_s")
        total = sum(band.share for band in self.mix)
        if abs(total - 1) > 1e-6:
            raise ValueError(f"the shares of mix add up to {total:g}, not to 1")
        return self


class Scenario(Part):
    """One simulation."""

    summary: str
    for_s: int = Field(gt=0, le=30 * 86_400)
    """Simulated time, in ticks of one second."""
    memory_max_bytes: int = Field(default=0, ge=0)
    """The server's `maxmemory`; at it the server itself refuses. 0: no limit."""
    overflow_max_bytes: int = Field(default=0, ge=0)
    """Where overflow is full; 0: no limit of its own."""
    controls: ControlModes = ControlModes()
    thresholds: Thresholds = Thresholds()
    providers: dict[Name, Provider] = Field(default_factory=dict)
    pools: dict[Name, Pool] = Field(min_length=1)
    queues: dict[Name, Load] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_match(self) -> Scenario:
        served = [queue for pool in self.pools.values() for queue in pool.queues]
        for name, load in self.queues.items():
            if served.count(name) != 1:
                where = "no pool" if name not in served else "more than one pool"
                raise ValueError(
                    f"queue {name!r} is in {where}; each belongs to exactly one of {', '.join(self.pools)}"
                )
            if load.provider is not None and load.provider not in self.providers:
                known = ", ".join(self.providers) or "none"
                raise ValueError(f"queue {name!r}: no provider {load.provider!r}; providers are: {known}")
        unknown = next((name for name in served if name not in self.queues), None)
        if unknown is not None:
            raise ValueError(f"pools name a queue {unknown!r}; queues are: {', '.join(self.queues)}")
        return self

    def queue_controls(self, name: str) -> QueueControls:
        """The queue's settings as the policies take them."""
        load, modes = self.queues[name], self.controls
        policy = Policy(queue_class=load.queue_class, max_age_s=load.max_age_s, target_wait_s=load.target_wait_s,
                        cap=load.cap)  # fmt: skip
        return QueueControls(
            policy, load.objective, modes.surge, modes.overflow, modes.refuse, modes.shed, modes.direction,
            **{name: self._thresholds(name) for name in _SECTIONS if name != "scaling"},
        )  # fmt: skip

    def scaling(self) -> ScalingThresholds:
        found: ScalingThresholds = self._thresholds("scaling")
        return found

    def _thresholds(self, name: str) -> Any:
        return _SECTIONS[name](**getattr(self.thresholds, name).model_dump())
