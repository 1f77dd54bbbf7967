"""Scenarios: what arrives when, and what a bad file is told."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from queuectl.demo.load import messages, templates
from queuectl.demo.scenario import Scenario, arrivals, load_scenario, scenario_names
from queuectl.mail.templates import Renderer
from queuectl.model import QueueClass, UsageError
from queuectl.settings import Settings

GOOD = """
summary = "test"
seed = 7
[sink]
latency_ms = 100
[pools.bulk]
queues = ["forum"]
workers = 2
concurrency = 5
[queues.forum]
subject = "Topic {{ number }}"
text = "Hello {{ name }}"
phases = [{ for_s = 10, per_s = 3.5 }, { for_s = 5, times_capacity = 6 }, { per_s = 0 }]
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load_scenario(written(tmp_path, GOOD))


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "scenario.toml"
    path.write_text(text)
    return str(path)


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        load_scenario(written(tmp_path, text))
    return str(caught.value)


def test_rates_follow_the_phases_and_the_pools_capacity(scenario: Scenario) -> None:
    assert scenario.capacity_per_s("forum") == 2 * 5 / 0.1
    assert [scenario.rate_per_s("forum", at_s) for at_s in (0, 9.9, 10, 14.9, 15, 1e6)] == [3.5, 3.5, 600, 600, 0, 0]


def test_nothing_arrives_after_a_last_phase_that_ends(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, GOOD.replace(", { per_s = 0 }", "")))
    assert scenario.rate_per_s("forum", 15) == 0


def test_arrivals_add_up_however_time_is_cut(scenario: Scenario) -> None:
    random = Random(3)
    cuts = sorted(random.uniform(0, 20) for _ in range(300))
    parts = [arrivals(scenario, "forum", start_s, end_s) for start_s, end_s in pairwise([0.0, *cuts, 20.0])]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == arrivals(scenario, "forum", 0, 20)
    assert arrivals(scenario, "forum", 5, 5) == arrivals(scenario, "forum", 6, 5) == 0


def test_arrivals_are_near_the_mean_and_differ_by_seed(scenario: Scenario) -> None:
    slow, fast = arrivals(scenario, "forum", 0, 10), arrivals(scenario, "forum", 10, 15)
    assert abs(slow - 35) < 5 * math.sqrt(35)
    assert abs(fast - 3000) < 5 * math.sqrt(3000)
    assert arrivals(scenario, "forum", 15, 1000) == 0
    other = scenario.model_copy(update={"seed": 8})
    seconds = range(10, 15)
    assert [arrivals(other, "forum", at, at + 1) for at in seconds] != [
        arrivals(scenario, "forum", at, at + 1) for at in seconds
    ]


def test_the_settings_it_makes(scenario: Scenario) -> None:
    settings = scenario.settings(Settings(), smtp_port=2525)
    provider = settings.provider("default")
    assert (provider.host, provider.port, provider.connections) == ("127.0.0.1", 2525, 5)
    assert settings.pools["bulk"].queues == ("forum",)
    assert Settings.model_validate(settings.model_dump(by_alias=True)) == settings


def test_the_spike(tmp_path: Path) -> None:
    assert "spike" in scenario_names()
    spike = load_scenario("spike")
    assert spike.rate_per_s("forum", 50) == 6 * spike.capacity_per_s("forum")
    assert spike.rate_per_s("forum", 19) < spike.capacity_per_s("forum") > spike.rate_per_s("forum", 81)
    classes = {name: load.policy.queue_class for name, load in spike.queues.items()}
    assert classes == {
        "security": QueueClass.PROTECTED,
        "payment": QueueClass.PROTECTED,
        "welcome": QueueClass.NORMAL,
        "forum": QueueClass.BULK,
    }


@pytest.mark.parametrize("name", scenario_names())
def test_mail_of_every_scenario_renders(name: str) -> None:
    for template in templates(load_scenario(name)).values():
        mail = messages(template)
        first, second = next(mail), next(mail)
        assert first.to != second.to
        rendered = Renderer(template).render(first.params)
        assert first.params["name"] in rendered.text
        assert rendered.subject


def test_a_template_with_an_unknown_variable(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, GOOD.replace("{{ number }}", "{{ topic }}")))
    with pytest.raises(UsageError, match=r"of queue forum uses {{ topic }}"):
        templates(scenario)


@pytest.mark.parametrize(
    ("change", "to", "expected"),
    [
        (
            "workers = 2",
            "wrokers = 2",
            "unknown key 'pools.bulk.wrokers'; allowed here: command, concurrency, helps, queues, ",
        ),
        ("seed = 7", "sede = 7", "unknown key 'sede'; allowed here: automation, delivery, pools, "),
        (
            "per_s = 3.5",
            "per_s = 3.5, rate = 1",
            "unknown key 'queues.forum.phases.0.rate'; allowed here: for_s, per_s",
        ),
        ("latency_ms = 100", "latency_ms = -1", "sink.latency_ms = -1: Input should be greater than or equal to 0"),
        ('subject = "Topic {{ number }}"', "", "queues.forum.subject is missing"),
        (", per_s = 3.5", "", "queues.forum.phases.0: a phase needs either per_s or times_capacity"),
        ("for_s = 10, ", "", "queues.forum: every phase but the last needs for_s"),
        ('queues = ["forum"]', 'queues = ["other"]', "queue 'forum' is in no pool; pools are: bulk"),
        ("[queues.forum]", "[queues.forum", "not valid TOML"),
    ],
)
def test_a_bad_scenario_is_told_file_and_key(tmp_path: Path, change: str, to: str, expected: str) -> None:
    assert change in GOOD
    told = complaint(tmp_path, GOOD.replace(change, to, 1))
    assert f"scenario.toml: {expected}" in told
    assert "\n" not in told


def test_an_unknown_scenario_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"no scenario and no file is named 'spkie'; scenarios are: spike"):
        load_scenario("spkie")
