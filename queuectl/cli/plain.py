"""The machine-readable form of what the commands show: stable names, null for unknown."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from queuectl.model import FleetState
from queuectl.policy.diagnosis import condition, diagnose


def print_json(value: Any, *, compact: bool = False) -> None:
    """One document; `compact`: on one line."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=None if compact else 2))


def status_json(fleet: FleetState) -> dict[str, Any]:
    """The whole picture. An ETA of "never" is null with `eta_never` true, since JSON knows no infinity."""
    tree = asdict(fleet)
    for queue, row in zip(fleet.queues, tree["queues"], strict=True):
        never = queue.eta_s is not None and math.isinf(queue.eta_s)
        row |= {
            "eta_s": None if never else queue.eta_s,
            "eta_never": never,
            "backlog": queue.backlog,
            "utilisation": queue.utilisation,
            "condition": condition(queue).value,
        }
    for event in tree["events"]:
        del event["payload"]
    tree["findings"] = [
        {"severity": finding.severity.name.lower(), "queue": finding.queue, "text": finding.text}
        for finding in diagnose(fleet)
    ]
    return tree
