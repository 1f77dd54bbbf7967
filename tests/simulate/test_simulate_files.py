"""Scenario files: what comes with queuectl, what extends what, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from queuectl.model import UsageError
from queuectl.simulate.files import load_scenario, scenario_names

GOOD = """
summary = "small"
for_s = 10
[pools.p]
queues = ["q"]
[queues.q]
phases = [{ per_s = 5 }]
"""


@pytest.mark.parametrize("name", scenario_names())
def test_what_ships_is_valid(name: str) -> None:
    assert load_scenario(name).summary


def test_extends_takes_every_key_that_is_lacking(tmp_path: Path) -> None:
    base, other = tmp_path / "base.toml", tmp_path / "other.toml"
    base.write_text(GOOD)
    other.write_text(f'extends = "{base}"\nfor_s = 20\n')
    found = load_scenario(str(other))
    assert (found.for_s, found.summary) == (20, "small")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("for_s = 10", "for_s = 0"), "for_s = 0: Input should be greater than 0"),
        (GOOD.replace("for_s = 10", ""), "for_s is missing"),
        (GOOD + "pases = 3", "unknown key 'queues.q.pases'; allowed here: busy_ms, cap, class, max_age_s, mix"),
        (GOOD.replace('"small"', '"small"\nspeed = 3'), "unknown key 'speed'; allowed here: controls, for_s, memory"),
        (GOOD + "[controls]\nshed = 'maybe'", "controls.shed = 'maybe': Input should be 'off', 'on' or 'auto'"),
        (GOOD + "[thresholds.tiers]\nsurge_enter_s = 3", "unknown key 'thresholds.tiers.surge_enter_s'; allowed here:"),
        (GOOD + "[thresholds.lifo]\noldest_share = -1", "thresholds.lifo.oldest_share = -1: Input should be greater"),
        (GOOD.replace('["q"]', '["q", "r"]'), "pools name a queue 'r'; queues are: q"),
        (GOOD + "[queues.r]\nphases = [{ per_s = 1 }]", "queue 'r' is in no pool; each belongs to exactly one of p"),
        (GOOD + "provider = 'mx'", "queue 'q': no provider 'mx'; providers are: none"),
        (GOOD + "mix = [{ share = 0.5 }]", "the shares of mix add up to 0.5, not to 1"),
        (GOOD.replace("{ per_s = 5 }", "{ per_s = 5 }, { per_s = 6 }"), "every phase but the last needs for_s"),
        ("summary = ", "not valid TOML"),
        ("extends = 'nowhere'", "extends: no scenario and no file is named 'nowhere'; scenarios are: mission"),
        ("extends = 3", "extends = 3: the name or the path of a scenario is allowed"),
    ],
)
def test_a_mistake_is_named_with_file_key_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "ours.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        load_scenario(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)


def test_a_scenario_cannot_extend_itself(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(f'extends = "{two}"')
    two.write_text(f'extends = "{one}"')
    with pytest.raises(UsageError, match="it would extend itself"):
        load_scenario(str(one))
