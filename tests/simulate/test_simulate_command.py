"""`queuectl simulate` as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from queuectl.cli.main import run
from queuectl.simulate.plot import draw
from queuectl.simulate.result import Moment

SMALL = """
summary = "a spike of two minutes"
for_s = 900
[pools.p]
queues = ["q"]
workers = 1
concurrency = 10
[queues.q]
busy_ms = 100
phases = [{ for_s = 60, per_s = 50 }, { for_s = 120, per_s = 500 }, { per_s = 20 }]
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return str(path)


def test_one_scenario_prints_its_queues_and_why_controls_moved(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", small], {}) == 0
    shown = capsys.readouterr().out
    assert f"{small}: a spike of two minutes" in shown
    assert "15m simulated in" in shown
    assert "surge on: primary holds" in shown
    heading = next(line for line in shown.splitlines() if line.startswith("queue"))
    for column in ("on time", "shed", "refused", "p50", "p95", "p99", "peak depth", "memory", "clear after"):
        assert column in heading


def test_compare_puts_scenarios_side_by_side(small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.toml"
    other.write_text(f'extends = "{small}"\nsummary = "without"\ncontrols = {{ shed = "off", surge = "off" }}')
    assert run(["simulate", small, "--compare", str(other)], {}) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line.startswith("q ")]
    assert rows == [["q", small], ["q", str(other)]]


def test_all_of_them_may_stand_behind_compare(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--compare", small, small], {}) == 0
    assert [line.split()[:1] for line in capsys.readouterr().out.splitlines()].count(["q"]) == 2
    assert run(["simulate"], {}) == 2
    assert "name a scenario: a file, or one of mission, " in capsys.readouterr().err


def test_it_says_which_mail_was_on_time_and_what_the_rest_paid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.toml"
    path.write_text(
        SMALL.replace('["q"]', '["dear", "q"]')
        + '[queues.dear]\nclass = "protected"\ntarget_wait_s = 2\nbusy_ms = 100\nphases = [{ per_s = 5 }]\n'
    )
    assert run(["simulate", str(path)], {}) == 0
    lines = capsys.readouterr().out.splitlines()
    verdict = lines.index(f"{path}: target wait kept by dear")
    assert lines[verdict + 1].startswith("  q: ")
    assert "% on time, p99 " in lines[verdict + 1]
    assert " shed" in lines[verdict + 1]


def test_json_holds_everything(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", small, "--json"], {}) == 0
    [found] = json.loads(capsys.readouterr().out)["scenarios"]
    [queue] = found["queues"]
    assert queue["arrived"] == 60 * 50 + 120 * 500 + 720 * 20
    assert found["transitions"][0]["decision"]["inputs"]["depth"] > 0
    assert len(found["history"]) == 900


def test_plot(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", small, "--plot", "--ascii"], {}) == 0
    shown = capsys.readouterr().out
    assert "messages by tier" in shown
    assert "s surge" in shown
    assert shown.isascii()


def test_a_plot_of_nothing_is_still_a_plot() -> None:
    drawn = draw([Moment(0, 0, 0, 0, 0)], "empty", width=60, height=12, colour=True, ascii_only=False)
    assert len(drawn.splitlines()) == 12


def test_a_wrong_file_is_one_line_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "nowhere.toml"], {}) == 2
    assert capsys.readouterr().err.startswith(
        "queuectl: no scenario and no file is named 'nowhere.toml'; scenarios are"
    )


def test_simulating_needs_neither_redis_nor_textual_nor_plotext(small: str) -> None:
    probe = (
        "import sys; from queuectl.simulate.files import load_scenario; from queuectl.simulate.result import simulate; "
        "simulate(load_scenario(sys.argv[1])); "
        "sys.exit(any(name in sys.modules for name in ('redis', 'rq', 'textual', 'plotext')))"
    )
    subprocess.run([sys.executable, "-c", probe, small], check=True)
