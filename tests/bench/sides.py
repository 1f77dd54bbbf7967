"""Sides of a bench, measured in turns, and how their figures are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from typing import Any

from tests.bench.world import SideError, World

Measure = Callable[[World], float]


@dataclass(frozen=True, slots=True)
class Side:
    """One way to do the work. `measure` starts on an empty server."""

    name: str
    measure: Measure
    skip: str = ""
    """Why it cannot be measured here; empty when it can."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A question and the sides that answer it, the first of them ours."""

    name: str
    question: str
    unit: str
    sides: Sequence[Side]
    needs_aof_off: bool = False
    comparable: bool = True
    """False: the sides are figures of different things, of which no ratio means anything."""


@dataclass(slots=True)
class Row:
    """One side's figures."""

    side: str
    values: list[float] = field(default_factory=list)
    trouble: str = ""

    @property
    def median(self) -> float | None:
        return median(self.values) if self.values else None


@dataclass(frozen=True, slots=True)
class Table:
    """A bench's outcome."""

    bench: Bench
    server: str
    rows: Sequence[Row]

    def as_json(self) -> dict[str, Any]:
        ours = self.rows[0]
        return {
            "bench": self.bench.name,
            "question": self.bench.question,
            "unit": self.bench.unit,
            "server": self.server,
            "sides": [
                {"side": row.side, "median": row.median, "values": row.values, "trouble": row.trouble,
                 "ours_is_times": ratio(ours, row) if self.bench.comparable else None}
                for row in self.rows
            ],
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.bench.name}: {self.bench.question}  [{self.server}]",
                 f"  {'':<44}{self.bench.unit:>12}{'least':>11}{'most':>11}   queuectl is"]  # fmt: skip
        return "\n".join([*lines, *(self._line(row) for row in self.rows)])

    def _line(self, row: Row) -> str:
        if row.median is None:
            return f"  {row.side:<44}{'–':>12}   {row.trouble}"
        times = ratio(self.rows[0], row) if self.bench.comparable else None
        comparison = f"{times:.3g} ×" if times and row is not self.rows[0] else ""
        figures = f"{row.median:>12,.0f}{min(row.values):>11,.0f}{max(row.values):>11,.0f}"
        return f"  {row.side:<44}{figures}   {comparison}{f'  {row.trouble}' if row.trouble else ''}".rstrip()


def figures_of(run: Callable[[World], Mapping[str, float]], names: Mapping[str, str]) -> tuple[Side, ...]:
    """Sides that show the figures of one run a round, which the first of them makes. `names`: why a figure cannot be
    had here, empty when it can."""
    first = next(iter(names))
    seen: dict[str, float] = {}

    def measure(name: str, world: World) -> float:
        if name == first:
            seen.clear()
            seen.update(run(world))
        if name not in seen:
            raise SideError("the run failed")
        return seen[name]

    return tuple(Side(name, partial(measure, name), skip) for name, skip in names.items())


def ratio(ours: Row, other: Row) -> float | None:
    """The median over rounds of ours / theirs in the same round."""
    pairs = [mine / theirs for mine, theirs in zip(ours.values, other.values, strict=False)]
    return median(pairs) if pairs else None


def run_bench(bench: Bench, world: World, rounds: int, tell: Callable[[str], None]) -> Table:
    """Measure every side once a round, in turns, so that what disturbs the machine disturbs all."""
    rows = [Row(side.name, trouble=side.skip) for side in bench.sides]
    for number in range(1, rounds + 1):
        for side, row in zip(bench.sides, rows, strict=True):
            if row.trouble:
                continue
            with world.redis() as client:
                client.flushall()
            try:
                row.values.append(side.measure(world))
                tell(f"{bench.name} round {number}/{rounds}: {side.name}: {row.values[-1]:,.0f} {bench.unit}")
            except SideError as error:
                row.trouble = f"failed in round {number}: {error}"
                tell(f"{bench.name} round {number}/{rounds}: {side.name}: {row.trouble}")
    return Table(bench, world.server, rows)
