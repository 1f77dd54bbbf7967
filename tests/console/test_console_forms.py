"""Answers to actions, and command lines to what they ask for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from queuectl.console import fixed, forms
from queuectl.console.commandline import completions, parse
from queuectl.console.forms import Form
from queuectl.model import (
    Action,
    Direction,
    Drain,
    Policy,
    Refill,
    Scale,
    SetDirection,
    SetPause,
    SetPolicy,
    SetShed,
    Switch,
    Target,
    Tier,
    Undo,
    UsageError,
)

FLEET = fixed.fleet()
FORUM, PAYMENT = FLEET.queue("forum"), FLEET.queue("payment")
BULK = FLEET.pool("bulk")
assert FORUM and PAYMENT and BULK


def build(form: Form, **answers: str) -> Action:
    return form.build({**form.defaults(), **answers})


def test_panels_open_on_the_other_state_for_fifteen_minutes() -> None:
    assert build(forms.shed(FORUM)) == SetShed("forum", Switch.OFF, 900)
    assert build(forms.shed(PAYMENT)) == SetShed("payment", Switch.ON, 900)
    assert build(forms.mode(FORUM)) == SetDirection("forum", Direction.FIFO, 900)
    assert build(forms.pause(FORUM)) == SetPause("forum", Switch.ON, 900)


@pytest.mark.parametrize(("answer", "for_s"), [("1h", 3600), ("4h", 14_400), ("no expiry", None)])
def test_durations(answer: str, for_s: float | None) -> None:
    assert build(forms.mode(FORUM), **{"for": answer}) == SetDirection("forum", Direction.FIFO, for_s)


def test_back_to_automation_needs_no_expiry() -> None:
    assert build(forms.shed(FORUM), value="auto") == SetShed("forum", None, None)
    assert build(forms.mode(FORUM), value="auto") == SetDirection("forum", None, None)
    assert build(forms.scale(BULK), workers="auto") == Scale("bulk", None, None)


def test_drain_and_refill() -> None:
    assert build(forms.drain(FORUM, FLEET)) == Drain("forum", Target.OVERFLOW)
    assert build(forms.drain(FORUM, FLEET), to="shed", older_than="4h", limit="10,000") == Drain(
        "forum", Target.SHED, "", 14_400, 10_000
    )
    assert build(forms.drain(FORUM, FLEET), to="welcome") == Drain("forum", Target.QUEUE, "welcome")
    assert "forum" not in forms.drain(FORUM, FLEET).fields[0].options
    assert build(forms.refill(FORUM), rate="250", limit="5000") == Refill("forum", Tier.OVERFLOW, 250.0, 5000)
    assert build(forms.refill(FORUM, "shed")) == Refill("forum", Tier.SHED)


def test_scale_and_undo() -> None:
    assert build(forms.scale(BULK)) == Scale("bulk", 12, 900)
    assert build(forms.scale(BULK, "20"), **{"for": "1h"}) == Scale("bulk", 20, 3600)
    assert build(forms.undo(118)) == Undo(118)


@pytest.mark.parametrize(
    ("form", "answers", "said"),
    [
        (forms.drain(FORUM, FLEET), {"older_than": "soon"}, "older than: 'soon' is not a duration"),
        (forms.drain(FORUM, FLEET), {"limit": "0"}, "at most: '0' is not a whole number of 1 or more"),
        (forms.scale(BULK), {"workers": "-1"}, "workers: '-1'"),
        (forms.scale(BULK), {"workers": "twelve"}, "workers: 'twelve'"),
        (forms.scale(BULK), {"workers": ""}, "workers: ''"),
        (forms.scale(BULK), {"workers": "²"}, "workers: '²'"),
    ],
)
def test_a_bad_answer_says_what_is_wrong(form: Form, answers: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(form, **answers)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("1h30m", 5400), ("2d", 172_800), ("1.5h", 5400)]
)
def test_durations_in_words(text: str, seconds: float) -> None:
    assert forms.seconds(text, "x") == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "15m!", "1 h", "-5m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError):
        forms.seconds(text, "x")


# The command line.

THEMES = ["queuectl-dark", "queuectl-light"]


@pytest.mark.parametrize(
    ("line", "action", "words"),
    [
        ("shed forum on", "shed", ("forum", "on")),
        ("mode forum lifo", "mode", ("forum", "lifo")),
        ("drain forum overflow", "drain", ("forum", "overflow")),
        ("drain forum welcome", "drain", ("forum", "welcome")),
        ("scale bulk 12", "scale", ("bulk", "12")),
        ("scale bulk auto", "scale", ("bulk", "auto")),
        ("theme queuectl-light", "theme", ("queuectl-light",)),
        ("q", "quit", ()),
        ("quit", "quit", ()),
        ("  undo   118 ", "undo", ("118",)),
        ("undo", "undo", ()),
        ("refill forum", "refill", ("forum",)),
        ("pause legacy", "pause", ("legacy",)),
        ("resume legacy", "resume", ("legacy",)),
        ("open forum", "open", ("forum",)),
        ("HELP", "help", ()),
    ],
)
def test_lines(line: str, action: str, words: tuple[str, ...]) -> None:
    command = parse(line, FLEET, THEMES)
    assert command is not None
    assert (command.action, command.words) == (action, words)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("shed", "usage: shed <queue> <on|off|auto>"),
        ("shed forum", "usage: shed"),
        ("shed forum on now", "usage: shed"),
        ("shed nosuch on", "'nosuch' is not one of security, payment"),
        ("shed forum maybe", "not one of on, off, auto"),
        ("theme pink", "not one of queuectl-dark"),
        ("scale nopool 3", "not one of critical, bulk, legacy"),
        ("drain forum nowhere", "not one of overflow, shed, security"),
        ("frobnicate", "no command 'frobnicate'"),
    ],
)
def test_a_bad_line_says_what_is_allowed(line: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line, FLEET, THEMES)
    assert said in str(caught.value)


def test_an_empty_line_is_nothing() -> None:
    assert parse("   ", FLEET, THEMES) is None


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("sh", "shed"),
        ("shed fo", "shed forum"),
        ("shed forum o", "shed forum on"),
        ("drain forum we", "drain forum welcome"),
        ("theme queuectl-l", "theme queuectl-light"),
        ("nosuch x", None),
        ("shed forum on x", None),
    ],
)
def test_completions(typed: str, first: str | None) -> None:
    assert next(iter(completions(typed, FLEET, THEMES)), None) == first


# The policy panel.


def test_the_policy_panel_shows_what_holds_and_changes_what_is_changed() -> None:
    form = forms.policy(FORUM)
    shown = form.defaults()
    assert (shown["class"], shown["max_age_s"], shown["cap"], shown["shed"]) == ("bulk", "4h", "1,000,000", "off")
    assert "provider" not in shown
    options = {field.id: field.options for field in form.fields}
    assert options["direction"] == ("fifo", "lifo", "auto", "settings")
    assert options["cap"] == ()
    assert build(form) == SetPolicy("forum")
    assert build(form, max_age_s="90m", cap="500,000", shed="auto") == SetPolicy(
        "forum", (("max_age_s", "5400"), ("cap", "500000"), ("shed", "auto"))
    )
    assert build(form, cap="", direction="settings") == SetPolicy("forum", (("cap", None), ("direction", None)))


def test_what_is_automatic_is_shown_so() -> None:
    queue = replace(FORUM, policy=Policy(shed_auto=True, direction=Direction.LIFO, surge=True))
    shown = forms.policy(queue).defaults()
    assert (shown["shed"], shown["direction"], shown["surge"], shown["overflow"]) == ("auto", "lifo", "auto", "off")


def test_a_policy_field_can_be_typed_with_the_command() -> None:
    command = parse("policy forum cap=5000", FLEET, THEMES)
    assert command is not None
    assert build(forms.policy(FORUM, command.word(1))) == SetPolicy("forum", (("cap", "5000"),))
    with pytest.raises(UsageError, match="no field 'colour'"):
        forms.policy(FORUM, "colour=red")
    with pytest.raises(UsageError, match="max_age_s: 'soon' is not a duration"):
        build(forms.policy(FORUM), max_age_s="soon")
