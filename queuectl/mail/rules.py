"""Rules on replies: patterns and what they mean, shipped as data (rules.toml) and extended by the settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from queuectl.mail.replies import Disposition, Outcome, Phase, Reply, Scope
from queuectl.policy.shaping import Signal
from queuectl.settings import ProviderSettings
from queuectl.settings.rules import RuleSettings

GENERIC = "generic"
_SIGNALS = {"slow": Signal.THROTTLED, "hold": Signal.HOLD, "suspend": Signal.REPUTATION}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be asked."""

    written: RuleSettings
    origin: str
    """The rule set it comes from, or `settings`."""
    code: re.Pattern[str]
    enhanced: re.Pattern[str] | None
    text: re.Pattern[str] | None
    phases: frozenset[Phase]

    @classmethod
    def of(cls, written: RuleSettings, origin: str) -> Rule:
        codes = "|".join(code.replace("x", r"\d") for code in written.code)
        return cls(
            written,
            origin,
            re.compile(codes or r"\d+"),
            re.compile("|".join(_enhanced(pattern) for pattern in written.enhanced)) if written.enhanced else None,
            re.compile(written.text, re.IGNORECASE) if written.text else None,
            frozenset(Phase(phase) for phase in written.phase),
        )

    def fits(self, reply: Reply, phase: Phase) -> bool:
        if self.phases and phase not in self.phases:
            return False
        if not self.code.fullmatch(str(reply.code)) or (self.enhanced and not self.enhanced.fullmatch(reply.enhanced)):
            return False
        return self.text is None or self.text.search(reply.text) is not None

    def judge(self, found: Disposition) -> Disposition:
        """`found` is what the codes alone say."""
        written = self.written
        scope = Scope(written.scope) if written.scope else _SCOPES.get(written.action, found.scope)
        changes = replace(found, scope=scope, bounce=False, rule=written.name, for_s=written.for_s,
                          signal=_SIGNALS.get(written.action))  # fmt: skip
        if written.action in ("slow", "hold"):
            return replace(changes, outcome=Outcome.RETRY, counted=False)
        if written.action == "suspend":
            return changes
        if written.action == "retry":
            return replace(changes, outcome=Outcome.RETRY, counted=found.counted and scope is not Scope.ACCOUNT)
        bounce = written.action == "suppress"
        return replace(changes, outcome=Outcome.FAILED, counted=True, bounce=bounce)


_SCOPES = {"slow": Scope.PROVIDER, "hold": Scope.PROVIDER, "suspend": Scope.SENDER, "suppress": Scope.RECIPIENT}


def _enhanced(pattern: str) -> str:
    return "" if pattern == "none" else re.escape(pattern).replace(r"\*", r"\d+")


class Rules:
    """A provider's rules in the order they are asked."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)

    def find(self, reply: Reply, phase: Phase) -> Rule | None:
        """The rule that decides; None: the codes alone do."""
        return next((rule for rule in self.rules if rule.fits(reply, phase)), None)

    def judge(self, found: Disposition) -> Disposition:
        """What the try came to, in the light of the rules."""
        if found.reply is None or found.phase is None:
            return found
        rule = self.find(found.reply, found.phase)
        return rule.judge(found) if rule else found


def rules_for(provider: ProviderSettings) -> Rules:
    """The settings' own rules, the shipped ones of whom the provider is, and the generic ones."""
    own = [Rule.of(written, "settings") for written in provider.reply_rules]
    return Rules([*own, *_shipped().get(rule_set(provider), ()), *_shipped()[GENERIC]])


def rule_set(provider: ProviderSettings) -> str:
    """The name of the provider's own shipped rules; empty: it has none."""
    if provider.rules != "auto":
        return "" if provider.rules == GENERIC else provider.rules
    host = f".{provider.host.lower().rstrip('.')}"
    return next((name for name, domains in _hosts().items() if any(host.endswith(f".{one}") for one in domains)), "")


@cache
def _shipped() -> Mapping[str, tuple[Rule, ...]]:
    return {
        name: tuple(Rule.of(RuleSettings.model_validate(rule), name) for rule in section["rules"])
        for name, section in _data().items()
        if name != "hosts"
    }


@cache
def _hosts() -> Mapping[str, list[str]]:
    return dict(_data()["hosts"])


@cache
def _data() -> Mapping[str, dict[str, list[str]]]:
    return tomllib.loads(files("queuectl.mail").joinpath("rules.toml").read_text("utf-8"))
