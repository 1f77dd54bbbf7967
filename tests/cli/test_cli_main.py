"""Parsing, exit codes, what is imported, and how commands end when their reader or their terminal is gone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_runs import ROOT, Cli, command_line

from queuectl import __version__
from queuectl.cli.main import COMMANDS


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"queuectl {__version__}\n"


def test_help_lists_every_command(cli: Cli) -> None:
    shown = cli("--help").out
    assert all(f"\n    {command.verb} " in shown for command in COMMANDS)


@pytest.mark.parametrize("verb", [command.verb for command in COMMANDS])
def test_every_command_explains_itself_with_examples(cli: Cli, verb: str) -> None:
    shown = cli(verb, "--help")
    assert shown.code == 0
    assert f"examples:\n  queuectl {verb}" in shown.out
    assert "exit status:" in shown.out


def test_global_options_stand_before_or_after_the_verb(cli: Cli, redis_url: str) -> None:
    nowhere = "redis://127.0.0.1:1"
    assert cli("--url", redis_url, "status", QUEUECTL_URL=nowhere).code == 0
    assert cli("status", "--url", redis_url, QUEUECTL_URL=nowhere).code == 0


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["sheed"], "no 'sheed'; did you mean 'shed'?"),
        (["shed", "forum", "maybe"], "invalid choice: 'maybe'"),
        (["shed", "forum"], "required: on|off|auto"),
        (["shed", "forum", "on", "--for", "soon"], "'soon' is not a length of time; write 90s, 15m, 4h, 2d"),
        (["scale", "bulk", "many"], "'many' is not a whole number; or `auto`"),
        (["scale", "bulk", "1001"], "1,001 is not allowed; 0 to 1,000"),
        (["drain", "forum"], "required: --to"),
        (["refill", "forum", "--rate", "0"], "more than 0 messages a second"),
        (["jobs", "forum", "--limit", "0"], "0 is not allowed"),
        (["status", "--jsn"], "unrecognized arguments: --jsn"),
        (["send", "--queue", "q", "--template", "t", "--recipients", "r", "--column", "x"], "'x' is not NAME=COLUMN"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(cli: Cli, argv: list[str], said: str) -> None:
    result = cli(*argv)
    assert result.code == 2
    assert said in result.err
    assert result.err.startswith("queuectl: ")
    assert "--help" in result.err.splitlines()[1]


def test_the_console_needs_a_terminal(process_environ: dict[str, str]) -> None:
    ended = subprocess.run(
        command_line(), env=process_environ, stdin=subprocess.DEVNULL, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("queuectl: the console needs a terminal")
    assert "queuectl status" in ended.stderr
    assert ended.stdout == ""


def test_the_demo_needs_a_terminal_or_headless(process_environ: dict[str, str]) -> None:
    ended = subprocess.run(
        command_line("demo"), env=process_environ, stdin=subprocess.DEVNULL, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "--headless" in ended.stderr


def test_a_reader_that_leaves_is_no_error(
    process_environ: dict[str, str], fill: Callable[[str, int], list[str]]
) -> None:
    fill("forum", 5000)
    with subprocess.Popen(command_line("jobs", "forum", "--limit", "5000"), env=process_environ, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:  # fmt: skip
        assert child.stdout and child.stderr
        child.stdout.read(100)
        child.stdout.close()
        said = child.stderr.read()
    assert said == b""
    assert child.returncode == 141


def test_output_that_is_not_utf_8_gets_plain_signs(process_environ: dict[str, str]) -> None:
    environ = process_environ | {"PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run(command_line("status"), env=environ, check=False, capture_output=True, timeout=30)
    assert ended.returncode == 0
    assert b" - memory " in ended.stdout


PROBE = """
import sys
from queuectl.cli.main import run
code = run(sys.argv[2:], dict(__import__("os").environ))
loaded = sorted(name for name in sys.argv[1].split(",") if name in sys.modules)
print("LOADED", loaded, file=sys.stderr)
sys.exit(code)
"""
HEAVY = "textual,plotext,rq,jinja2,rich,aiosmtplib,aiosmtpd"


def test_status_imports_nothing_it_does_not_need(process_environ: dict[str, str]) -> None:
    ended = subprocess.run([sys.executable, "-c", PROBE, HEAVY, "status", "--json"], env=process_environ,
                           check=False, capture_output=True, text=True)  # fmt: skip
    assert ended.stderr == "LOADED []\n"
    assert json.loads(ended.stdout)["queues"] == []


@pytest.mark.parametrize("verb", [command.verb for command in COMMANDS])
def test_no_command_imports_textual_to_be_parsed(verb: str, process_environ: dict[str, str]) -> None:
    ended = subprocess.run([sys.executable, "-c", PROBE, "textual", verb, "--help"], env=process_environ,
                           check=False, capture_output=True, text=True)  # fmt: skip
    assert ended.stderr == "LOADED []\n"


def test_the_headless_processes_never_import_textual() -> None:
    code = ("import sys, queuectl.cli.main, queuectl.daemon.main, queuectl.worker.main\n"
            "sys.exit('textual' in sys.modules)")  # fmt: skip
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_context_of_the_settings_is_another_server(
    cli: Cli, fill: Callable[[str, int], list[str]], tmp_path: Path, redis_url: str
) -> None:
    config = tmp_path / "queuectl.toml"
    config.write_text(f'[contexts.prod]\nurl = "{redis_url}"\nname = "PROD"\nproduction = true\n'
                      '[contexts.gone]\nurl = "redis://:hunter2@127.0.0.1:1"\n')  # fmt: skip
    nowhere = {"QUEUECTL_URL": "redis://127.0.0.1:1", "QUEUECTL_CONFIG": str(config)}
    assert cli("--context", "prod", "status", **nowhere).code == 0
    assert cli("status", "--context", "gone", QUEUECTL_CONFIG=str(config)).code == 4
    shown = cli("--context", "prod", "config", "show", **nowhere).out
    assert "--context prod" in next(line for line in shown.splitlines() if "server.url" in line)
    assert "hunter2" not in shown
    fill("forum", 1)
    refused = cli("--context", "prod", "pause", "forum", "--yes", **nowhere)
    assert refused.code == 3
    assert "forum" in refused.err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--context", "nope", "status"), "no context 'nope'; there are: prod"),
        (("--context", "prod", "--url", "redis://x", "status"), "--context and --url exclude each other"),
    ],
)
def test_a_context_that_cannot_be_meant_is_refused(cli: Cli, tmp_path: Path, argv: tuple[str, ...], said: str) -> None:
    config = tmp_path / "queuectl.toml"
    config.write_text('[contexts.prod]\nurl = "redis://prod"\n')
    result = cli(*argv, QUEUECTL_CONFIG=str(config))
    assert (result.code, said in result.err) == (2, True)


def test_read_only_refuses_a_change(cli: Cli, fill: Callable[[str, int], list[str]]) -> None:
    fill("forum", 1)
    assert cli("pause", "forum", "--yes", "--read-only").code == 3
    assert cli("pause", "forum", "--yes").code == 0
