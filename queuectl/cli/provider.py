"""`queuectl provider`: how a provider stands and what it answers; what a reply of its would mean."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict

from queuectl.cli.context import Context
from queuectl.cli.durations import duration
from queuectl.cli.parsers import describe
from queuectl.cli.plain import print_json
from queuectl.cli.table import Column, print_table
from queuectl.console.words import clock, plain, rate
from queuectl.mail.replies import Disposition, Outcome, Phase, Reply, classify
from queuectl.mail.retrying import retry_class, schedule_of
from queuectl.mail.rules import Rule, rules_for
from queuectl.model import ProviderState, ReplyHistory, UsageError
from queuectl.policy.shaping import HOLD_S, STOP_S, SUSPEND_S, Signal
from queuectl.settings import ProviderSettings, Settings
from queuectl.store import reply_counts
from queuectl.store.reader import Reader

DEFAULT_SINCE_S = 3600.0
_REPLY = re.compile(r"^([245]\d\d)[ -](.*)$|^([245]\d\d)$", re.DOTALL)


def add(_verb: str, parser: argparse.ArgumentParser) -> None:
    describe(parser, """
How a provider stands, and what it answered lately. With --reply: which rule such a reply meets, and what it does to the
message and to the provider; nothing is sent and no server is asked.
""", """
  queuectl provider ses
  queuectl provider ses --reply '454 Throttling failure: Maximum sending rate exceeded.'
  queuectl provider gmail --phase rcpt --reply '450 4.2.1 The user is receiving mail too quickly'
""")  # fmt: skip
    parser.add_argument("name", metavar="NAME", help="a provider of the settings")
    parser.add_argument("--reply", metavar="TEXT", help="an SMTP reply, code first")
    parser.add_argument("--phase", choices=[phase.value for phase in Phase], default=Phase.BODY.value,
                        help="where in the session it came; default: body, the answer to the message")  # fmt: skip
    parser.add_argument("--since", metavar="DURATION", type=duration, default=DEFAULT_SINCE_S,
                        help="how far back to count replies, at most 24h; default: 1h")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="machine-readable")
    parser.set_defaults(run=run)


def run(context: Context) -> int:
    args, settings = context.args, context.settings
    if args.name not in settings.providers:
        known = ", ".join(sorted(settings.providers))
        raise UsageError(f"the settings name no provider {args.name!r}; known: {known}")
    if args.reply is None:
        return _show(context, args.name)
    provider = settings.providers[args.name]
    reply, phase = _parsed(args.reply), Phase(args.phase)
    rules = rules_for(provider)
    found = rules.judge(classify(reply, phase))
    rule = rules.find(reply, phase) if found.reply else None
    if args.json:
        print_json(_judged_json(found, rule, settings))
    else:
        for name, text in _judged(found, rule, provider, settings):
            print(f"{name:<9} {text}")
    return 0


def _parsed(text: str) -> Reply:
    found = _REPLY.match(text.strip())
    if not found:
        raise UsageError(f"--reply {text!r} is no SMTP reply: it begins with a code such as 421 or 550")
    return Reply.parse(int(found[1] or found[3]), found[2] or "")


def _judged(found: Disposition, rule: Rule | None, provider: ProviderSettings, settings: Settings) -> list[tuple[str, str]]:  # noqa: E501  # fmt: skip
    lines = [("rule", f"{rule.written.name} ({rule.origin})" if rule else "none: judged by its codes alone")]
    if rule and rule.written.source:
        lines.append(("source", rule.written.source))
    lines.append(("about", str(found.scope) if found.scope else "nothing amiss"))
    lines.append(("message", _of_message(found, settings)))
    return [*lines, ("provider", _of_provider(found, provider))]


def _of_message(found: Disposition, settings: Settings) -> str:
    if found.outcome is Outcome.DELIVERED:
        return "delivered"
    if found.outcome is Outcome.FAILED:
        suppressed = found.bounce and settings.delivery.suppress_bounces
        return "fails" + ("; the address gets no more mail" if suppressed else "")
    schedule = schedule_of(retry_class(found), settings.delivery)
    first_s = max(schedule.base_s, found.for_s or 0.0) if found.signal is None else schedule.base_s
    counts = f"one of its {settings.delivery.attempts} attempts" if found.counted else "no attempt is counted"
    return f"is tried again within {first_s:g} s the first time ({retry_class(found)}); {counts}"


def _of_provider(found: Disposition, provider: ProviderSettings) -> str:
    if found.signal is None:
        return "goes on as before"
    if not provider.adaptive:
        return "goes on as before: adaptive = false"
    effect = {
        Signal.THROTTLED: f"is slowed to half its rate for {found.for_s or HOLD_S:g} s, and then recovers",
        Signal.HOLD: f"gets nothing for {found.for_s or STOP_S:g} s, then one message at a time",
        Signal.REPUTATION: f"is suspended for {found.for_s or SUSPEND_S:g} s, then one message tries; "
        "each refusal doubles the time",
    }[found.signal]
    return f"dry run; it would be so: {effect}" if provider.dry_run else effect


def _judged_json(found: Disposition, rule: Rule | None, settings: Settings) -> dict[str, object]:
    return {
        "rule": rule.written.model_dump() | {"origin": rule.origin} if rule else None,
        "scope": found.scope,
        "outcome": found.outcome,
        "counted": found.counted,
        "suppresses": found.bounce and settings.delivery.suppress_bounces,
        "signal": found.signal,
        "for_s": found.for_s,
        "reason": found.reason,
    }


def _show(context: Context, name: str) -> int:
    with context.store() as store:
        fleet = store.run(Reader(context.settings).fleet())
        history = store.run(reply_counts.replies(name, context.args.since))
    state = next(provider for provider in fleet.providers if provider.name == name)
    if context.args.json:
        print_json({"provider": asdict(state), "replies": asdict(history), "totals": history.totals})
        return 0
    signs = context.glyphs
    print(f"{name}: {state.condition}{' (dry run)' if state.dry_run else ''}, {_figures(state)}")
    if state.reason:
        until = f"until {clock(state.until_s)}: " if state.until_s else ""
        print(f"{until}{plain(state.reason, signs)}")
    _print_history(history)
    if history.texts:
        print()
        print_table([Column("times", [f"{times:,}" for _, times in history.texts], right=True),
                     Column("said", [plain(text, signs) for text, _ in history.texts])])  # fmt: skip
    return 0


def _figures(state: ProviderState) -> str:
    limit = f"{rate(state.allowed_per_s)}/s allowed" if state.allowed_per_s is not None else "no limit"
    today = f", {state.today:,} of {state.today_most:,} today" if state.today_most is not None else ""
    most = f" of {state.max_connections:,}" if state.max_connections else ""
    return f"{rate(state.used_per_s)}/s used, {limit}{today}, {state.connections:,}{most} connections"


def _print_history(history: ReplyHistory) -> None:
    totals = sorted(history.totals.items(), key=lambda pair: -pair[1])
    if not totals:
        print("no replies were counted in that time")
        return
    print()
    print_table([Column("replies", [f"{number:,}" for _, number in totals], right=True),
                 Column("class", [kind for kind, _ in totals])])  # fmt: skip
