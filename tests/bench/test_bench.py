"""The benches themselves: they run, count what they should, and keep the one target that no busy machine can blur."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.sides import Bench, Row, Side, Table, ratio

ROOT = Path(__file__).parents[2]


def run(tmp_path: Path, *arguments: str) -> dict:
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "tests.bench", "--rounds", "1", "--json", str(report), *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(report.read_text())


@pytest.mark.parametrize(("name", "sides"), [("admission", 2), ("noop", 3), ("slow", 3)])
def test_it_measures_us_and_rq(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sides: int) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (bench,) = run(tmp_path, name, "--scale", "0.02")["benches"]
    figures = [side["median"] for side in bench["sides"]]
    assert len([figure for figure in figures if figure]) == sides
    assert all(side["trouble"].startswith("skipped: node and npm") for side in bench["sides"] if not side["median"])


def test_a_drain_and_a_refill_are_watched(tmp_path: Path) -> None:
    (bench,) = run(tmp_path, "drain", "--scale", "0.004")["benches"]
    figures = {side["side"]: side["median"] for side in bench["sides"]}
    assert len(figures) == 9
    assert all(figures.values())


def test_every_message_of_a_large_run_is_accounted_for(tmp_path: Path) -> None:
    (bench,) = run(tmp_path, "scale", "--scale", "0.002")["benches"]
    figures = {side["side"]: side["median"] for side in bench["sides"] if not side["trouble"]}
    residues = [figure for name, figure in figures.items() if "residue" in name]
    assert set(residues) == {0}
    assert all(figure for name, figure in figures.items() if "residue" not in name)
    assert figures.get("smtp-sink's own count of them", 500) == 500


def test_an_unknown_bench_is_told_which_there_are() -> None:
    command = [sys.executable, "-m", "tests.bench", "nope"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "there are: admission, noop, bytes, smtp, slow, flood, tick, tiers, drain, console, " in result.stderr


def test_ratios_are_of_the_same_round() -> None:
    ours, theirs = Row("ours", [100.0, 300.0, 200.0]), Row("theirs", [10.0, 10.0, 40.0])
    assert ratio(ours, theirs) == 10.0
    assert ratio(ours, Row("skipped", trouble="no npm")) is None


def test_the_table_shows_medians_and_what_is_missing() -> None:
    bench = Bench("some", "how fast", "jobs/s", (Side("ours", lambda _: 0.0),))
    rows = [Row("ours", [1000.0, 3000.0, 2000.0]), Row("theirs", [100.0, 200.0, 100.0]), Row("gone", trouble="no npm")]
    lines = str(Table(bench, "Valkey, AOF off", rows)).splitlines()
    assert lines[2].split() == ["ours", "2,000", "1,000", "3,000"]
    assert lines[3].split() == ["theirs", "100", "100", "200", "15", "×"]
    assert lines[4].split() == ["gone", "–", "no", "npm"]
