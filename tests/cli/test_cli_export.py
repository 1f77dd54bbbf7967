"""Dashboard, alert rules and completion scripts keep to the tables they are made from."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence

import pytest
from command_runs import Cli

from queuectl.cli.completion import verb_of
from queuectl.cli.dashboards import RULES
from queuectl.cli.main import COMMANDS, all_commands
from queuectl.daemon.metrics import METRICS

NAMES = {metric.name for metric in METRICS}


def test_the_dashboard_shows_every_metric_once(cli: Cli) -> None:
    board = json.loads(cli("export", "grafana").out)
    shown = [panel for panel in board["panels"] if panel["type"] == "timeseries"]
    expressions = [panel["targets"][0]["expr"] for panel in shown]
    assert [re.findall(r"queuectl_\w+", one) for one in expressions] == [[name] for name in _in_rows(board)]
    assert {name for one in expressions for name in re.findall(r"queuectl_\w+", one)} == NAMES
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def _in_rows(board: dict) -> list[str]:
    return [re.search(r"\((\w+)\)$", panel["description"])[1] for panel in board["panels"] if "description" in panel]


def test_no_two_panels_overlap(cli: Cli) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(cli("export", "grafana").out)["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_alert_rules_use_metrics_that_exist(cli: Cli) -> None:
    (group,) = json.loads(cli("export", "alerts").out)["groups"]
    assert len(group["rules"]) == len(RULES)
    for rule in group["rules"]:
        used = set(re.findall(r"queuectl_\w+", rule["expr"]))
        assert used
        assert used <= NAMES
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert re.fullmatch(r"\d+[mh]", rule["for"])
        labels = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert all(f"by ({label})" in rule["expr"] for label in labels)


def test_the_list_of_metrics(cli: Cli) -> None:
    text = cli("export", "metrics").out
    assert {line.split("{")[0] for line in text.splitlines() if line.startswith("queuectl_")} == NAMES


def test_commands_of_ours_in_the_rules_exist() -> None:
    verbs = {command.verb for command in COMMANDS}
    said = " ".join(rule.description for rule in RULES)
    assert set(re.findall(r"queuectl (\w+)", said)) <= verbs


def test_every_command_has_a_parser() -> None:
    verbs = [verb_of(*one) for one in all_commands()]
    assert [verb.name for verb in verbs] == [command.verb for command in COMMANDS]
    status = next(verb for verb in verbs if verb.name == "status")
    assert "--json" in [flag for option in status.options for flag in option.flags]


def completed(script: str, words: Sequence[str]) -> set[str]:
    """What bash offers for the last of `words`."""
    typed = " ".join(f"'{word}'" for word in ("queuectl", *words))
    ask = f'{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words)}; _queuectl; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-u", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_options_and_words(cli: Cli) -> None:
    script = cli("completion", "bash").out
    assert completed(script, ["re"]) >= {"record", "replay", "report", "retry", "resume", "refill"}
    assert completed(script, ["status", "--w"]) == {"--watch"}
    assert completed(script, ["--url", "redis://x", "shed", "o"]) >= {"on", "off"}
    assert completed(script, ["completion", ""]) >= {"bash", "zsh", "fish"}
    assert completed(script, ["config", "ch"]) == {"check"}
    assert "--reason" in completed(script, ["drain", "forum", "--"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_name_every_command_and_option(cli: Cli, shell: str) -> None:
    script = cli("completion", shell).out
    for verb in (verb_of(*one) for one in all_commands()):
        assert verb.name in script
        for option in verb.options:
            for flag in option.flags:
                assert (f"-l {flag[2:]}" if shell == "fish" and flag.startswith("--") else flag.strip("-")) in script


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_scripts_are_accepted_by_their_shell(cli: Cli, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    script = cli("completion", shell).out
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish_completes_commands_options_and_words(cli: Cli) -> None:
    script = cli("completion", "fish").out

    def completed(line: str) -> set[str]:
        ask = f"{script}\ncomplete -C '{line}'"
        done = subprocess.run(["fish", "--no-config", "-c", ask], capture_output=True, text=True, check=True)
        return {found.split("\t")[0] for found in done.stdout.splitlines()}

    assert completed("queuectl repl") == {"replay", "replay-shed"}
    assert completed("queuectl status --w") == {"--watch"}
    assert completed("queuectl shed forum o") >= {"on", "off"}
    assert completed("queuectl jobs forum --state sch") == {"scheduled"}
