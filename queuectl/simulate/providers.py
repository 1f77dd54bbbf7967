"""Provider limits: tokens of each second, shared by the pools that want them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from queuectl.simulate.scenario import Provider

UNLIMITED = None
"""The provider of a queue that has none."""
Tokens = dict[str | None, float]
"""Messages by provider."""


class Providers:
    """What each provider still takes."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._per_s = {name: provider.per_s for name, provider in providers.items()}
        self._left = dict.fromkeys(self._per_s, 0.0)

    def grant(self, demands: Iterable[Tokens]) -> list[Tokens]:
        """This second's tokens, divided in proportion to what each pool could deliver now."""
        demands = list(demands)
        for name, per_s in self._per_s.items():
            # Fractions of a message that the pools could not use are kept for the next second, idle tokens are not.
            self._left[name] = min(self._left[name], float(len(demands))) + per_s
        totals = {name: sum(demand.get(name, 0.0) for demand in demands) for name in self._left}
        granted: list[Tokens] = []
        for demand in demands:
            tokens: Tokens = {UNLIMITED: math.inf}
            for name in self._left.keys() & demand.keys():
                tokens[name] = self._left[name] * demand[name] / totals[name] if totals[name] else 0.0
            granted.append(tokens)
        self._left = {name: 0.0 if totals[name] else left for name, left in self._left.items()}
        return granted

    def give_back(self, tokens: Tokens) -> None:
        """What a pool did not use."""
        for name, count in tokens.items():
            if name is not UNLIMITED:
                self._left[name] += count
